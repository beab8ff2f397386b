"""The briefing agent's presence in a room of VideoSDK: the real framework, an offline meeting."""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from types import SimpleNamespace
from typing import Any

import httpx
import numpy
import pytest
from videosdk import room_client
from videosdk.agents import EOUConfig, Pipeline
from videosdk.agents.stt.stt import SpeechEventType

from warmxfer.adapters.rooms import (
    AudioStarted,
    Disconnected,
    DisconnectReason,
    ParticipantJoinedRoom,
    ParticipantLeftRoom,
    RoomClient,
    RoomParticipant,
    RoomSnapshot,
    SpeechEnded,
    UtteranceHeard,
    VoicemailSuspected,
)
from warmxfer.adapters.rooms.videosdk.agent_session import silence_framework_logs
from warmxfer.schemas import InvalidRequest, RetryableError

from .consultation_fixture import AGENT, SUPERVISOR, TICKET, Consultation, joined, nowhere, offline, until
from .offline import Ear, Meeting, Mind, Mouth, Realtime


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Consultation:
    return offline(monkeypatch, Consultation())


# ── the door ─────────────────────────────────────────────────────────────────────────────────────


async def test_it_joins_as_who_it_was_told_to_be_with_the_token_of_that_room(scene: Consultation) -> None:
    config: dict[str, Any] = {}

    def opened(given: dict[str, Any]) -> Meeting:
        config.update(given)
        return Meeting(**given)

    scene.opens = opened
    async with joined(scene) as (_, presence, _):
        assert presence == RoomSnapshot("room-1", "session-room-1", ())
        assert (config["meeting_id"], config["participant_id"]) == ("room-1", AGENT)
        assert (config["token"], config["signaling_base_url"]) == (TICKET.token, "api.videosdk.live")
    assert scene.meeting.left


async def test_h5_a_supervisor_who_was_there_first_is_seen_and_heard(scene: Consultation) -> None:
    class Early(Meeting):
        async def async_join(self) -> None:
            self.joins(SUPERVISOR)
            await super().async_join()

    scene.opens = lambda config: Early(**config)
    async with joined(scene) as (_, presence, notes):
        assert presence.participants == (RoomParticipant(SUPERVISOR, "Ann", audible=True),)
        await scene.ear.hears("Hello?")
        await notes.wait_for(UtteranceHeard(SUPERVISOR, "Hello?"))


async def test_a_door_that_does_not_open_is_worth_a_retry(
    scene: Consultation, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Shut(Meeting):
        async def async_join(self) -> None:
            self._tell("on_error", "Failed to Join in the Meeting")

    class Silent(Meeting):
        async def async_join(self) -> None:
            await asyncio.sleep(0)

    class Broken(Meeting):
        async def async_join(self) -> None:
            raise ConnectionError("no signal today")

    monkeypatch.setattr("warmxfer.adapters.rooms.videosdk.client.JOIN_TIMEOUT_S", 0.2)
    voice = scene.voice()
    for kind in (Shut, Silent, Broken):
        scene.opens = lambda config, kind=kind: kind(**config)
        with pytest.raises(RetryableError, match="room-1"):
            await voice.join()
        assert scene.meeting.left
    scene.opens = lambda config: Meeting(**config)
    assert await voice.join() == RoomSnapshot("room-1", "session-room-1", ())
    await voice.leave()


async def test_h18_the_library_that_asks_where_the_room_is_is_told_what_we_know(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[str, ...]] = []
    told: list[str] = []

    async def servers(*about: str) -> httpx.Response:
        asked.append(about)
        return await nowhere(*about)

    class Meticulous(Meeting):
        async def async_join(self) -> None:
            """Asks as the library does, on the loop."""
            told.append(room_client.get_server_config("room-1", "token", "no.such.host")["base_url"])
            await super().async_join()

    scene = offline(monkeypatch, Consultation(servers=servers))
    scene.opens = lambda config: Meticulous(**config)
    async with joined(scene):
        assert told == ["nowhere"]
    assert asked == [("room-1", TICKET.token, "api.videosdk.live")]


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (dict, "'ours:briefing', which returned a dict; return a videosdk Pipeline"),
        (lambda: 1 / 0, "'ours:briefing', which raised ZeroDivisionError"),
        (lambda: Pipeline(llm=Realtime()), "'ours:briefing', whose pipeline does not say what it is told"),
        (lambda: Pipeline(stt=Ear(), llm=Mind()), "give it an stt and a tts"),
    ],
)
async def test_a_factory_that_makes_no_fit_pipeline_is_refused(
    scene: Consultation, made: Any, sentence: str
) -> None:
    scene.made = made
    voice = scene.voice()
    with pytest.raises(InvalidRequest) as refusal:
        await voice.join()
    assert str(refusal.value).startswith("WARMXFER_BRIEFING_PIPELINE is ")
    assert sentence in str(refusal.value)
    assert scene.meetings == [], "nobody was in the room"
    await voice.leave()


