"""The VideoSDK room client: the real framework, an offline meeting."""

from __future__ import annotations

import asyncio
import contextlib
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
from warmxfer.adapters.rooms.videosdk import room
from warmxfer.adapters.rooms.videosdk.agent_session import silence_framework_logs
from warmxfer.schemas import InvalidRequest, RetryableError

from .offline import Meeting, OfflineRealtimeModel, OfflineSTT, OfflineTTS, ScriptedLLM
from .room_fixture import AGENT, SUPERVISOR, TOKEN, Consultation, empty_server_list, joined, offline, until


@pytest.fixture
def consultation(monkeypatch: pytest.MonkeyPatch) -> Consultation:
    return offline(monkeypatch, Consultation())


# ── joining ─────────────────────────────────────────────────────────────────────────────────────


async def test_it_joins_with_the_given_participant_id_and_token(
    consultation: Consultation,
) -> None:
    config: dict[str, Any] = {}

    def opened(given: dict[str, Any]) -> Meeting:
        config.update(given)
        return Meeting(**given)

    consultation.make_meeting = opened
    async with joined(consultation) as (_, snapshot, _):
        assert snapshot == RoomSnapshot("room-1", "session-room-1", ())
        assert (config["meeting_id"], config["participant_id"]) == ("room-1", AGENT)
        assert (config["token"], config["signaling_base_url"]) == (TOKEN.token, "api.videosdk.live")
    assert consultation.meeting.left


async def test_h5_a_supervisor_who_joined_first_is_in_the_snapshot_and_transcribed(
    consultation: Consultation,
) -> None:
    class OccupiedMeeting(Meeting):
        async def async_join(self) -> None:
            self.joins(SUPERVISOR)
            await super().async_join()

    consultation.make_meeting = lambda config: OccupiedMeeting(**config)
    async with joined(consultation) as (_, snapshot, recorder):
        assert snapshot.participants == (RoomParticipant(SUPERVISOR, "Ann", audible=True),)
        await consultation.stt.transcribe("Hello?")
        await recorder.wait_for(UtteranceHeard(SUPERVISOR, "Hello?"))


async def test_a_refused_join_can_be_retried(
    consultation: Consultation, monkeypatch: pytest.MonkeyPatch
) -> None:
    class RefusingMeeting(Meeting):
        async def async_join(self) -> None:
            self._emit("on_error", "Failed to Join in the Meeting")

    class Silent(Meeting):
        async def async_join(self) -> None:
            await asyncio.sleep(0)

    class Broken(Meeting):
        async def async_join(self) -> None:
            raise ConnectionError("no signal today")

    monkeypatch.setattr("warmxfer.adapters.rooms.videosdk.client.JOIN_TIMEOUT_S", 0.2)
    client = consultation.client()
    for kind in (RefusingMeeting, Silent, Broken):
        consultation.make_meeting = lambda config, kind=kind: kind(**config)
        with pytest.raises(RetryableError, match="room-1"):
            await client.join()
        assert consultation.meeting.left
    consultation.make_meeting = lambda config: Meeting(**config)
    assert await client.join() == RoomSnapshot("room-1", "session-room-1", ())
    await client.leave()


