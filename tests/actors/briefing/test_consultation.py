"""Whole consultations: a real room, real people in it, a real bus, and everything that was told on it."""

from __future__ import annotations

import asyncio
import time

import pytest

from warmxfer.actors.briefing import BriefingSettings, sentences
from warmxfer.adapters.llm import ModelSettings
from warmxfer.adapters.rooms import RoomSettings
from warmxfer.bus import BusSettings, LiveMessage, subjects
from warmxfer.schemas import (
    AudioStreamEnabled,
    CommandFailed,
    ConsultationJoined,
    ConsultationLeft,
    Event,
    FailureKind,
    InvalidRequest,
    LivenessReply,
    ParticipantJoined,
    ParticipantLeft,
    SupervisorDeclined,
    SupervisorReady,
    VoicemailDetected,
    encode,
)

from .conftest import CONNECTING, GREETING, ONE_MOMENT, QUESTION, SUMMARY, TIME_SCALE, Desk, worker

READY, NO_ANSWER, VOICEMAIL, DECLINES = (f"+1415555010{n}" for n in (1, 3, 5, 6))
GONE_MID_BRIEFING, SILENT, CURIOUS, EAGER = (f"+141555501{n}" for n in ("08", "11", "12", "13"))
DECISIONS = (SupervisorReady, SupervisorDeclined, VoicemailDetected)
REFUSAL = "No, sorry, I can't take this call right now, I am in a meeting."
NARRATION = ["Ann was charged twice.", "She wants one charge refunded."]


def decisions(events: list[Event]) -> list[Event]:
    return [event for event in events if isinstance(event, DECISIONS)]


async def test_a_ready_supervisor_is_told_asked_and_connected(desk: Desk, settings: BusSettings) -> None:
    async with worker(settings):
        joined = await desk.join()
        assert (await desk.wait_for(ConsultationJoined)).command_id == joined
        await desk.dial(READY)
        await desk.wait_for(AudioStreamEnabled, participant_id=desk.supervisor)
        await desk.brief()
        await desk.wait_for(SupervisorReady)
        await desk.wait_said(CONNECTING)
        left = await desk.leave()
        assert (await desk.wait_for(ConsultationLeft)).command_id == left
    assert await desk.said() == [GREETING, *NARRATION, QUESTION, CONNECTING]
    assert [type(event) for event in await desk.events()] == [
        ConsultationJoined,
        ParticipantJoined,
        AudioStreamEnabled,
        SupervisorReady,
        ConsultationLeft,
    ]
    gone = await desk.cloud.wait_ledger(desk.room_id, "left", 1)
    assert (gone[0]["participantId"], gone[0]["reason"]) == (desk.agent, "user-left")


async def test_greeting_follows_the_order_at_once(desk: Desk, settings: BusSettings) -> None:
    async with worker(settings):
        await desk.join()
        await desk.wait_for(ConsultationJoined)
        await desk.dial(SILENT)
        await desk.wait_for(AudioStreamEnabled)
        ordered = await desk.brief()
        await desk.wait_said(GREETING)
        greeting_lasts_s = len(GREETING.split()) * 0.35 * TIME_SCALE
        assert time.monotonic() - ordered - greeting_lasts_s < 0.3


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (
            DECLINES,
            SupervisorDeclined(reason="No, sorry, I can't take this call right now, I am in a meeting."),
        ),
        (VOICEMAIL, VoicemailDetected()),
        (CURIOUS, SupervisorReady()),
        (EAGER, SupervisorReady()),
    ],
)
async def test_what_each_kind_of_supervisor_comes_to(
    desk: Desk, settings: BusSettings, number: str, told: Event
) -> None:
    async with worker(settings):
        await desk.join()
        await desk.wait_for(ConsultationJoined)
        await desk.dial(number)
        await desk.wait_for(AudioStreamEnabled)
        await desk.brief()
        assert await desk.wait_for(type(told)) == told
        await desk.leave()
        await desk.wait_for(ConsultationLeft)
    assert decisions(await desk.events()) == [told]
    said = await desk.said()
    if number == CURIOUS:
        assert said[3:6] == [QUESTION, sentences.ONLY_THE_CALL, QUESTION]
    if number == EAGER:
        assert said[:4] == [GREETING, *NARRATION, QUESTION]
    if number == VOICEMAIL:
        assert QUESTION not in said


