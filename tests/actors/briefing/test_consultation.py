"""Whole consultations on a real bus, in a room of the sandbox with scripted people."""

from __future__ import annotations

import asyncio
import time
from typing import Literal

import pytest
from structlog.testing import capture_logs

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
    SpokenLines,
    SupervisorDeclined,
    SupervisorReady,
    VoicemailDetected,
    encode,
)

from .conftest import (
    CONNECTING,
    GREETING,
    ONE_MOMENT,
    QUESTION,
    SUMMARY,
    UNDERSTOOD,
    ConsultationDriver,
    briefing_worker,
)

READY, NO_ANSWER, VOICEMAIL, DECLINES = (f"+1415555010{n}" for n in (1, 3, 5, 6))
PRESSES_ONE, PRESSES_TWO, PRESSES_EARLY, GERMAN_WITH_KEY, SCREENED = (
    f"+141555501{n}" for n in ("21", "22", "23", "24", "25")
)
FOREIGN_MAILBOX, LONG_MAILBOX, HELD_IN_QUEUE = (f"+141555501{n}" for n in ("26", "27", "29"))
HANGS_UP_WHILE_BRIEFED, SILENT, CURIOUS, EAGER = (f"+141555501{n}" for n in ("08", "11", "12", "13"))
DECISIONS = (SupervisorReady, SupervisorDeclined, VoicemailDetected)
NEVER_DUE_S, AT_ONCE_S = 60.0, 10.0
REFUSAL = "No, sorry, I can't take this call right now, I am in a meeting."
NARRATION = ["Ann was charged twice.", "She wants one charge refunded."]


def decisions(events: list[Event]) -> list[Event]:
    return [event for event in events if isinstance(event, DECISIONS)]


async def test_a_ready_supervisor_is_briefed_and_asked_and_connected(
    driver: ConsultationDriver, settings: BusSettings
) -> None:
    async with briefing_worker(settings):
        join_id = await driver.join()
        assert (await driver.wait_for(ConsultationJoined)).command_id == join_id
        await driver.dial(READY)
        await driver.wait_for(AudioStreamEnabled, participant_id=driver.supervisor)
        await driver.brief()
        await driver.wait_for(SupervisorReady)
        await driver.wait_said(CONNECTING)
        leave_id = await driver.leave()
        assert (await driver.wait_for(ConsultationLeft)).command_id == leave_id
    assert await driver.said() == [GREETING, *NARRATION, QUESTION, CONNECTING]
    assert [type(event) for event in await driver.events()] == [
        ConsultationJoined,
        ParticipantJoined,
        AudioStreamEnabled,
        SupervisorReady,
        ConsultationLeft,
    ]
    left_entries = await driver.cloud.wait_ledger(driver.room_id, "left", 1)
    assert (left_entries[0]["participantId"], left_entries[0]["reason"]) == (driver.agent, "user-left")