async def test_h18_the_library_gets_the_prefetched_servers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    requests: list[tuple[str, ...]] = []
    event: list[str] = []

    async def servers(*about: str) -> httpx.Response:
        requests.append(about)
        return await empty_server_list(*about)

    class LookingUpMeeting(Meeting):
        async def async_join(self) -> None:
            """Look up the servers as the library does, on the loop."""
            event.append(room_client.get_server_config("room-1", "token", "no.such.host")["base_url"])
            await super().async_join()

    consultation = offline(monkeypatch, Consultation(servers=servers))
    consultation.make_meeting = lambda config: LookingUpMeeting(**config)
    async with joined(consultation):
        assert event == ["nowhere"]
    assert requests == [("room-1", TOKEN.token, "api.videosdk.live")]


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (dict, "'ours:briefing', which returned a dict; return a videosdk Pipeline"),
        (lambda: 1 / 0, "'ours:briefing', which raised ZeroDivisionError"),
        (
            lambda: Pipeline(llm=OfflineRealtimeModel()),
            "'ours:briefing', whose pipeline does not say its lines",
        ),
        (lambda: Pipeline(stt=OfflineSTT(), llm=ScriptedLLM()), "give it an stt and a tts"),
    ],
)
async def test_a_factory_without_a_fit_pipeline_is_refused(
    consultation: Consultation, make: Any, sentence: str
) -> None:
    consultation.make = make
    client = consultation.client()
    with pytest.raises(InvalidRequest) as refusal:
        await client.join()
    assert str(refusal.value).startswith("WARMXFER_BRIEFING_PIPELINE is ")
    assert sentence in str(refusal.value)
    assert consultation.meetings == [], "no meeting was made"
    await client.leave()


async def test_sessions_do_not_share_events(consultation: Consultation) -> None:
    async with joined(consultation) as (_, _, recorder):
        first, stt = consultation.meeting, consultation.stt
        async with joined(consultation) as (_, _, others):
            consultation.meeting.joins(SUPERVISOR)
            await others.wait_for(AudioStarted(SUPERVISOR))
            await stt.transcribe("In the first room.")
            await consultation.stt.transcribe("In the second.")
            await others.wait_for(UtteranceHeard(SUPERVISOR, "In the second."))
        assert recorder.seen == [UtteranceHeard(SUPERVISOR, "In the first room.")]
        assert not first.left


# ── participants ─────────────────────────────────────────────────────────────────────────────────


async def test_join_audio_and_leave_are_published_in_order(consultation: Consultation) -> None:
    async with joined(consultation) as (_, _, recorder):
        consultation.meeting.joins(SUPERVISOR, "Sue", audio=False)
        consultation.meeting.enable_audio(SUPERVISOR)
        consultation.meeting.leaves(SUPERVISOR)
        consultation.meeting.joins(SUPERVISOR, "Sue", audio=False)
        came = ParticipantJoinedRoom(RoomParticipant(SUPERVISOR, "Sue"))
        await until(lambda: len(recorder.seen) == 4)
        assert recorder.seen == [came, AudioStarted(SUPERVISOR), ParticipantLeftRoom(SUPERVISOR), came]


class AudioTrack:
    """A track with audio frames."""

    def __init__(self, audio: bytes) -> None:
        self.audio = audio

    async def recv(self) -> Any:
        await asyncio.sleep(0.01)
        return self

    def to_ndarray(self) -> Any:
        return numpy.frombuffer(self.audio, dtype=numpy.int16).reshape(1, -1)

    sample_rate = 48_000
    layout = SimpleNamespace(channels=(1,), nb_channels=1)


