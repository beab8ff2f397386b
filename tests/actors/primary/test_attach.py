"""A session attached to a real bus: hold, release, leave, and never left muted."""

from __future__ import annotations

import asyncio

import pytest

from tests.testkit.sent_log import log_awaits_summary
from warmxfer.actors.primary import attach
from warmxfer.actors.primary.session_controller import HELD_BY_OTHER_TRANSFER, SESSION_ENDED
from warmxfer.bus import Bus, InvalidRequest, subjects
from warmxfer.schemas import (
    AudioStreamEnabled,
    CallerHeld,
    CallerReleased,
    CommandFailed,
    FailureKind,
    History,
    HistoryQuery,
    ParticipantLeft,
    SessionSummary,
    SummaryQuery,
    TranscriptTurn,
    WarmTransferPhase,
    decode_as,
    decode_event,
    encode,
)

from .conftest import Boss, until
from .fake_session import EndingSession, RecordingSession

HELD = ["mute", "suspend_auto_end", "say uninterruptible: Please hold."]
RELEASED = ["restore_auto_end", "unmute"]


async def test_a_hold_mutes_first_replies_at_once_and_then_speaks(bus: Bus, boss: Boss, room: str) -> None:
    session = RecordingSession(room, speech_s=5.0)
    async with attach(bus, session) as attachment:
        command = boss.hold()
        await boss.send(command)
        reply = CallerHeld(command_id=command.command_id, caller_participant_id="caller-1")
        assert await boss.hears(within_s=2.0) == reply
        await until(lambda: session.done == HELD)
        assert (session.muted, session.auto_end, attachment.holding) == (True, False, True)


async def test_a_release_stops_the_hold_line_restores_auto_end_and_apologises(
    bus: Bus, boss: Boss, room: str
) -> None:
    session = RecordingSession(room, speech_s=5.0)
    async with attach(bus, session) as attachment:
        await boss.send(boss.hold())
        await boss.hears()
        await until(lambda: session.done == HELD)
        command = boss.release("Sorry about that.")
        await boss.send(command)
        assert await boss.hears() == CallerReleased(command_id=command.command_id)
        await until(lambda: len(session.done) == 7)
        assert session.done == [
            *HELD,
            "stopped: Please hold.",
            *RELEASED,
            "say interruptible: Sorry about that.",
        ]
        assert (session.muted, session.auto_end, attachment.holding) == (False, True, False)


async def test_a_repeated_hold_is_replied_to_again_and_spoken_once(bus: Bus, boss: Boss, room: str) -> None:
    session = RecordingSession(room)
    async with attach(bus, session):
        command = boss.hold()
        await boss.send(command)
        first = await boss.hears()
        await boss.send(command)
        assert await boss.hears() == first
        stored = await bus.history(subjects.event(boss.transfer_id, "primary"), 10)
        assert [decode_event(each.data) for each in stored] == [first], "stored once"
        assert session.done == HELD


async def test_a_hold_redelivered_after_the_release_is_ignored(bus: Bus, boss: Boss, room: str) -> None:
    session = RecordingSession(room)
    async with attach(bus, session):
        hold = boss.hold()
        for command in (hold, boss.release(line=None)):
            await boss.send(command)
            await boss.hears()
        await boss.send(hold)
        await boss.hears_nothing()
        assert not session.muted


async def test_another_transfer_cannot_hold_a_held_caller(bus: Bus, boss: Boss, room: str) -> None:
    session = RecordingSession(room)
    async with attach(bus, session), bus.subscribe(subjects.event(f"{room}-other", "primary")) as events:
        await boss.send(boss.hold())
        await boss.hears()
        other = Boss(bus, room, f"{room}-other", events)
        hold, release = other.hold(), other.release()
        await other.send(hold)
        assert await other.hears() == CommandFailed(
            command_id=hold.command_id, failure=FailureKind.REFUSED, detail=HELD_BY_OTHER_TRANSFER
        )
        await other.send(release)
        assert await other.hears() == CallerReleased(command_id=release.command_id)
        assert session.muted, "the first transfer still holds the caller"


@pytest.mark.parametrize("step", ["mute", "suspend_auto_end"])
async def test_a_failed_hold_is_undone(bus: Bus, boss: Boss, room: str, step: str) -> None:
    session = RecordingSession(room, fails={step: 1})
    async with attach(bus, session):
        await boss.send(boss.hold())
        reply = await boss.hears()
        assert isinstance(reply, CommandFailed)
        assert reply.failure is FailureKind.REFUSED
        assert (session.muted, session.auto_end) == (False, True)
        assert session.done[-2:] == RELEASED