async def test_every_session_is_one_of_its_own(scene: Consultation) -> None:
    async with joined(scene) as (_, _, notes):
        first, ear = scene.meeting, scene.ear
        async with joined(scene) as (_, _, others):
            scene.meeting.joins(SUPERVISOR)
            await others.wait_for(AudioStarted(SUPERVISOR))
            await ear.hears("In the first room.")
            await scene.ear.hears("In the second.")
            await others.wait_for(UtteranceHeard(SUPERVISOR, "In the second."))
        assert notes.seen == [UtteranceHeard(SUPERVISOR, "In the first room.")]
        assert not first.left


# ── who is there ─────────────────────────────────────────────────────────────────────────────────


async def test_who_comes_is_heard_and_goes_is_told_in_that_order(scene: Consultation) -> None:
    async with joined(scene) as (_, _, notes):
        scene.meeting.joins(SUPERVISOR, "Sue", heard=False)
        scene.meeting.is_heard(SUPERVISOR)
        scene.meeting.leaves(SUPERVISOR)
        scene.meeting.joins(SUPERVISOR, "Sue", heard=False)
        came = ParticipantJoinedRoom(RoomParticipant(SUPERVISOR, "Sue"))
        await until(lambda: len(notes.seen) == 4)
        assert notes.seen == [came, AudioStarted(SUPERVISOR), ParticipantLeftRoom(SUPERVISOR), came]


class Spoken:
    """A track with frames in it."""

    def __init__(self, audio: bytes) -> None:
        self.audio = audio

    async def recv(self) -> Any:
        await asyncio.sleep(0.01)
        return self

    def to_ndarray(self) -> Any:
        return numpy.frombuffer(self.audio, dtype=numpy.int16).reshape(1, -1)

    sample_rate = 48_000
    layout = SimpleNamespace(channels=(1,), nb_channels=1)


async def test_h11_h12_only_the_supervisor_is_listened_to_whatever_anybody_is_called(
    scene: Consultation, monkeypatch: pytest.MonkeyPatch
) -> None:
    speech = {f"audio-{SUPERVISOR}": b"\x01\x02" * 480, "audio-stranger": b"\x03\x04" * 480}

    def heard(self: Meeting, id: str) -> None:
        stream = type(
            "Stream", (), {"id": f"audio-{id}", "kind": "audio", "track": Spoken(speech[f"audio-{id}"])}
        )
        for handler in self.participants[id].handlers:
            self._context.run(handler.on_stream_enabled, stream)

    monkeypatch.setattr(Meeting, "is_heard", heard)
    async with joined(scene) as (_, _, notes):
        scene.meeting.joins("stranger", "Ann")
        scene.meeting.joins(SUPERVISOR, "Agent Smith")
        await notes.wait_for(AudioStarted(SUPERVISOR))
        await until(lambda: len(scene.ear.audio) > 3)
        assert set(scene.ear.audio) == {speech[f"audio-{SUPERVISOR}"]}
        scene.meeting.leaves(SUPERVISOR)
        await asyncio.sleep(0.05)
        heard_so_far = len(scene.ear.audio)
        await asyncio.sleep(0.05)
        assert len(scene.ear.audio) == heard_so_far, "who left is not listened to"


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (("on_meeting_left", {}), DisconnectReason.REPLACED),
        (("on_error", "Internal socket Error"), DisconnectReason.LOST),
    ],
)
async def test_being_put_out_and_losing_the_line_are_the_last_event(
    scene: Consultation, told: tuple[str, Any], reason: DisconnectReason
) -> None:
    async with joined(scene) as (voice, _, notes):
        scene.meeting._tell("on_error", "Not Able to Start Transcription")
        talking = voice.say("Still here.")
        scene.meeting._tell(*told)
        await asyncio.wait_for(notes.reading, 2)
        assert notes.seen == [SpeechEnded(talking.id, True), Disconnected(reason)]
        assert await voice.say("Anybody?") is True