async def test_h11_h12_only_the_supervisors_audio_is_used_whatever_the_names_are(
    consultation: Consultation, monkeypatch: pytest.MonkeyPatch
) -> None:
    speech = {f"audio-{SUPERVISOR}": b"\x01\x02" * 480, "audio-stranger": b"\x03\x04" * 480}

    def enable(self: Meeting, id: str) -> None:
        stream = type(
            "Stream", (), {"id": f"audio-{id}", "kind": "audio", "track": AudioTrack(speech[f"audio-{id}"])}
        )
        for handler in self.participants[id].handlers:
            self.context.run(handler.on_stream_enabled, stream)

    monkeypatch.setattr(Meeting, "enable_audio", enable)
    async with joined(consultation) as (_, _, recorder):
        consultation.meeting.joins("stranger", "Ann")
        consultation.meeting.joins(SUPERVISOR, "Agent Smith")
        await recorder.wait_for(AudioStarted(SUPERVISOR))
        await until(lambda: len(consultation.stt.audio) > 3)
        assert set(consultation.stt.audio) == {speech[f"audio-{SUPERVISOR}"]}
        consultation.meeting.leaves(SUPERVISOR)
        await asyncio.sleep(0.05)
        frames = len(consultation.stt.audio)
        await asyncio.sleep(0.05)
        assert len(consultation.stt.audio) == frames, "audio of a participant who left is not used"


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (("on_meeting_left", {}), DisconnectReason.REPLACED),
        (("on_error", "Internal socket Error"), DisconnectReason.LOST),
    ],
)
async def test_disconnection_is_the_last_event(
    consultation: Consultation, event: tuple[str, Any], reason: DisconnectReason
) -> None:
    async with joined(consultation) as (client, _, recorder):
        consultation.meeting._emit("on_error", "Not Able to Start Transcription")
        utterance = client.say("Still here.")
        consultation.meeting._emit(*event)
        await asyncio.wait_for(recorder.reading, 2)
        assert recorder.seen == [SpeechEnded(utterance.id, True), Disconnected(reason)]
        assert await client.say("Anybody?") is True


class Socket:
    """Stands for the library's WebSocket. The library reports neither its end nor its silence."""

    def __init__(self) -> None:
        self.closed, self.silent = asyncio.Event(), False
        self.pings = 0

    async def wait_closed(self) -> None:
        await self.closed.wait()

    async def ping(self) -> asyncio.Future[None]:
        self.pings += 1
        pong = asyncio.get_running_loop().create_future()
        if not self.silent:
            pong.set_result(None)
        return pong