async def test_a_supervisor_who_was_there_first_is_seen(desk: Desk, settings: BusSettings) -> None:
    await desk.dial(SILENT)
    await desk.cloud.wait_ledger(desk.room_id, "joined", 1)
    await asyncio.sleep(0.1)
    async with worker(settings):
        await desk.join()
        await desk.wait_for(AudioStreamEnabled, participant_id=desk.supervisor)
        await desk.leave()
        await desk.wait_for(ConsultationLeft)
    assert [type(event) for event in (await desk.events())[:3]] == [
        ConsultationJoined,
        ParticipantJoined,
        AudioStreamEnabled,
    ]


async def test_a_supervisor_who_walks_off_is_told(desk: Desk, settings: BusSettings) -> None:
    async with worker(settings):
        await desk.join()
        await desk.wait_for(ConsultationJoined)
        await desk.dial(GONE_MID_BRIEFING)
        await desk.wait_for(AudioStreamEnabled)
        await desk.brief()
        await desk.wait_for(ParticipantLeft, participant_id=desk.supervisor)
        await desk.leave()
        await desk.wait_for(ConsultationLeft)
    assert decisions(await desk.events()) == []


async def test_a_caller_who_is_moved_before_all_was_told_does_not_hear_what_was_said_of_them(
    desk: Desk, settings: BusSettings
) -> None:
    """Found by simulation: a briefing that took too long was to go on to the caller, and was told to them."""
    async with worker(settings):
        await desk.join()
        await desk.wait_for(ConsultationJoined)
        await desk.dial(SILENT)
        await desk.wait_for(AudioStreamEnabled, participant_id=desk.supervisor)
        await desk.brief("She wants a refund. " * 20)
        await desk.wait_said(GREETING)
        await desk.cloud.dial(desk.room_id, desk.caller, SILENT)
        await desk.wait_for(ParticipantJoined, participant_id=desk.caller)
        told = len(await desk.said())
        await asyncio.sleep(0.5)
        assert len(await desk.said()) <= told + 1, "the line that was being cut"
        await desk.leave()
        await desk.wait_for(ConsultationLeft)
    assert QUESTION not in await desk.said()


async def test_h11_h12_only_the_supervisors_own_words_count(desk: Desk, settings: BusSettings) -> None:
    async with worker(settings):
        await desk.join()
        await desk.wait_for(ConsultationJoined)
        await desk.dial(SILENT)
        await desk.cloud.dial(desk.room_id, "stranger", SILENT, name="Agent Supervisor")
        await desk.wait_for(AudioStreamEnabled, participant_id=desk.supervisor)
        await desk.wait_for(ParticipantJoined, participant_id="stranger")
        await desk.brief()
        await desk.wait_said(QUESTION)
        await desk.cloud.say("stranger", "Yes, I'm ready, put them through.")
        await desk.cloud.wait_ledger(desk.room_id, "speech", 5)
        assert decisions(await desk.events()) == []
        await desk.cloud.say(desk.supervisor, "Yes, go ahead.")
        await desk.wait_for(SupervisorReady)
        await desk.leave()
        await desk.wait_for(ConsultationLeft)
    heard = [event.participant_id for event in await desk.events() if isinstance(event, AudioStreamEnabled)]
    assert heard == [desk.supervisor]