# ── speaking ─────────────────────────────────────────────────────────────────────────────────────


async def test_lines_are_said_one_after_the_other_to_their_end(scene: Consultation) -> None:
    scene.mouth = Mouth(speech_s=0.05)
    async with joined(scene) as (voice, _, notes):
        first, second = voice.say("Good morning."), voice.say("Ann was charged twice.")
        assert (await second, first.ended.done()) == (False, True)
        assert scene.mouth.has_said("Good morning.")
        assert scene.mouth.has_said("Ann was charged twice.")
        assert notes.seen == [SpeechEnded(first.id, False), SpeechEnded(second.id, False)]


async def test_interrupting_cuts_what_may_be_cut_and_drops_what_was_behind(scene: Consultation) -> None:
    scene.mouth = Mouth(speech_s=1.0)
    async with joined(scene) as (voice, _, _):
        spoken, waiting, firm = voice.say("One."), voice.say("Two."), voice.say("Three.", interruptible=False)
        await until(lambda: scene.mouth.said == ["One."])
        began_s = time.monotonic()
        voice.interrupt()
        assert (spoken.ended.result(), waiting.ended.result()) == (True, True)
        assert await firm is False
        assert time.monotonic() - began_s < 1.8, "nothing was waited for that was cut"
        assert scene.mouth.said == ["One.", "Three."]


async def test_a_supervisor_may_talk_over_one_line_and_over_the_next(scene: Consultation) -> None:
    scene.mouth = Mouth(speech_s=30.0)
    async with joined(scene) as (voice, _, _):
        scene.meeting.joins(SUPERVISOR)
        for line in ("First.", "Second."):
            talking = voice.say(line)
            await until(lambda line=line: scene.mouth.has_said(line))
            await scene.ear.hears("Hold on please", SpeechEventType.INTERIM)
            async with asyncio.timeout(1):
                assert await talking is True
        assert scene.mouth.said == ["First.", "Second."]


async def test_a_firm_line_is_not_talked_over_not_even_before_it_is_heard(scene: Consultation) -> None:
    scene.mouth = Mouth(speech_s=1.0, first_byte_s=1.5)
    async with joined(scene) as (voice, _, notes):
        scene.meeting.joins(SUPERVISOR)
        began_s = time.monotonic()
        firm = voice.say("Stand by.", interruptible=False)
        await scene.ear.hears("Before the first byte.")
        await notes.wait_for(UtteranceHeard(SUPERVISOR, "Before the first byte."))
        assert time.monotonic() - began_s < 1.5
        await asyncio.sleep(1.2)
        await scene.ear.hears("While it is said.", SpeechEventType.INTERIM)
        await scene.ear.hears("While it is said.")
        assert await firm is False
        assert time.monotonic() - began_s >= 2.5, "to its last word"
        await notes.wait_for(UtteranceHeard(SUPERVISOR, "While it is said."))


