"""The real videosdk-agents without its cloud: meeting and speech are in memory.

Needed by the framework (1.0.30): a meeting must call `on_meeting_joined` with a true value and have
`get_attributes`, or `start()` and `close()` never return. A TTS must report its first audio byte.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from videosdk.agents import (
    LLM,
    STT,
    TTS,
    Agent,
    AgentSession,
    JobContext,
    LLMResponse,
    Pipeline,
    RealtimeBaseModel,
    RoomOptions,
    STTResponse,
)
from videosdk.agents.job import _enter_session_scope, _set_current_job_context
from videosdk.agents.llm.chat_context import ChatContext, ChatRole
from videosdk.agents.room.room import VideoSDKHandler
from videosdk.agents.stt.stt import SpeechData, SpeechEventType

OUR_ID = "agent-1"
CALLER = "caller-1"
SUMMARY = "Ann was charged twice and wants a refund."

meeting_factory: contextvars.ContextVar[Callable[..., Meeting]] = contextvars.ContextVar("making")
"""Makes the meeting of the call that is being opened."""

HANG_UP_TIMEOUT_S = 30.0
"""Longer than a session that closes waits for its transfer and for a summary that is being written."""


class SilentTrack:
    """A phone's audio that never carries a frame."""

    async def recv(self) -> Any:
        await asyncio.Event().wait()


class Participant:
    def __init__(self, id: str, name: str, meta: dict[str, Any]) -> None:
        self.id, self.display_name, self.meta_data = id, name, meta
        self.streams: dict[str, Any] = {}
        self.handlers: list[Any] = []

    def add_event_listener(self, handler: Any) -> None:
        self.handlers.append(handler)


class PubSub:
    """Replaces the library's pubsub: one callback for each topic."""

    def __init__(self) -> None:
        self.callbacks: dict[str, Any] = {}

    async def subscribe(self, config: Any) -> list[Any]:
        self.callbacks[config.get("topic")] = config.get("cb")
        return []


class Meeting:
    """Replaces the RTC library's meeting. Its events run in the context of its session."""

    def __init__(self, **config: Any) -> None:
        self.local_participant = Participant(config["participant_id"], config["name"], {})
        self.participants: dict[str, Participant] = {}
        self.session_id = f"session-{config['meeting_id']}"
        self.participant_id = config["participant_id"]
        self.left = False
        self.context = contextvars.copy_context()
        """The context of its session."""
        self._handlers: list[Any] = []
        self.pubsub = PubSub()

    def press(self, id: str, digit: Any, payload: Any = None) -> None:
        """Let a participant press a key. `payload` replaces the payload of the message."""
        message = {"topic": "DTMF_EVENT", "senderId": id, "payload": payload or {"number": digit}}
        self.context.run(self.pubsub.callbacks["DTMF_EVENT"], message)

    def add_event_listener(self, handler: Any) -> None:
        self._handlers.append(handler)

    def get_attributes(self) -> dict[str, Any]:
        return {"traces": {"enabled": False}}

    async def async_join(self) -> None:
        self._emit("on_meeting_joined", {"joined": True})

    def leave(self) -> None:
        self.left = True

    def joins(self, id: str, name: str = "Ann", *, sip: bool = True, audio: bool = True) -> None:
        """Let a participant join, by phone unless `sip` is False."""
        meta = {"sipUser": True, "callType": "inbound"} if sip else {}
        participant = self.participants[id] = Participant(id, name, meta)
        self._emit("on_participant_joined", participant)
        if audio:
            self.enable_audio(id)

    def enable_audio(self, id: str, which: str = "audio") -> None:
        stream = SimpleNamespace(id=f"{which}-{id}", kind="audio", track=SilentTrack())
        for handler in self.participants[id].handlers:
            self.context.run(handler.on_stream_enabled, stream)

    def disable_audio(self, id: str, which: str = "audio") -> None:
        stream = SimpleNamespace(id=f"{which}-{id}", kind="audio")
        for handler in self.participants[id].handlers:
            self.context.run(handler.on_stream_disabled, stream)

    def leaves(self, id: str) -> None:
        self._emit("on_participant_left", self.participants.pop(id))

    def _emit(self, event: str, payload: Any) -> None:
        for handler in self._handlers:
            self.context.run(getattr(handler, event), payload)


class OfflineSTT(STT):
    """Transcribes what a test says, in its session's context; keeps the audio that it was fed."""

    def __init__(self) -> None:
        super().__init__()
        self.audio: list[bytes] = []
        self._context = contextvars.copy_context()

    async def process_audio(self, audio_frames: bytes, language: str | None = None, **_: Any) -> None:
        self.audio.append(audio_frames)

    async def transcribe(self, text: str, kind: SpeechEventType = SpeechEventType.FINAL) -> None:
        assert self._transcript_callback is not None
        audio = STTResponse(event_type=kind, data=SpeechData(text=text, confidence=1.0))
        await asyncio.create_task(self._transcript_callback(audio), context=self._context.copy())