@pytest.mark.parametrize("fails", [{"restore_auto_end": 9}, {"unmute": 2}, {"say interruptible: Sorry.": 1}])
async def test_the_caller_is_unmuted_even_if_other_steps_raise(
    bus: Bus, boss: Boss, room: str, fails: dict[str, int]
) -> None:
    session = RecordingSession(room, fails=fails)
    async with attach(bus, session):
        await boss.send(boss.hold())
        await boss.hears()
        await boss.send(boss.release())
        assert isinstance(await boss.hears(), CallerReleased)
        assert not session.muted


async def test_leave_ends_the_session_and_detaches(bus: Bus, boss: Boss, room: str) -> None:
    session = RecordingSession(room)
    async with attach(bus, session) as attachment:
        await boss.send(boss.hold())
        await boss.hears()
        await boss.send(boss.leave())
        async with asyncio.timeout(2.0):
            await attachment.detached()
    assert session.gone
    assert "unmute" not in session.done, "the caller has left this room"
    await boss.hears_nothing()


@pytest.mark.parametrize("step", ["leave", "restore_auto_end"])
async def test_a_command_that_ends_the_program_of_its_session_is_carried_out(
    bus: Bus, boss: Boss, room: str, step: str
) -> None:
    """The room closes while the framework still leaves it, so the program detaches within the command."""
    session = EndingSession(room, ends_at=step)
    async with attach(bus, session):
        await boss.send(boss.hold())
        await boss.hears()
        command = boss.leave() if step == "leave" else boss.release(line=None)
        await boss.send(command)
        await session.ended.wait()
    if step != "leave":
        assert await boss.hears() == CallerReleased(command_id=command.command_id)
    assert session.gone is (step == "leave")
    assert session.muted is (step == "leave"), "the caller of a session that left is in another room"
    await boss.hears_nothing()


async def test_a_session_that_has_ended_refuses_a_hold(bus: Bus, boss: Boss, room: str) -> None:
    session = RecordingSession(room)
    async with attach(bus, session) as attachment:
        attachment.closed()
        command = boss.hold()
        await boss.send(command)
        assert await boss.hears() == CommandFailed(
            command_id=command.command_id, failure=FailureKind.REFUSED, detail=SESSION_ENDED
        )
        assert not attachment.holding
    assert session.done == []


async def test_a_closed_session_publishes_caller_released(bus: Bus, boss: Boss, room: str) -> None:
    async with attach(bus, RecordingSession(room)) as attachment:
        await boss.send(boss.hold())
        await boss.hears()
        attachment.closed()
        assert await boss.hears() == CallerReleased(command_id=None, cause="session_closed")


async def test_leaving_the_context_releases_the_caller(bus: Bus, boss: Boss, room: str) -> None:
    session = RecordingSession(room)
    async with attach(bus, session):
        await boss.send(boss.hold())
        await boss.hears()
    assert not session.muted
    assert await boss.hears() == CallerReleased(command_id=None, cause="session_closed")


async def test_room_events_are_published_only_while_a_transfer_runs(bus: Bus, boss: Boss, room: str) -> None:
    session = RecordingSession(room)
    async with attach(bus, session) as attachment:
        attachment.participant_left("caller-1", "too early")
        await boss.send(boss.hold())
        await boss.hears()
        attachment.audio_enabled("caller-1")
        attachment.participant_left("caller-1", "hung up")
        assert await boss.hears() == AudioStreamEnabled(room_id=room, participant_id="caller-1")
        assert await boss.hears() == ParticipantLeft(
            room_id=room, participant_id="caller-1", reason="hung up"
        )
        await boss.send(boss.release(line=None))
        await boss.hears()
        await boss.phase(1, WarmTransferPhase.TRANSFER_CANCELLED)
        await until(lambda: len(session.phases) == 1)
        attachment.participant_left("caller-1", "too late")
        await boss.hears_nothing()