@pytest.mark.parametrize("how", ["closed in order", "no pong"])
async def test_a_connection_that_is_lost_silently_ends_the_session(
    consultation: Consultation, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Before, the supervisor waited in silence until the briefing's time was over."""
    monkeypatch.setattr(room, "PING_INTERVAL_S", 0.02)
    monkeypatch.setattr(room, "PONG_TIMEOUT_S", 0.05)
    socket = Socket()
    monkeypatch.setattr(room, "signaling_socket_of", lambda _: socket)
    async with joined(consultation) as (_, _, recorder):
        await until(lambda: socket.pings > 2)
        assert recorder.seen == []
        if how == "no pong":
            socket.silent = True
        else:
            socket.closed.set()
        await asyncio.wait_for(recorder.reading, 10)
        assert recorder.seen == [Disconnected(DisconnectReason.LOST)]


# ── speaking ─────────────────────────────────────────────────────────────────────────────────────


async def test_lines_are_said_one_after_the_other(consultation: Consultation) -> None:
    consultation.tts = OfflineTTS(speech_s=0.05)
    async with joined(consultation) as (client, _, recorder):
        first, second = client.say("Good morning."), client.say("Ann was charged twice.")
        assert (await second, first.ended.done()) == (False, True)
        assert consultation.tts.has_said("Good morning.")
        assert consultation.tts.has_said("Ann was charged twice.")
        assert recorder.seen == [SpeechEnded(first.id, False), SpeechEnded(second.id, False)]


async def test_interrupt_stops_interruptible_lines_and_drops_queued_ones(
    consultation: Consultation,
) -> None:
    consultation.tts = OfflineTTS(speech_s=1.0)
    async with joined(consultation) as (client, _, _):
        spoken, waiting, uninterruptible = (
            client.say("One."),
            client.say("Two."),
            client.say("Three.", interruptible=False),
        )
        await until(lambda: consultation.tts.said == ["One."])
        began_s = time.monotonic()
        client.interrupt()
        assert (spoken.ended.result(), waiting.ended.result()) == (True, True)
        assert await uninterruptible is False
        assert time.monotonic() - began_s < 1.8, "an interrupted line is not waited for"
        assert consultation.tts.said == ["One.", "Three."]


async def test_a_supervisor_can_interrupt_one_line_and_the_next(consultation: Consultation) -> None:
    consultation.tts = OfflineTTS(speech_s=30.0)
    async with joined(consultation) as (client, _, _):
        consultation.meeting.joins(SUPERVISOR)
        for line in ("First.", "Second."):
            utterance = client.say(line)
            await until(lambda line=line: consultation.tts.has_said(line))
            await consultation.stt.transcribe("Hold on please", SpeechEventType.INTERIM)
            async with asyncio.timeout(1):
                assert await utterance is True
        assert consultation.tts.said == ["First.", "Second."]


async def test_an_uninterruptible_line_is_not_interrupted_even_before_its_first_byte(
    consultation: Consultation,
) -> None:
    consultation.tts = OfflineTTS(speech_s=1.0, first_byte_s=1.5)
    async with joined(consultation) as (client, _, recorder):
        consultation.meeting.joins(SUPERVISOR)
        began_s = time.monotonic()
        uninterruptible = client.say("Stand by.", interruptible=False)
        await consultation.stt.transcribe("Before the first byte.")
        await recorder.wait_for(UtteranceHeard(SUPERVISOR, "Before the first byte."))
        assert time.monotonic() - began_s < 1.5
        await asyncio.sleep(1.2)
        await consultation.stt.transcribe("While it is said.", SpeechEventType.INTERIM)
        await consultation.stt.transcribe("While it is said.")
        assert await uninterruptible is False
        assert time.monotonic() - began_s >= 2.5, "it was said to the end"
        await recorder.wait_for(UtteranceHeard(SUPERVISOR, "While it is said."))


async def test_a_line_without_an_end_is_ended_by_its_limit(
    consultation: Consultation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warmxfer.adapters.rooms.utterance_queue.UTTERANCE_LIMIT_S", 0.1)
    monkeypatch.setattr("warmxfer.adapters.rooms.utterance_queue.UTTERANCE_LIMIT_PER_WORD_S", 0.0)
    consultation.tts = OfflineTTS(speech_s=60.0)
    async with joined(consultation) as (client, _, _):
        assert await client.say("For ever.") is True
        consultation.tts.speech_s = 0.0
        assert await client.say("And on.") is False


async def test_a_failing_tts_interrupts_only_its_own_line(consultation: Consultation) -> None:
    class FailingTTS(OfflineTTS):
        async def synthesize(self, text: Any, voice_id: str | None = None, **_: Any) -> None:
            if not self.said:
                self.said.append("")
                raise ConnectionError("no voice today")
            await super().synthesize(text)

    consultation.tts = FailingTTS()
    async with joined(consultation) as (client, _, _):
        assert await client.say("Hello.") is True
        assert await client.say("Hello again.") is False


async def test_a_session_without_its_pipeline_disconnects(consultation: Consultation) -> None:
    async with joined(consultation) as (client, _, recorder):
        client._session._pipeline.orchestrator = None  # type: ignore[attr-defined]
        assert await client.say("Hello?") is True
        await recorder.wait_for(Disconnected(DisconnectReason.LOST))


# ── transcripts ──────────────────────────────────────────────────────────────────────────────────────


async def test_a_transcript_is_published_and_never_replied_to(consultation: Consultation) -> None:
    consultation.llm = ScriptedLLM("no")
    async with joined(consultation) as (_, _, recorder):
        consultation.meeting.joins(SUPERVISOR)
        await consultation.stt.transcribe("Yes.")
        await recorder.wait_for(UtteranceHeard(SUPERVISOR, "Yes."))
        await asyncio.sleep(0.1)
        assert (consultation.tts.said, consultation.llm.requests) == ([], [])


async def test_preemptive_generation_gives_no_reply(
    consultation: Consultation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OfflineSTT, "enable_preemptive_generation", True, raising=False)
    monkeypatch.setattr("warmxfer.adapters.rooms.videosdk.agent_session.DETECT_AFTER_S", 60.0)
    consultation.llm = ScriptedLLM("Let me connect you.")
    async with joined(consultation) as (_, _, recorder):
        await consultation.stt.transcribe("Yes please.", SpeechEventType.PREFLIGHT)
        await asyncio.sleep(0.1)
        await consultation.stt.transcribe("Yes please.")
        await recorder.wait_for(UtteranceHeard(SUPERVISOR, "Yes please."))
        await asyncio.sleep(0.1)
        assert (consultation.tts.said, consultation.llm.requests) == ([], [])


async def test_with_input_off_nothing_is_transcribed(consultation: Consultation) -> None:
    async with joined(consultation, listening=False) as (client, _, recorder):
        await client.say("Speaking does not open them.")
        await consultation.stt.transcribe("Is this on?")
        client.listen(True)
        await consultation.stt.transcribe("Hello?")
        await recorder.wait_for(UtteranceHeard(SUPERVISOR, "Hello?"))
        assert UtteranceHeard(SUPERVISOR, "Is this on?") not in recorder.seen


@pytest.mark.parametrize(("reply", "detected"), [("yes", True), ("no", False)])
async def test_h20_the_frameworks_detector_reports_voicemail(
    consultation: Consultation, reply: str, detected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warmxfer.adapters.rooms.videosdk.agent_session.DETECT_AFTER_S", 0.05)
    consultation.llm = ScriptedLLM(reply)
    async with joined(consultation) as (_, _, recorder):
        consultation.meeting.joins(SUPERVISOR)
        await consultation.stt.transcribe("The person you are calling is not available.")
        await until(lambda: len(consultation.llm.requests) == 1 if consultation.llm else False)
        await asyncio.sleep(0.05)
        assert (VoicemailSuspected(SUPERVISOR) in recorder.seen) is detected


async def test_the_end_of_an_older_audio_stream_keeps_the_agent_listening(consultation: Consultation) -> None:
    """Before, the listener of the stream that had replaced it was cancelled, and the agent was deaf."""
    async with joined(consultation) as (client, _, recorder):
        meeting, tasks = consultation.meeting, client._session.room.audio_listener_tasks
        meeting.joins(SUPERVISOR)
        await recorder.wait_for(AudioStarted(SUPERVISOR))
        meeting.enable_audio(SUPERVISOR, "newer")
        meeting.disable_audio(SUPERVISOR)
        listening = tasks[SUPERVISOR]
        await asyncio.sleep(0.05)
        assert not listening.done()
        meeting.disable_audio(SUPERVISOR, "newer")
        assert SUPERVISOR not in tasks


async def test_without_an_llm_there_is_no_model_and_no_detector(consultation: Consultation) -> None:
    consultation.llm = None
    async with joined(consultation) as (client, _, recorder):
        assert client.model is None
        await consultation.stt.transcribe("Leave a message after the tone.")
        await recorder.wait_for(UtteranceHeard(SUPERVISOR, "Leave a message after the tone."))


async def test_speech_and_transcripts_are_not_logged(
    consultation: Consultation, caplog: pytest.LogCaptureFixture
) -> None:
    def make() -> Pipeline:
        consultation.stt = OfflineSTT()
        eou = EOUConfig(stt_silence_timeout=0.1)
        return Pipeline(stt=consultation.stt, llm=consultation.llm, tts=consultation.tts, eou_config=eou)

    silence_framework_logs()
    consultation.make = make
    caplog.set_level(logging.DEBUG)
    async with joined(consultation) as (client, _, recorder):
        await client.say("The caller is Ann Marmalade.")
        await consultation.stt.transcribe("Speaking of Pineapple", SpeechEventType.INTERIM)
        await recorder.wait_for(UtteranceHeard(SUPERVISOR, "Speaking of Pineapple", unfinished=True))
    logged = " ".join(record.getMessage() for record in caplog.records)
    assert [word for word in ("Marmalade", "Pineapple", TOKEN.token) if word in logged] == []


# ── leaving ──────────────────────────────────────────────────────────────────────────────────────


async def test_h21_a_component_that_hangs_on_close_does_not_delay_leaving(
    consultation: Consultation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warmxfer.adapters.rooms.videosdk.agent_session.CLOSE_TIMEOUT_S", 0.1)
    consultation.tts.hangs_on_close = True
    async with joined(consultation) as (client, _, recorder):
        utterance = client.say("Goodbye.")
        began_s = time.monotonic()
        await client.leave()
        assert time.monotonic() - began_s < 2
        assert consultation.meeting.left
        assert utterance.ended.result() is True
        await asyncio.wait_for(recorder.reading, 1)
        assert Disconnected not in {type(event) for event in recorder.seen}


async def test_h21_a_line_that_ignores_its_cancellation_does_not_delay_leaving(
    consultation: Consultation, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = asyncio.Event()

    class Stubborn(OfflineTTS):
        async def synthesize(self, text: Any, voice_id: str | None = None, **_: Any) -> None:
            self.said.append("begun")
            while not over.is_set():
                with contextlib.suppress(asyncio.CancelledError):
                    await over.wait()

    monkeypatch.setattr("warmxfer.adapters.rooms.videosdk.agent_session.CLOSE_TIMEOUT_S", 0.1)
    monkeypatch.setattr("warmxfer.adapters.rooms.videosdk.client.CLOSE_TIMEOUT_S", 0.1)
    consultation.tts = tts = Stubborn()
    client = consultation.client()
    await client.join()
    client.say("Goodbye.")
    await until(lambda: bool(tts.said))
    async with asyncio.timeout(30):
        await client.leave()
    assert consultation.meeting.left
    over.set()


async def test_h21_a_component_that_ignores_cancellation_does_not_delay_leaving(
    consultation: Consultation, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stubborn(OfflineTTS):
        async def aclose(self) -> None:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                await asyncio.sleep(60)

    monkeypatch.setattr("warmxfer.adapters.rooms.videosdk.agent_session.CLOSE_TIMEOUT_S", 0.1)
    consultation.tts = Stubborn()
    client = consultation.client()
    await client.join()
    async with asyncio.timeout(2):
        await client.leave()
    assert consultation.meeting.left


async def test_leaving_collects_no_garbage(consultation: Consultation) -> None:
    collections: list[str] = []
    gc.callbacks.append(note := lambda moment, _: collections.append(moment))
    client = consultation.client()
    await client.join()
    gc.disable()
    try:
        collections.clear()
        await client.leave()
        assert collections == [], "the framework would collect garbage for each part that it closes"
        gc.collect()
        assert collections == ["start", "stop"], "other code can still collect garbage"
    finally:
        gc.enable()
        gc.callbacks.remove(note)


async def test_leaving_twice_or_before_joining_leaves_nothing_behind(
    consultation: Consultation, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[ScriptedLLM] = []

    async def close(llm: ScriptedLLM) -> None:
        closed.append(llm)

    monkeypatch.setattr(ScriptedLLM, "aclose", close)
    client: RoomClient = consultation.client()
    await client.leave()
    client = consultation.client()
    before = asyncio.all_tasks()
    await client.join()
    consultation.meeting.joins(SUPERVISOR)
    await client.leave()
    await client.leave()
    assert closed == [consultation.llm], "also the LLM that was taken out of the pipeline"
    await until(lambda: asyncio.all_tasks() <= before)


async def test_a_cancelled_join_leaves_the_room(consultation: Consultation) -> None:
    class Slow(Meeting):
        async def async_join(self) -> None:
            await asyncio.sleep(5)

    consultation.make_meeting = lambda config: Slow(**config)
    joining = asyncio.create_task(consultation.client().join())
    await until(lambda: bool(consultation.meetings))
    joining.cancel()
    with pytest.raises(asyncio.CancelledError):
        await joining
    assert consultation.meeting.left