class ScriptedLLM(LLM):
    """Replies in order from `script`; a tuple is a tool call. Summarises a transcript."""

    def __init__(
        self, *script: str | tuple[str, dict[str, Any]], hangs: bool = False, reply_delay_s: float = 0.0
    ) -> None:
        super().__init__()
        self._thinks_s = reply_delay_s
        self.script = deque(script)
        self.requests: list[list[dict[str, Any]]] = []
        self._hangs = hangs

    async def chat(self, messages: ChatContext, *_: Any, **__: Any) -> AsyncIterator[LLMResponse]:
        self.requests.append(messages.to_dict()["items"])
        if self._hangs:
            await asyncio.Event().wait()
        await asyncio.sleep(self._thinks_s)
        if "transcript" in str(self.requests[-1][-1].get("content")):
            yield LLMResponse(content=SUMMARY, role=ChatRole.ASSISTANT)
            return
        step = self.script.popleft() if self.script else "I see."
        if isinstance(step, tuple):
            call = {"name": step[0], "arguments": step[1]}
            yield LLMResponse(content="", role=ChatRole.ASSISTANT, metadata={"function_call": call})
        else:
            yield LLMResponse(content=step, role=ChatRole.ASSISTANT)

    async def cancel_current_generation(self) -> None:
        return None


class OfflineTTS(TTS):
    """Keeps what it says, and takes `speech_s` for it. The framework's chunker removes some blanks."""

    def __init__(self, speech_s: float = 0.0, first_byte_s: float = 0.0) -> None:
        super().__init__()
        self.speech_s = speech_s
        self.first_byte_s = first_byte_s
        self.said: list[str] = []
        self.hangs_on_close = False

    def has_said(self, line: str) -> bool:
        """Return whether it said `line`, without regard to blanks."""
        return "".join(line.split()) in ("".join(said.split()) for said in self.said)

    async def synthesize(self, text: AsyncIterator[Any] | str, voice_id: str | None = None, **_: Any) -> None:
        said = (
            text if isinstance(text, str) else "".join([part async for part in text if isinstance(part, str)])
        )
        if not said:
            return
        self.said.append(said)
        await asyncio.sleep(self.first_byte_s)
        if self._first_audio_callback is not None:
            await self._first_audio_callback()
        await asyncio.sleep(self.speech_s)

    async def interrupt(self) -> None:
        return None

    async def aclose(self) -> None:
        if self.hangs_on_close:
            await asyncio.Event().wait()
        await super().aclose()


class OfflineRealtimeModel(RealtimeBaseModel):
    """A speech-to-speech model: takes audio, and says the messages that it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.audio: list[bytes] = []
        self.said: list[str] = []

    async def connect(self) -> None:
        return None

    async def handle_audio_input(self, audio: bytes) -> None:
        self.audio.append(audio)

    async def send_message(self, message: str) -> None:
        self.said.append(message)
        self.emit("agent_speech_started", {})
        self.audio_track.mark_synthesis_complete()

    async def interrupt(self) -> None:
        return None

    async def aclose(self) -> None:
        await super().aclose()


class SimpleAgent(Agent):
    """An agent that says nothing on entering and leaving."""

    def __init__(self, **options: Any) -> None:
        super().__init__(instructions="Help.", **options)

    async def on_enter(self) -> None:
        return None

    async def on_exit(self) -> None:
        return None


@dataclass
class Call:
    """A live session with a caller in its room."""

    session: AgentSession
    context: JobContext
    meeting: Meeting
    stt: OfflineSTT
    llm: ScriptedLLM
    tts: OfflineTTS
    realtime: OfflineRealtimeModel | None = None
    ended: list[str] = field(default_factory=list)

    @property
    def room(self) -> Any:
        return self.context.room

    async def hang_up(self) -> None:
        """Shut the job down."""
        async with asyncio.timeout(HANG_UP_TIMEOUT_S):
            await self.context.shutdown()


async def open_call(room_id: str, **parts: Any) -> Call:
    """Open a call in a context of its own, as the framework's worker does."""
    return await asyncio.create_task(_open(room_id, **parts), context=contextvars.copy_context())


def offline_meeting(_: OfflineSTT, **config: Any) -> Meeting:
    """Make an offline meeting."""
    return Meeting(**config)


async def _open(
    room_id: str,
    *,
    agent: Callable[[], Agent] = SimpleAgent,
    session: Callable[[Pipeline], AgentSession] | None = None,
    stt: Callable[[], OfflineSTT] = OfflineSTT,
    llm: ScriptedLLM | None = None,
    tts: OfflineTTS | None = None,
    realtime: OfflineRealtimeModel | None = None,
    meeting: Callable[..., Meeting] = offline_meeting,
    on_session: Callable[[AgentSession], None] | None = None,
    caller: str | None = "Ann",
    auth_token: str = "token",
    **options: Any,
) -> Call:
    _enter_session_scope()
    room_options = RoomOptions(
        room_id=room_id,
        auth_token=auth_token,
        name="Agent",
        agent_participant_id=OUR_ID,
        playground=False,
        **options,
    )
    context = JobContext(room_options=room_options)
    _set_current_job_context(context)
    meeting_factory.set(lambda **config: meeting(hearing, **config))
    hearing, llm, tts = stt(), llm or ScriptedLLM(), tts or OfflineTTS()
    pipeline = Pipeline(llm=realtime) if realtime else Pipeline(stt=hearing, llm=llm, tts=tts)
    live = session(pipeline) if session else AgentSession(agent=agent(), pipeline=pipeline)
    if on_session:
        on_session(live)
    await context.connect()
    assert isinstance(context.room, VideoSDKHandler)
    call = Call(live, context, context.room.meeting, hearing, llm, tts, realtime)
    context.room.setup_session_end_callback(call.ended.append)
    if caller:
        call.meeting.joins(CALLER, caller)
    await live.start()
    return call