async def test_who_comes_back_is_told_again(desk: Desk, settings: BusSettings) -> None:
    async with worker(settings):
        await desk.join()
        await desk.wait_for(ConsultationJoined)
        for times in (1, 2):
            await desk.dial(SILENT)
            await desk.wait_for(AudioStreamEnabled, count=times)
            await desk.cloud.hang_up(desk.supervisor)
            await desk.wait_for(ParticipantLeft, count=times, participant_id=desk.supervisor)
        await desk.leave()
        await desk.wait_for(ConsultationLeft)


async def test_a_late_order_is_excused_once(
    desk: Desk, settings: BusSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warmxfer.actors.briefing.dialogue_runner.FIRST_WORDS_AFTER_S", 0.1)
    async with worker(settings):
        await desk.join()
        await desk.wait_for(ConsultationJoined)
        await desk.dial(SILENT)
        await desk.wait_said(ONE_MOMENT)
        await desk.cloud.say(desk.supervisor, "Hello?")
        await asyncio.sleep(0.3)
        await desk.brief()
        await desk.wait_said(GREETING)
        await desk.leave()
        await desk.wait_for(ConsultationLeft)
    assert (await desk.said())[:2] == [ONE_MOMENT, GREETING]


async def test_silence_is_asked_into(
    desk: Desk, settings: BusSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warmxfer.actors.briefing.dialogue_runner.SILENCE_S", 0.1)
    async with worker(settings):
        await desk.join()
        await desk.wait_for(ConsultationJoined)
        await desk.dial(SILENT)
        await desk.brief()
        await desk.wait_said(QUESTION, count=4)
        await asyncio.sleep(0.5)
        assert (await desk.said()).count(QUESTION) == 4
        await desk.leave()
        await desk.wait_for(ConsultationLeft)
    assert decisions(await desk.events()) == []


async def test_told_to_leave_before_it_came_it_does_not_come(desk: Desk, settings: BusSettings) -> None:
    await desk.join()
    left = await desk.leave()
    async with worker(settings):
        assert (await desk.wait_for(ConsultationLeft)).command_id == left
    assert await desk.cloud.ledger(desk.room_id, "joined") == []


async def test_told_to_leave_at_a_shut_door_it_leaves_at_once(desk: Desk, settings: BusSettings) -> None:
    await desk.cloud.break_once("refuse", {"join": True}, times=0)
    async with worker(settings):
        await desk.join()
        await asyncio.sleep(0.3)
        await desk.leave()
        await desk.wait_for(ConsultationLeft, within_s=1)
    assert not any(isinstance(event, CommandFailed) for event in await desk.events())


async def test_a_door_that_opens_late_is_entered(desk: Desk, settings: BusSettings) -> None:
    await desk.cloud.break_once("refuse", {"join": True}, times=2)
    async with worker(settings):
        await desk.join()
        await desk.wait_for(ConsultationJoined)
        await desk.leave()
        await desk.wait_for(ConsultationLeft)


async def test_a_room_that_is_none_fails_the_command_and_the_leave_is_still_answered(
    desk: Desk, settings: BusSettings
) -> None:
    desk.room_id = "no-such-room"
    async with worker(settings):
        joined = await desk.join()
        failed = await desk.wait_for(CommandFailed)
        assert (failed.command_id, failed.failure) == (joined, FailureKind.REFUSED)
        assert "no-such-room" in failed.detail
        left = await desk.leave()
        assert (await desk.wait_for(ConsultationLeft)).command_id == left


async def test_a_room_that_closes_ends_it_and_the_leave_is_answered(
    desk: Desk, settings: BusSettings
) -> None:
    async with worker(settings):
        await desk.join()
        await desk.wait_for(ConsultationJoined)
        await desk.cloud.close_room(desk.room_id)
        await desk.leave()
        await desk.wait_for(ConsultationLeft)


async def test_nobody_stays_alone_for_ever(
    desk: Desk, settings: BusSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warmxfer.actors.briefing.consultation.ALONE_S", 0.2)
    monkeypatch.setattr("warmxfer.actors.briefing.consultation.LIVENESS_EVERY_S", 0.1)
    monkeypatch.setattr("warmxfer.actors.briefing.consultation.LIVENESS_TIMEOUT_S", 0.1)
    monkeypatch.setattr("warmxfer.actors.briefing.consultation.LEAVE_WAIT_S", 0.1)
    async with worker(settings):
        await desk.join()
        gone = await desk.cloud.wait_ledger(desk.room_id, "left", 1)
    assert gone[0]["participantId"] == desk.agent


async def test_an_agent_whose_order_to_leave_is_lost_leaves_when_the_transfer_is_over(
    desk: Desk, settings: BusSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waited alone in the room for ten minutes, and its place was taken from others for as long."""
    monkeypatch.setattr("warmxfer.actors.briefing.consultation.LIVENESS_EVERY_S", 0.1)
    monkeypatch.setattr("warmxfer.actors.briefing.consultation.LEAVE_WAIT_S", 0.1)
    live = True

    async def feel_pulse(_: LiveMessage) -> bytes:
        return encode(LivenessReply(live))

    async with desk.bus.serve(subjects.ASK_LIVENESS, feel_pulse), worker(settings):
        await desk.join()
        await desk.wait_for(ConsultationJoined)
        await asyncio.sleep(0.5)
        assert await desk.cloud.ledger(desk.room_id, "left") == []
        live = False
        gone = await desk.cloud.wait_ledger(desk.room_id, "left", 1)
    assert gone[0]["participantId"] == desk.agent


async def test_with_a_model_it_judges_and_answers(desk: Desk, settings: BusSettings) -> None:
    async with worker(settings, ModelSettings(f"{desk.cloud.url}/v1", "m", "k")):
        await desk.join()
        await desk.wait_for(ConsultationJoined)
        await desk.dial(READY)
        await desk.brief()
        await desk.wait_for(SupervisorReady)
        await desk.leave()
        await desk.wait_for(ConsultationLeft)


async def test_without_its_model_the_rules_decide(
    desk: Desk, settings: BusSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warmxfer.actors.briefing.reply.classifier.CLASSIFY_TIMEOUT_S", 0.2)
    await desk.cloud.break_once("hang", {"path": "/v1/chat/completions"}, times=0)
    async with worker(settings, ModelSettings(f"{desk.cloud.url}/v1", "m", "k")):
        await desk.join()
        await desk.wait_for(ConsultationJoined)
        await desk.dial(READY)
        await desk.brief()
        await desk.wait_for(SupervisorReady)
        await desk.leave()
        await desk.wait_for(ConsultationLeft)


async def test_no_word_of_the_call_is_logged(
    desk: Desk, settings: BusSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    async with worker(settings):
        await desk.join()
        await desk.wait_for(ConsultationJoined)
        await desk.dial(DECLINES)
        await desk.brief()
        await desk.wait_for(SupervisorDeclined)
        await desk.leave()
        await desk.wait_for(ConsultationLeft)
    logged = "".join(capsys.readouterr())
    assert "supervisor_decided" in logged
    assert not any(word in logged for word in ("Ann", "charged", "meeting", DECLINES, SUMMARY))


async def test_an_order_nobody_can_read_does_no_harm(desk: Desk, settings: BusSettings) -> None:
    async with worker(settings):
        await desk.join()
        await desk.wait_for(ConsultationJoined)
        await desk.bus.publish(subjects.consult(desk.id), b"nonsense")
        await desk.leave()
        await desk.wait_for(ConsultationLeft)


def test_settings_come_from_the_environment() -> None:
    assert BriefingSettings.from_env({}) == BriefingSettings(RoomSettings(), None, 50)
    with pytest.raises(
        InvalidRequest, match="WARMXFER_BRIEFING_JOBS is 'many'; give a whole number from 1 to 512"
    ):
        BriefingSettings.from_env({"WARMXFER_BRIEFING_JOBS": "many"})
    with pytest.raises(InvalidRequest, match="WARMXFER_VOICE"):
        BriefingSettings.from_env({"WARMXFER_VOICE": "phone"})