async def test_a_line_whose_end_nobody_tells_ends_all_the_same(
    scene: Consultation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warmxfer.adapters.rooms.utterance_queue.UTTERANCE_LIMIT_S", 0.1)
    monkeypatch.setattr("warmxfer.adapters.rooms.utterance_queue.UTTERANCE_LIMIT_PER_WORD_S", 0.0)
    scene.mouth = Mouth(speech_s=60.0)
    async with joined(scene) as (voice, _, _):
        assert await voice.say("For ever.") is True
        scene.mouth.speech_s = 0.0
        assert await voice.say("And on.") is False


async def test_a_mouth_that_fails_interrupts_its_line_and_no_other(scene: Consultation) -> None:
    class Hoarse(Mouth):
        async def synthesize(self, text: Any, voice_id: str | None = None, **_: Any) -> None:
            if not self.said:
                self.said.append("")
                raise ConnectionError("no voice today")
            await super().synthesize(text)

    scene.mouth = Hoarse()
    async with joined(scene) as (voice, _, _):
        assert await voice.say("Hello.") is True
        assert await voice.say("Hello again.") is False


async def test_a_session_that_was_taken_away_ends_the_presence(scene: Consultation) -> None:
    async with joined(scene) as (voice, _, notes):
        voice._session._pipeline.orchestrator = None  # type: ignore[attr-defined]
        assert await voice.say("Hello?") is True
        await notes.wait_for(Disconnected(DisconnectReason.LOST))


# ── hearing ──────────────────────────────────────────────────────────────────────────────────────


async def test_what_is_heard_is_told_and_never_answered(scene: Consultation) -> None:
    scene.mind = Mind("no")
    async with joined(scene) as (_, _, notes):
        scene.meeting.joins(SUPERVISOR)
        await scene.ear.hears("Yes.")
        await notes.wait_for(UtteranceHeard(SUPERVISOR, "Yes."))
        await asyncio.sleep(0.1)
        assert (scene.mouth.said, scene.mind.asked) == ([], [])


async def test_an_ear_that_makes_the_framework_think_ahead_gets_no_answer_either(
    scene: Consultation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ear, "enable_preemptive_generation", True, raising=False)
    monkeypatch.setattr("warmxfer.adapters.rooms.videosdk.agent_session.DETECT_AFTER_S", 60.0)
    scene.mind = Mind("Let me connect you.")
    async with joined(scene) as (_, _, notes):
        await scene.ear.hears("Yes please.", SpeechEventType.PREFLIGHT)
        await asyncio.sleep(0.1)
        await scene.ear.hears("Yes please.")
        await notes.wait_for(UtteranceHeard(SUPERVISOR, "Yes please."))
        await asyncio.sleep(0.1)
        assert (scene.mouth.said, scene.mind.asked) == ([], [])


async def test_closed_ears_hear_nothing(scene: Consultation) -> None:
    async with joined(scene, listening=False) as (voice, _, notes):
        await voice.say("Speaking does not open them.")
        await scene.ear.hears("Is this on?")
        voice.listen(True)
        await scene.ear.hears("Hello?")
        await notes.wait_for(UtteranceHeard(SUPERVISOR, "Hello?"))
        assert UtteranceHeard(SUPERVISOR, "Is this on?") not in notes.seen


@pytest.mark.parametrize(("verdict", "noticed"), [("yes", True), ("no", False)])
async def test_h20_the_frameworks_detector_notices_a_machine(
    scene: Consultation, verdict: str, noticed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warmxfer.adapters.rooms.videosdk.agent_session.DETECT_AFTER_S", 0.05)
    scene.mind = Mind(verdict)
    async with joined(scene) as (_, _, notes):
        scene.meeting.joins(SUPERVISOR)
        await scene.ear.hears("The person you are calling is not available.")
        await until(lambda: len(scene.mind.asked) == 1 if scene.mind else False)
        await asyncio.sleep(0.05)
        assert (VoicemailSuspected(SUPERVISOR) in notes.seen) is noticed


async def test_without_an_llm_nothing_judges_and_nothing_detects(scene: Consultation) -> None:
    scene.mind = None
    async with joined(scene) as (voice, _, notes):
        assert voice.model is None
        await scene.ear.hears("Leave a message after the tone.")
        await notes.wait_for(UtteranceHeard(SUPERVISOR, "Leave a message after the tone."))


async def test_what_is_said_stands_in_no_log_line(
    scene: Consultation, caplog: pytest.LogCaptureFixture
) -> None:
    def made() -> Pipeline:
        scene.ear = Ear()
        eou = EOUConfig(stt_silence_timeout=0.1)
        return Pipeline(stt=scene.ear, llm=scene.mind, tts=scene.mouth, eou_config=eou)

    silence_framework_logs()
    scene.made = made
    caplog.set_level(logging.DEBUG)
    async with joined(scene) as (voice, _, notes):
        await voice.say("The caller is Ann Marmalade.")
        await scene.ear.hears("Speaking of Pineapple", SpeechEventType.INTERIM)
        await notes.wait_for(UtteranceHeard(SUPERVISOR, "Speaking of Pineapple"))
    logged = " ".join(record.getMessage() for record in caplog.records)
    assert [word for word in ("Marmalade", "Pineapple", TICKET.token) if word in logged] == []


# ── leaving ──────────────────────────────────────────────────────────────────────────────────────


async def test_h21_a_component_that_hangs_does_not_keep_us_in_the_room(
    scene: Consultation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warmxfer.adapters.rooms.videosdk.agent_session.CLOSE_TIMEOUT_S", 0.1)
    scene.mouth.hangs_on_close = True
    async with joined(scene) as (voice, _, notes):
        talking = voice.say("Goodbye.")
        began_s = time.monotonic()
        await voice.leave()
        assert time.monotonic() - began_s < 2
        assert scene.meeting.left
        assert talking.ended.result() is True
        await asyncio.wait_for(notes.reading, 1)
        assert Disconnected not in {type(event) for event in notes.seen}


async def test_h21_nor_one_that_does_not_heed_being_cancelled(
    scene: Consultation, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stubborn(Mouth):
        async def aclose(self) -> None:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                await asyncio.sleep(60)

    monkeypatch.setattr("warmxfer.adapters.rooms.videosdk.agent_session.CLOSE_TIMEOUT_S", 0.1)
    scene.mouth = Stubborn()
    voice = scene.voice()
    await voice.join()
    async with asyncio.timeout(2):
        await voice.leave()
    assert scene.meeting.left


async def test_the_others_of_the_process_are_heard_while_one_is_left(scene: Consultation) -> None:
    collections: list[str] = []
    gc.callbacks.append(note := lambda moment, _: collections.append(moment))
    voice = scene.voice()
    await voice.join()
    gc.disable()
    try:
        collections.clear()
        await voice.leave()
        assert collections == [], "the framework would collect for each part it closes"
        gc.collect()
        assert collections == ["start", "stop"], "who asks for it otherwise gets it"
    finally:
        gc.enable()
        gc.callbacks.remove(note)


async def test_leaving_twice_or_before_joining_does_nothing_and_leaves_nothing_behind(
    scene: Consultation, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[Mind] = []

    async def close(mind: Mind) -> None:
        closed.append(mind)

    monkeypatch.setattr(Mind, "aclose", close)
    voice: RoomClient = scene.voice()
    await voice.leave()
    voice = scene.voice()
    before = asyncio.all_tasks()
    await voice.join()
    scene.meeting.joins(SUPERVISOR)
    await voice.leave()
    await voice.leave()
    assert closed == [scene.mind], "the one that was taken out of the pipeline, too"
    await until(lambda: asyncio.all_tasks() <= before)


async def test_a_joining_that_is_called_off_leaves_the_room(scene: Consultation) -> None:
    class Slow(Meeting):
        async def async_join(self) -> None:
            await asyncio.sleep(5)

    scene.opens = lambda config: Slow(**config)
    joining = asyncio.create_task(scene.voice().join())
    await until(lambda: bool(scene.meetings))
    joining.cancel()
    with pytest.raises(asyncio.CancelledError):
        await joining
    assert scene.meeting.left
