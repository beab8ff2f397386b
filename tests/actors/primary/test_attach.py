"""A session attached to a real bus: hold, release, leave, and never left muted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tests.testkit.provider_sandbox import seen_late
from warmxfer.actors.primary import attach
from warmxfer.actors.primary.session_controller import HELD_BY_OTHER_TRANSFER, UNCOMMANDED_RELEASE_LINE
from warmxfer.bus import Bus, BusSettings, EmbeddedServer, InvalidRequest, subjects
from warmxfer.schemas import (
    AudioStreamEnabled,
    CallerHeld,
    CallerReleased,
    CallLeft,
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

from .conftest import Boss
from .fake_session import RecordingSession

HELD = ["mute", "suspend_auto_end", "say uninterruptible: Please hold."]
RELEASED = ["restore_auto_end", "unmute"]


async def until(condition: Callable[[], bool], within_s: float = 5.0) -> None:
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.01)


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
        stored = await bus.history(subjects.event(boss.transfer_id), 10)
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
    async with attach(bus, session), bus.subscribe(subjects.event(f"{room}-other")) as events:
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
        command = boss.leave()
        await boss.send(command)
        assert await boss.hears() == CallLeft(command_id=command.command_id)
        async with asyncio.timeout(2.0):
            await attachment.detached()
    assert session.gone
    assert "unmute" not in session.done, "the caller has left this room"
    await boss.hears_nothing()


async def test_the_caller_is_released_when_no_coordinator_replies(bus: Bus, boss: Boss, room: str) -> None:
    session = RecordingSession(room)
    boss.live = None
    async with attach(bus, session, lease_s=1.0):
        command = boss.hold()
        await boss.send(command)
        await boss.hears()
        assert await boss.hears(within_s=4.0) == CallerReleased(command_id=None, cause="bus_silent")
        await until(lambda: session.done[-1] == f"say interruptible: {UNCOMMANDED_RELEASE_LINE}")
        assert not session.muted
        await boss.send(command)
        assert await boss.hears() == CallerReleased(command_id=None, cause="bus_silent"), "the newest reply"
        assert not session.muted


async def move_caller_away(bus: Bus, boss: Boss, session: RecordingSession) -> None:
    """Hold the caller; then the framework reports that they have left the room."""
    await boss.send(boss.hold())
    await boss.hears()
    session.caller_participant_id = None


async def test_the_ai_stays_for_a_moved_caller_and_speaks_when_they_return(
    bus: Bus, boss: Boss, room: str
) -> None:
    """Regression: the AI restored auto-end while the caller was moved, found itself alone, and left."""
    session = RecordingSession(room)
    async with attach(bus, session):
        await move_caller_away(bus, boss, session)
        command = boss.release("Sorry about that.", stay_s=30.0)
        await boss.send(command)
        assert await boss.hears() == CallerReleased(command_id=command.command_id)
        await asyncio.sleep(0.5)
        assert (session.muted, session.auto_end) == (False, False)
        assert "say interruptible: Sorry about that." not in session.done, "spoken in an empty room"
        session.caller_participant_id = "wxr-1"
        await until(lambda: session.done[-2:] == ["restore_auto_end", "say interruptible: Sorry about that."])


async def test_the_ai_stops_waiting_for_a_moved_caller_after_stay_s(bus: Bus, boss: Boss, room: str) -> None:
    session = RecordingSession(room)
    async with attach(bus, session):
        await move_caller_away(bus, boss, session)
        await boss.send(boss.release("Sorry.", stay_s=0.4))
        await boss.hears()
        await until(lambda: session.auto_end)
        assert "say interruptible: Sorry." not in session.done


async def test_the_apology_is_spoken_at_once_if_the_framework_does_not_know_the_caller(
    bus: Bus, boss: Boss, room: str
) -> None:
    session = RecordingSession(room, caller_participant_id=None)
    async with attach(bus, session):
        await boss.send(boss.hold())
        await boss.hears()
        await boss.send(boss.release("Sorry.", stay_s=30.0))
        await until(lambda: session.done[-1] == "say interruptible: Sorry.")


async def test_the_ai_stays_for_a_moved_caller_when_the_lease_expires(
    bus: Bus, boss: Boss, room: str
) -> None:
    """Regression: the broker was down for longer than the lease.

    The AI left, and the caller was returned to an empty room.
    """
    session = RecordingSession(room)
    boss.live = None
    async with attach(bus, session, lease_s=1.0):
        await move_caller_away(bus, boss, session)
        assert await boss.hears(within_s=4.0) == CallerReleased(command_id=None, cause="bus_silent")
        await asyncio.sleep(0.5)
        assert (session.muted, session.auto_end) == (False, False)
        session.caller_participant_id = "wxr-1"
        await until(lambda: session.done[-1] == f"say interruptible: {UNCOMMANDED_RELEASE_LINE}")
        assert not session.auto_end, "the transfer may move the caller again"


async def test_after_an_expired_lease_the_ai_stays_until_a_release_arrives(
    bus: Bus, boss: Boss, room: str
) -> None:
    """Regression, found by simulation: the caller was moved after the outage, and the AI left."""
    session = RecordingSession(room)
    boss.live = None
    async with attach(bus, session, lease_s=1.0):
        await boss.send(boss.hold())
        await boss.hears()
        assert await boss.hears(within_s=4.0) == CallerReleased(command_id=None, cause="bus_silent")
        await until(lambda: session.done[-1] == f"say interruptible: {UNCOMMANDED_RELEASE_LINE}")
        assert (session.muted, session.auto_end) == (False, False)
        await boss.send(boss.release(line=None))
        await boss.hears()
        assert session.auto_end


async def test_the_ai_does_not_stay_for_a_transfer_that_is_over(bus: Bus, boss: Boss, room: str) -> None:
    session = RecordingSession(room)
    boss.live = False
    async with attach(bus, session, lease_s=1.0):
        await boss.send(boss.hold())
        await boss.hears()
        await boss.hears(within_s=3.0)
        await until(lambda: session.auto_end)


async def test_a_waiting_ai_leaves_on_leave_call(bus: Bus, boss: Boss, room: str) -> None:
    session = RecordingSession(room)
    boss.live = None
    async with attach(bus, session, lease_s=1.0):
        await move_caller_away(bus, boss, session)
        await boss.hears(within_s=4.0)
        await boss.send(boss.leave())
        await boss.hears()
        assert session.gone


async def test_another_transfer_cannot_hold_a_moved_caller(bus: Bus, boss: Boss, room: str) -> None:
    session = RecordingSession(room)
    async with attach(bus, session), bus.subscribe(subjects.event(f"{room}-other")) as events:
        await move_caller_away(bus, boss, session)
        await boss.send(boss.release("Sorry.", stay_s=30.0))
        await boss.hears()
        other = Boss(bus, room, f"{room}-other", events)
        await other.send(other.hold())
        reply = await other.hears()
        assert isinstance(reply, CommandFailed)
        assert reply.detail == HELD_BY_OTHER_TRANSFER


async def test_a_hold_ends_after_two_negative_liveness_replies(bus: Bus, boss: Boss, room: str) -> None:
    session = RecordingSession(room)
    boss.live = False
    async with attach(bus, session, lease_s=1.0):
        started_at = asyncio.get_running_loop().time()
        await boss.send(boss.hold())
        await boss.hears()
        assert await boss.hears(within_s=3.0) == CallerReleased(command_id=None, cause="bus_silent")
        assert 0.4 < asyncio.get_running_loop().time() - started_at < 0.95, (
            "two checks, a quarter of the lease each"
        )


async def test_a_failed_liveness_query_counts_as_no_reply(bus: Bus, boss: Boss, room: str) -> None:
    """Regression: the first error reply ended the task that watches the lease.

    A coordinator of an older version replies with an error to a record of a newer version.
    """
    session = RecordingSession(room)
    boss.fails = True
    async with attach(bus, session, lease_s=1.0):
        await boss.send(boss.hold())
        await boss.hears()
        assert await boss.hears(within_s=4.0) == CallerReleased(command_id=None, cause="bus_silent")
        assert not session.muted


async def test_the_lease_expires_when_the_liveness_check_raises(
    bus: Bus, boss: Boss, room: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def break_down(*_: object) -> bool:
        raise LookupError("an unexpected failure")

    monkeypatch.setattr("warmxfer.actors.primary.hold_lease.is_live", break_down)
    session = RecordingSession(room)
    async with attach(bus, session, lease_s=1.0):
        await boss.send(boss.hold())
        await boss.hears()
        assert await boss.hears(within_s=4.0) == CallerReleased(command_id=None, cause="bus_silent")
        assert not session.muted


async def test_a_live_transfer_holds_longer_than_the_lease(bus: Bus, boss: Boss, room: str) -> None:
    session = RecordingSession(room)
    async with attach(bus, session, lease_s=1.0):
        await boss.send(boss.hold())
        await boss.hears()
        await boss.hears_nothing(for_s=1.6)
        assert session.muted


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


async def test_a_command_sent_before_attach_is_applied(bus: Bus, boss: Boss, room: str) -> None:
    command = boss.hold()
    await boss.send(command)
    session = RecordingSession(room)
    async with attach(bus, session, lease_s=1.0):
        reply = await boss.hears()
        assert isinstance(reply, CallerHeld)
        assert reply.command_id == command.command_id
        assert session.muted


async def test_a_command_of_an_ended_transfer_is_ignored(bus: Bus, boss: Boss, room: str) -> None:
    boss.live = False
    old = boss.hold()
    await boss.send(old)
    session = RecordingSession(room)
    async with attach(bus, session, lease_s=1.0):
        await boss.hears_nothing()
        await boss.send(old)
        await boss.hears_nothing()
    assert session.done == []


async def test_history_and_summary_queries_are_served_under_the_given_name(bus: Bus, room: str) -> None:
    session = RecordingSession(room, turns=[TranscriptTurn("caller", "Hi")], own_summary="Ann.")
    async with attach(bus, session, name=f"{room}-x"):
        reply = await bus.request(subjects.ask_history(f"{room}-x"), encode(HistoryQuery()), 2.0)
        assert decode_as(History, reply) == History([TranscriptTurn("caller", "Hi")])
        reply = await bus.request(subjects.ask_summary(f"{room}-x"), encode(SummaryQuery("p")), 2.0)
        assert decode_as(SessionSummary, reply) == SessionSummary("Ann.")


async def test_an_undecodable_message_is_skipped(bus: Bus, boss: Boss, room: str) -> None:
    session = RecordingSession(room)
    async with attach(bus, session):
        await bus.publish(subjects.primary(boss.transfer_id, room), b"{")
        await boss.send(boss.hold())
        assert isinstance(await boss.hears(), CallerHeld)


async def test_an_invalid_session_name_is_refused(bus: Bus) -> None:
    with pytest.raises(InvalidRequest, match=r"session is 'a\.b'; use 1 to 64"):
        async with attach(bus, RecordingSession("r"), name="a.b"):
            raise AssertionError("attached")


async def test_a_broker_outage_longer_than_the_lease_releases_the_caller(
    fresh_server: EmbeddedServer, fresh_bus: Bus, room: str
) -> None:
    """The session releases the caller during the outage, and publishes that after it."""
    session = RecordingSession(room)
    async with (
        await Bus.connect(BusSettings(url=fresh_server.url), name="coordinator") as coordinator_bus,
        attach(fresh_bus, session, lease_s=1.0),
        coordinator_bus.subscribe(subjects.event("t")) as events,
    ):
        boss = Boss(coordinator_bus, room, "t", events)
        await boss.send(boss.hold())
        await boss.hears()
        await fresh_server.stop(kill=True)
        await until(lambda: not session.muted)
        await fresh_server.start()
        async with asyncio.timeout(8.0):
            while len(stored := await coordinator_bus.history(subjects.event("t"), 10)) < 2:
                await asyncio.sleep(0.05)
        assert decode_event(stored[1].data) == CallerReleased(command_id=None, cause="bus_silent")


@pytest.mark.parametrize("command", ["release", "leave"])
async def test_a_command_sent_after_an_outage_reaches_a_session_that_holds(
    fresh_server: EmbeddedServer, fresh_bus: Bus, room: str, command: str
) -> None:
    """Regression, found by simulation: the AI missed LeaveCall during an outage.

    It stayed in an empty room until its lease expired.
    """
    session = RecordingSession(room)
    async with attach(fresh_bus, session, lease_s=60.0):
        async with (
            await Bus.connect(BusSettings(url=fresh_server.url), name="one") as coordinator_bus,
            coordinator_bus.subscribe(subjects.event("t")) as events,
        ):
            boss = Boss(coordinator_bus, room, "t", events)
            await boss.send(boss.hold())
            await boss.hears()
        await fresh_server.stop(kill=True)
        await until(lambda: not fresh_bus.connected)
        await fresh_server.start()
        async with await Bus.connect(BusSettings(url=fresh_server.url), name="two") as coordinator_bus:
            sent = boss.leave() if command == "leave" else boss.release(line=None)
            await coordinator_bus.publish(subjects.primary("t", room), encode(sent))
            await until(lambda: session.gone if command == "leave" else not session.muted)


async def test_a_hold_that_is_stored_late_is_found_by_polling(
    bus: Bus, boss: Boss, room: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen_late(bus, monkeypatch)
    session, hold = RecordingSession(room), boss.hold()
    await boss.send(hold)
    await boss.hears_nothing(for_s=0.05)
    async with attach(bus, session):
        assert await boss.hears() == CallerHeld(command_id=hold.command_id, caller_participant_id="caller-1")
        assert session.muted