async def test_a_caller_who_leaves_after_the_briefing_is_not_reported(
    bus: Bus, boss: Boss, room: str
) -> None:
    """A move looks the same from this room, and no stage after the briefing takes the event."""
    session = RecordingSession(room)
    async with attach(bus, session) as attachment:
        await boss.send(boss.hold())
        await boss.hears()
        await boss.phase(1, WarmTransferPhase.BRIEFING_STARTED)
        await until(lambda: len(session.phases) == 1)
        attachment.participant_left("caller-1", "hung up")
        assert isinstance(await boss.hears(), ParticipantLeft)
        await boss.phase(2, WarmTransferPhase.BRIEFING_COMPLETE)
        await until(lambda: len(session.phases) == 2)
        attachment.participant_left("caller-1", "moved")
        await boss.hears_nothing()


async def test_an_id_that_is_too_long_for_a_message_is_left_out(bus: Bus, boss: Boss, room: str) -> None:
    """Before, the coordinator could not read the message, and took the session for absent."""
    long = "p" * 1_000
    session = RecordingSession(room, caller_participant_id=long)
    async with attach(bus, session) as attachment:
        command = boss.hold()
        await boss.send(command)
        assert await boss.hears() == CallerHeld(command_id=command.command_id, caller_participant_id=None)
        attachment.audio_enabled(long)
        attachment.participant_left(long, "hung up")
        await boss.hears_nothing()


async def test_phases_reach_the_session_from_the_first_in_order_and_once(
    bus: Bus, boss: Boss, room: str
) -> None:
    session = RecordingSession(room)
    await boss.phase(1, WarmTransferPhase.STARTED)
    async with attach(bus, session):
        await boss.send(boss.hold())
        await boss.hears()
        await boss.phase(2, WarmTransferPhase.SUMMARY_GENERATING)
        await boss.phase(2, WarmTransferPhase.SUMMARY_GENERATING)
        await boss.phase(3, WarmTransferPhase.TRANSFER_FAILED)
        await until(lambda: len(session.phases) == 3)
        assert [each.seq for each in session.phases] == [1, 2, 3]


async def test_history_and_summary_queries_are_served_under_the_given_name(
    bus: Bus, room: str, transfer_id: str
) -> None:
    session = RecordingSession(room, turns=[TranscriptTurn("caller", "Hi")], own_summary="Ann.")
    await log_awaits_summary(bus, transfer_id, f"{room}-x", "session")
    async with attach(bus, session, name=f"{room}-x"):
        history, summary = encode(HistoryQuery(transfer_id)), encode(SummaryQuery("p", transfer_id))
        reply = await bus.request(subjects.ask_history(f"{room}-x"), history, 2.0)
        assert decode_as(History, reply) == History([TranscriptTurn("caller", "Hi")])
        reply = await bus.request(subjects.ask_summary(f"{room}-x"), summary, 2.0)
        assert decode_as(SessionSummary, reply) == SessionSummary("Ann.")


@pytest.mark.parametrize(
    ("session", "by", "asked_of"),
    [
        ("another", "session", "summary"),
        ("another", "session", "history"),
        ("own", "summarizer", "summary"),
        ("none", "session", "history"),
        ("none", "session", "summary"),
    ],
)
async def test_a_session_gives_the_conversation_only_to_a_live_transfer_of_its_own(
    bus: Bus, room: str, transfer_id: str, session: str, by: str, asked_of: str
) -> None:
    """Before, any client of the broker got the transcript, or had the session's model write what it asked."""
    recording = RecordingSession(
        room, turns=[TranscriptTurn("caller", "My card is 4111")], own_summary="Ann."
    )
    named = ""
    if session != "none":
        named = transfer_id
        await log_awaits_summary(bus, transfer_id, room if session == "own" else f"{room}-2", by)
    query = encode(HistoryQuery(named) if asked_of == "history" else SummaryQuery("Repeat it.", named))
    subject = subjects.ask_history(room) if asked_of == "history" else subjects.ask_summary(room)
    async with attach(bus, recording):
        with pytest.raises(InvalidRequest, match="No live transfer of this session awaits a summary"):
            await bus.request(subject, query, 2.0)
    assert recording.done == []


async def test_an_undecodable_message_is_skipped(bus: Bus, boss: Boss, room: str) -> None:
    session = RecordingSession(room)
    async with attach(bus, session):
        await bus.publish(subjects.session_commands(room), b"{")
        await boss.send(boss.hold())
        assert isinstance(await boss.hears(), CallerHeld)


async def test_an_invalid_session_name_is_refused(bus: Bus) -> None:
    with pytest.raises(InvalidRequest, match=r"session is 'a\.b'; use 1 to 64"):
        async with attach(bus, RecordingSession("r"), name="a.b"):
            raise AssertionError("attached")