async def test_the_greeting_follows_the_briefing_command_at_once(
    driver: ConsultationDriver, settings: BusSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits for no timer of the dialogue, and for no repeated read of the commands."""
    monkeypatch.setattr("warmxfer.actors.briefing.dialogue_runner.ONE_MOMENT_AFTER_S", NEVER_DUE_S)
    monkeypatch.setattr("warmxfer.actors.briefing.dialogue_runner.SILENCE_S", NEVER_DUE_S)
    monkeypatch.setattr("warmxfer.bus.polling.REREAD_PAUSES_S", (NEVER_DUE_S,))
    async with briefing_worker(settings):
        await driver.join()
        await driver.wait_for(ConsultationJoined)
        await driver.dial(SILENT)
        await driver.wait_for(AudioStreamEnabled)
        briefed_at = await driver.brief()
        await driver.wait_said(GREETING)
        assert time.monotonic() - briefed_at < AT_ONCE_S


@pytest.mark.parametrize(
    ("number", "event"),
    [
        (
            DECLINES,
            SupervisorDeclined(reason="No, sorry, I can't take this call right now, I am in a meeting."),
        ),
        (VOICEMAIL, VoicemailDetected()),
        (CURIOUS, SupervisorReady(by="voice", words="Yes, I'm ready, put them through.")),
        (EAGER, SupervisorReady(by="voice", words="Yes.")),
    ],
)
async def test_each_kind_of_supervisor_leads_to_its_decision(
    driver: ConsultationDriver, settings: BusSettings, number: str, event: Event
) -> None:
    async with briefing_worker(settings):
        await driver.join()
        await driver.wait_for(ConsultationJoined)
        await driver.dial(number)
        await driver.wait_for(AudioStreamEnabled)
        await driver.brief()
        assert await driver.wait_for(type(event)) == event
        await driver.leave()
        await driver.wait_for(ConsultationLeft)
    assert decisions(await driver.events()) == [event]
    said = await driver.said()
    if number == CURIOUS:
        assert said[3:6] == [QUESTION, sentences.ANSWER_UNAVAILABLE, QUESTION]
    if number == EAGER:
        assert said[:4] == [GREETING, *NARRATION, QUESTION]
    if number == VOICEMAIL:
        assert QUESTION not in said


async def test_a_supervisor_who_joined_before_the_agent_is_published(
    driver: ConsultationDriver, settings: BusSettings
) -> None:
    await driver.dial(SILENT)
    await driver.cloud.wait_ledger(driver.room_id, "joined", 1)
    await asyncio.sleep(0.1)
    async with briefing_worker(settings):
        await driver.join()
        await driver.wait_for(AudioStreamEnabled, participant_id=driver.supervisor)
        await driver.leave()
        await driver.wait_for(ConsultationLeft)
    assert [type(event) for event in await driver.events()] == [
        ConsultationJoined,
        AudioStreamEnabled,
        ConsultationLeft,
    ]


async def test_a_supervisor_who_hangs_up_is_published_as_left(
    driver: ConsultationDriver, settings: BusSettings
) -> None:
    async with briefing_worker(settings):
        await driver.join()
        await driver.wait_for(ConsultationJoined)
        await driver.dial(HANGS_UP_WHILE_BRIEFED)
        await driver.wait_for(AudioStreamEnabled)
        await driver.brief()
        await driver.wait_for(ParticipantLeft, participant_id=driver.supervisor)
        await driver.leave()
        await driver.wait_for(ConsultationLeft)
    assert decisions(await driver.events()) == []


async def test_a_caller_who_joins_during_the_briefing_does_not_hear_the_rest_of_it(
    driver: ConsultationDriver, settings: BusSettings
) -> None:
    """Found by simulation: a briefing continued after its time limit, and the caller heard the rest."""
    async with briefing_worker(settings):
        await driver.join()
        await driver.wait_for(ConsultationJoined)
        await driver.dial(SILENT)
        await driver.person_answers()
        await driver.brief("She wants a refund. " * 190)
        await driver.wait_said(GREETING)
        await driver.cloud.dial(driver.room_id, driver.caller, SILENT)
        await driver.wait_for(ParticipantJoined, participant_id=driver.caller)
        said_before = len(await driver.said())
        await asyncio.sleep(0.5)
        assert len(await driver.said()) <= said_before + 1, "the line that was being cut"
        await driver.leave()
        await driver.wait_for(ConsultationLeft)
    assert QUESTION not in await driver.said()


async def test_h11_h12_only_the_supervisors_own_words_count(
    driver: ConsultationDriver, settings: BusSettings
) -> None:
    async with briefing_worker(settings):
        await driver.join()
        await driver.wait_for(ConsultationJoined)
        await driver.dial(SILENT)
        await driver.person_answers()
        await driver.brief()
        await driver.wait_said(QUESTION)
        await driver.cloud.dial(driver.room_id, "stranger", SILENT, name="Agent Supervisor")
        await driver.wait_for(ParticipantJoined, participant_id="stranger")
        await driver.cloud.say("stranger", "Yes, I'm ready, put them through.")
        await driver.cloud.wait_ledger(driver.room_id, "speech", 5)
        assert decisions(await driver.events()) == []
        await driver.cloud.say(driver.supervisor, "Yes, go ahead.")
        await driver.wait_for(SupervisorReady)
        await driver.leave()
        await driver.wait_for(ConsultationLeft)
    audible_ids = [
        event.participant_id for event in await driver.events() if isinstance(event, AudioStreamEnabled)
    ]
    assert audible_ids == [driver.supervisor]


async def test_a_supervisor_who_returns_is_published_again(
    driver: ConsultationDriver, settings: BusSettings
) -> None:
    async with briefing_worker(settings):
        await driver.join()
        await driver.wait_for(ConsultationJoined)
        for visit in (1, 2):
            await driver.dial(SILENT)
            await driver.wait_for(AudioStreamEnabled, count=visit)
            await driver.cloud.hang_up(driver.supervisor)
            await driver.wait_for(ParticipantLeft, count=visit, participant_id=driver.supervisor)
        await driver.leave()
        await driver.wait_for(ConsultationLeft)


async def test_the_one_moment_line_is_said_once_while_the_briefing_is_late(
    driver: ConsultationDriver, settings: BusSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warmxfer.actors.briefing.dialogue_runner.ONE_MOMENT_AFTER_S", 0.1)
    async with briefing_worker(settings):
        await driver.join()
        await driver.wait_for(ConsultationJoined)
        await driver.dial(SILENT)
        await driver.wait_said(ONE_MOMENT)
        await driver.cloud.say(driver.supervisor, "Hello?")
        await asyncio.sleep(0.3)
        await driver.brief()
        await driver.wait_said(GREETING)
        await driver.leave()
        await driver.wait_for(ConsultationLeft)
    assert (await driver.said())[:2] == [ONE_MOMENT, GREETING]


async def test_nothing_private_is_said_to_a_silent_line_or_while_a_stranger_is_there(
    driver: ConsultationDriver, settings: BusSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warmxfer.actors.briefing.dialogue_runner.SILENCE_S", 0.1)
    async with briefing_worker(settings):
        await driver.join()
        await driver.wait_for(ConsultationJoined)
        await driver.dial(SILENT)
        await driver.brief()
        identify = SpokenLines().identify
        await driver.wait_said(identify, count=3)
        assert await driver.said() == [GREETING, *[identify] * 3]
        stranger_call = await driver.cloud.dial(driver.room_id, "stranger", SILENT)
        await driver.wait_for(ParticipantJoined, participant_id="stranger")
        await driver.person_answers()
        await asyncio.sleep(0.3)
        assert not set(NARRATION) & set(await driver.said())
        await driver.cloud.hang_up("stranger")
        assert stranger_call
        await driver.wait_said(QUESTION)
        assert set(NARRATION) <= set(await driver.said())
        await driver.leave()
        await driver.wait_for(ConsultationLeft)


@pytest.mark.parametrize(
    ("number", "event"),
    [
        (PRESSES_ONE, SupervisorReady(by="key", words="1")),
        (PRESSES_TWO, SupervisorDeclined(reason="pressed 2")),
        (PRESSES_EARLY, SupervisorDeclined(reason="pressed 2")),
        (GERMAN_WITH_KEY, SupervisorReady(by="key", words="1")),
        (FOREIGN_MAILBOX, VoicemailDetected()),
        (LONG_MAILBOX, VoicemailDetected()),
        (SCREENED, SupervisorReady(by="voice", words="Yes, I'm ready, put them through.")),
        (HELD_IN_QUEUE, SupervisorReady(by="voice", words="Yes, I'm ready, put them through.")),
    ],
)
async def test_each_kind_of_line_leads_to_its_decision(
    driver: ConsultationDriver, settings: BusSettings, number: str, event: Event
) -> None:
    async with briefing_worker(settings):
        await driver.join()
        await driver.wait_for(ConsultationJoined)
        await driver.dial(number)
        await driver.wait_for(AudioStreamEnabled)
        await driver.brief(accept_by="either")
        assert await driver.wait_for(type(event)) == event
        await driver.leave()
        await driver.wait_for(ConsultationLeft)
    said = await driver.said()
    if isinstance(event, VoicemailDetected):
        assert not set(NARRATION) & set(said)
    if number in (SCREENED, HELD_IN_QUEUE):
        start = len(said) - 1 - said[::-1].index(GREETING)
        assert said[start : start + 1 + len(NARRATION)] == [GREETING, *NARRATION]
        assert not set(NARRATION) & set(said[:start])


@pytest.mark.parametrize(("kind", "decided"), [("drop", False), ("duplicate", True), ("delay", True)])
async def test_a_lost_doubled_or_late_key_moves_nobody_twice(
    driver: ConsultationDriver, settings: BusSettings, kind: str, decided: bool
) -> None:
    async with briefing_worker(settings):
        await driver.join()
        await driver.wait_for(ConsultationJoined)
        await driver.dial(SILENT)
        await driver.cloud.press(driver.supervisor, "1")
        await driver.person_answers()
        await driver.brief(accept_by="key")
        await driver.wait_said(QUESTION)
        await driver.cloud.say(driver.supervisor, "Yes, I'm ready.")
        await driver.wait_said(SpokenLines().confirm)
        assert decisions(await driver.events()) == [], "a yes in words, or a key before the first line"
        await driver.cloud.break_once(kind, {"key": True}, delayS=1.0)
        await driver.cloud.press(driver.supervisor, "1")
        if decided:
            await driver.wait_for(SupervisorReady, by="key")
        else:
            await asyncio.sleep(0.3)
        await driver.leave()
        await driver.wait_for(ConsultationLeft)
    assert len(decisions(await driver.events())) == int(decided)


@pytest.mark.parametrize(("accept_by", "level"), [("key", "warning"), ("either", "info")])
async def test_words_count_in_a_room_that_reports_no_keys_and_the_log_says_so(
    driver: ConsultationDriver,
    settings: BusSettings,
    monkeypatch: pytest.MonkeyPatch,
    accept_by: Literal["either", "key"],
    level: str,
) -> None:
    monkeypatch.setattr("warmxfer.adapters.rooms.sandbox.client.SandboxRoomClient.reports_keys", False)
    with capture_logs() as logs:
        async with briefing_worker(settings):
            await driver.join()
            await driver.wait_for(ConsultationJoined)
            await driver.dial(READY)
            await driver.brief(accept_by=accept_by)
            await driver.wait_for(SupervisorReady, by="voice")
            await driver.leave()
            await driver.wait_for(ConsultationLeft)
    told = [(each["log_level"], each["used"]) for each in logs if each["event"] == "keys_not_reported"]
    assert told == [(level, "voice")]
    assert SpokenLines().keys not in await driver.said(), "a key is offered that nothing reports"


async def test_a_notice_is_said_whole_in_place_of_the_briefing_before_the_agent_leaves(
    driver: ConsultationDriver, settings: BusSettings
) -> None:
    notice = SpokenLines().caller_left
    async with briefing_worker(settings):
        await driver.join()
        await driver.wait_for(ConsultationJoined)
        await driver.dial(SILENT)
        await driver.wait_for(AudioStreamEnabled)
        await driver.brief(summary="A long story. " * 280)
        await driver.cloud.say(driver.supervisor, "Hello?")
        await driver.wait_said(GREETING)
        await driver.leave(notice, finish_s=6.0)
        await driver.wait_for(ConsultationLeft)
    assert (await driver.said())[-1] == notice
    assert QUESTION not in await driver.said()


async def test_a_notice_that_takes_too_long_ends_with_its_time(
    driver: ConsultationDriver, settings: BusSettings
) -> None:
    async with briefing_worker(settings):
        await driver.join()
        await driver.wait_for(ConsultationJoined)
        await driver.dial(SILENT)
        await driver.wait_for(AudioStreamEnabled)
        began_at = time.monotonic()
        await driver.leave("on and on " * 50, finish_s=0.3)
        await driver.wait_for(ConsultationLeft)
    assert time.monotonic() - began_at >= 0.3


async def test_the_line_after_a_no_is_said_whole(driver: ConsultationDriver, settings: BusSettings) -> None:
    async with briefing_worker(settings):
        await driver.join()
        await driver.wait_for(ConsultationJoined)
        await driver.dial(DECLINES)
        await driver.wait_for(AudioStreamEnabled)
        await driver.brief()
        await driver.wait_for(SupervisorDeclined)
        await driver.leave(finish_s=6.0)
        await driver.wait_for(ConsultationLeft)
    assert (await driver.said())[-1] == UNDERSTOOD


async def test_the_question_is_repeated_three_times_after_silence(
    driver: ConsultationDriver, settings: BusSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warmxfer.actors.briefing.dialogue_runner.SILENCE_S", 0.1)
    async with briefing_worker(settings):
        await driver.join()
        await driver.wait_for(ConsultationJoined)
        await driver.dial(SILENT)
        await driver.person_answers()
        await driver.brief()
        await driver.wait_said(QUESTION, count=4)
        await asyncio.sleep(0.5)
        assert (await driver.said()).count(QUESTION) == 4
        await driver.leave()
        await driver.wait_for(ConsultationLeft)
    assert decisions(await driver.events()) == []


async def test_an_agent_told_to_leave_before_it_joined_does_not_join(
    driver: ConsultationDriver, settings: BusSettings
) -> None:
    await driver.join()
    leave_id = await driver.leave()
    async with briefing_worker(settings):
        assert (await driver.wait_for(ConsultationLeft)).command_id == leave_id
    assert await driver.cloud.ledger(driver.room_id, "joined") == []


async def test_an_agent_told_to_leave_while_joining_fails_replies_at_once(
    driver: ConsultationDriver, settings: BusSettings
) -> None:
    await driver.cloud.break_once("refuse", {"join": True}, times=0)
    async with briefing_worker(settings):
        await driver.join()
        await asyncio.sleep(0.3)
        await driver.leave()
        await driver.wait_for(ConsultationLeft)
    assert not any(isinstance(event, CommandFailed) for event in await driver.events())


async def test_a_refused_join_is_retried(driver: ConsultationDriver, settings: BusSettings) -> None:
    await driver.cloud.break_once("refuse", {"join": True}, times=2)
    async with briefing_worker(settings):
        await driver.join()
        await driver.wait_for(ConsultationJoined)
        await driver.leave()
        await driver.wait_for(ConsultationLeft)


async def test_an_unknown_room_fails_the_command_and_the_leave_command_still_gets_a_reply(
    driver: ConsultationDriver, settings: BusSettings
) -> None:
    driver.room_id = "no-such-room"
    async with briefing_worker(settings):
        join_id = await driver.join()
        reply = await driver.wait_for(CommandFailed)
        assert (reply.command_id, reply.failure) == (join_id, FailureKind.REFUSED)
        assert "no-such-room" in reply.detail
        leave_id = await driver.leave()
        assert (await driver.wait_for(ConsultationLeft)).command_id == leave_id


async def test_a_closed_room_ends_the_consultation_and_the_leave_command_gets_a_reply(
    driver: ConsultationDriver, settings: BusSettings
) -> None:
    async with briefing_worker(settings):
        await driver.join()
        await driver.wait_for(ConsultationJoined)
        await driver.cloud.close_room(driver.room_id)
        await driver.leave()
        await driver.wait_for(ConsultationLeft)


async def test_an_agent_that_is_alone_leaves_after_the_time_limit(
    driver: ConsultationDriver, settings: BusSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warmxfer.actors.briefing.consultation.MAX_ALONE_S", 0.2)
    monkeypatch.setattr("warmxfer.actors.briefing.consultation.LIVENESS_INTERVAL_S", 0.1)
    monkeypatch.setattr("warmxfer.actors.briefing.consultation.LIVENESS_TIMEOUT_S", 0.1)
    monkeypatch.setattr("warmxfer.actors.briefing.consultation.LEAVE_WAIT_S", 0.1)
    async with briefing_worker(settings):
        await driver.join()
        left_entries = await driver.cloud.wait_ledger(driver.room_id, "left", 1)
    assert left_entries[0]["participantId"] == driver.agent


async def test_an_agent_that_missed_the_leave_command_leaves_when_the_transfer_is_over(
    driver: ConsultationDriver, settings: BusSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before, the agent stayed alone for ten minutes, and used a job of its worker for as long."""
    monkeypatch.setattr("warmxfer.actors.briefing.consultation.LIVENESS_INTERVAL_S", 0.1)
    monkeypatch.setattr("warmxfer.actors.briefing.consultation.LEAVE_WAIT_S", 0.1)
    live = True

    async def answer_liveness(_: LiveMessage) -> bytes:
        return encode(LivenessReply(live))

    async with driver.bus.serve(subjects.ASK_LIVENESS, answer_liveness), briefing_worker(settings):
        await driver.join()
        await driver.wait_for(ConsultationJoined)
        await asyncio.sleep(0.5)
        assert await driver.cloud.ledger(driver.room_id, "left") == []
        live = False
        left_entries = await driver.cloud.wait_ledger(driver.room_id, "left", 1)
    assert left_entries[0]["participantId"] == driver.agent


async def test_an_agent_whose_transfer_is_lost_leaves_although_the_supervisor_is_there(
    driver: ConsultationDriver, settings: BusSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a purge or a lost stream no command ends the consultation. Before, only an agent that was alone
    asked; an agent beside a supervisor stayed for an hour.
    """
    monkeypatch.setattr("warmxfer.actors.briefing.consultation.LIVENESS_INTERVAL_S", 0.1)
    monkeypatch.setattr("warmxfer.actors.briefing.consultation.LEAVE_WAIT_S", 0.1)
    replies = iter((True, False, True, *[False] * 1_000))

    async def answer_liveness(_: LiveMessage) -> bytes:
        return encode(LivenessReply(next(replies)))

    async with briefing_worker(settings):
        await driver.join()
        await driver.wait_for(ConsultationJoined)
        await driver.dial(SILENT)
        await driver.wait_for(ParticipantJoined, participant_id=driver.supervisor)
        await asyncio.sleep(0.3)
        assert await driver.cloud.ledger(driver.room_id, "left") == [], "no coordinator has replied"
        async with driver.bus.serve(subjects.ASK_LIVENESS, answer_liveness):
            left_entries = await driver.cloud.wait_ledger(driver.room_id, "left", 1)
    assert [each["participantId"] for each in left_entries] == [driver.agent]
    assert next(replies) is False, "four replies at least: one negative reply alone is not enough"


async def test_a_model_classifies_the_reply(driver: ConsultationDriver, settings: BusSettings) -> None:
    async with briefing_worker(settings, ModelSettings(f"{driver.cloud.url}/v1", "m", "k")):
        await driver.join()
        await driver.wait_for(ConsultationJoined)
        await driver.dial(READY)
        await driver.brief()
        await driver.wait_for(SupervisorReady)
        await driver.leave()
        await driver.wait_for(ConsultationLeft)


async def test_the_rules_decide_when_the_model_does_not_answer(
    driver: ConsultationDriver, settings: BusSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warmxfer.actors.briefing.reply.classifier.CLASSIFY_TIMEOUT_S", 0.2)
    await driver.cloud.break_once("hang", {"path": "/v1/chat/completions"}, times=0)
    async with briefing_worker(settings, ModelSettings(f"{driver.cloud.url}/v1", "m", "k")):
        await driver.join()
        await driver.wait_for(ConsultationJoined)
        await driver.dial(READY)
        await driver.brief()
        await driver.wait_for(SupervisorReady)
        await driver.leave()
        await driver.wait_for(ConsultationLeft)


async def test_no_word_of_the_call_is_logged(
    driver: ConsultationDriver, settings: BusSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    async with briefing_worker(settings):
        await driver.join()
        await driver.wait_for(ConsultationJoined)
        await driver.dial(DECLINES)
        await driver.brief()
        await driver.wait_for(SupervisorDeclined)
        await driver.leave()
        await driver.wait_for(ConsultationLeft)
    logged = "".join(capsys.readouterr())
    assert "supervisor_decided" in logged
    assert not any(word in logged for word in ("Ann", "charged", "meeting", DECLINES, SUMMARY))


async def test_an_undecodable_command_is_ignored(driver: ConsultationDriver, settings: BusSettings) -> None:
    async with briefing_worker(settings):
        await driver.join()
        await driver.wait_for(ConsultationJoined)
        await driver.bus.publish(subjects.consult(driver.id), b"nonsense")
        await driver.leave()
        await driver.wait_for(ConsultationLeft)


@pytest.mark.parametrize(("env", "warned"), [({}, True), ({"WARMXFER_VOICE": "sandbox"}, False)])
def test_a_worker_that_joins_sandbox_rooms_only_by_default_says_so(env: dict[str, str], warned: bool) -> None:
    """Without it a worker for the real cloud started without complaint, and joined no room."""
    with capture_logs() as logs:
        BriefingSettings.from_env(env)
    assert [each["event"] for each in logs] == ["voice_not_set"] * warned


def test_settings_come_from_the_environment() -> None:
    assert BriefingSettings.from_env({}) == BriefingSettings(RoomSettings(), None, 50)
    with pytest.raises(
        InvalidRequest, match="WARMXFER_BRIEFING_JOBS is 'many'; give a whole number from 1 to 512"
    ):
        BriefingSettings.from_env({"WARMXFER_BRIEFING_JOBS": "many"})
    with pytest.raises(InvalidRequest, match="WARMXFER_VOICE"):
        BriefingSettings.from_env({"WARMXFER_VOICE": "phone"})
