"""The real videosdk-agents without its cloud: meeting and speech are in memory, all else is theirs.

What had to be learned: a meeting must say `on_meeting_joined` with something true and have `get_attributes`,
or `start()` and `close()` wait for ever; a TTS must report its first audio byte, or it is waited for.
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

making: contextvars.ContextVar[Callable[..., Meeting]] = contextvars.ContextVar("making")
"""How the call that is being opened makes its meeting."""


class Track:
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


class Meeting:
    """Stands where the RTC library's meeting does. What happens in it happens in its session's context."""

    def __init__(self, **config: Any) -> None:
        self.local_participant = Participant(config["participant_id"], config["name"], {})
        self.participants: dict[str, Participant] = {}
        self.session_id = f"session-{config['meeting_id']}"
        self.participant_id = config["participant_id"]
        self.left = False
        self._context = contextvars.copy_context()
        self._handlers: list[Any] = []

    def add_event_listener(self, handler: Any) -> None:
        self._handlers.append(handler)

    def get_attributes(self) -> dict[str, Any]:
        return {"traces": {"enabled": False}}

    async def async_join(self) -> None:
        self._tell("on_meeting_joined", {"joined": True})

    def leave(self) -> None:
        self.left = True

    def joins(self, id: str, name: str = "Ann", *, sip: bool = True, heard: bool = True) -> None:
        """Somebody comes into the room, by phone unless `sip` is False."""
        meta = {"sipUser": True, "callType": "inbound"} if sip else {}
        who = self.participants[id] = Participant(id, name, meta)
        self._tell("on_participant_joined", who)
        if heard:
            self.is_heard(id)

    def is_heard(self, id: str) -> None:
        stream = SimpleNamespace(id=f"audio-{id}", kind="audio", track=Track())
        for handler in self.participants[id].handlers:
            self._context.run(handler.on_stream_enabled, stream)

    def leaves(self, id: str) -> None:
        self._tell("on_participant_left", self.participants.pop(id))

    def _tell(self, event: str, told: Any) -> None:
        for handler in self._handlers:
            self._context.run(getattr(handler, event), told)


class Ear(STT):
    """Hears what a test says, in its session's context, and keeps the audio it was fed."""

    def __init__(self) -> None:
        super().__init__()
        self.audio: list[bytes] = []
        self._context = contextvars.copy_context()

    async def process_audio(self, audio_frames: bytes, language: str | None = None, **_: Any) -> None:
        self.audio.append(audio_frames)

    async def hears(self, text: str, kind: SpeechEventType = SpeechEventType.FINAL) -> None:
        assert self._transcript_callback is not None
        heard = STTResponse(event_type=kind, data=SpeechData(text=text, confidence=1.0))
        await asyncio.create_task(self._transcript_callback(heard), context=self._context.copy())


class Mind(LLM):
    """Answers in order from `script`; a tuple is a call of that tool. Summarises when asked to."""

    def __init__(
        self, *script: str | tuple[str, dict[str, Any]], hangs: bool = False, thinks_s: float = 0.0
    ) -> None:
        super().__init__()
        self._thinks_s = thinks_s
        self.script = deque(script)
        self.asked: list[list[dict[str, Any]]] = []
        self._hangs = hangs

    async def chat(self, messages: ChatContext, *_: Any, **__: Any) -> AsyncIterator[LLMResponse]:
        self.asked.append(messages.to_dict()["items"])
        if self._hangs:
            await asyncio.Event().wait()
        await asyncio.sleep(self._thinks_s)
        if "transcript" in str(self.asked[-1][-1].get("content")):
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


class Mouth(TTS):
    """Writes down what it says, and takes `speech_s` for it. The framework's chunker eats some blanks."""

    def __init__(self, speech_s: float = 0.0, first_byte_s: float = 0.0) -> None:
        super().__init__()
        self.speech_s = speech_s
        self.first_byte_s = first_byte_s
        self.said: list[str] = []
        self.hangs_on_close = False

    def has_said(self, line: str) -> bool:
        """Whether it said `line`, blanks aside."""
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


class Realtime(RealtimeBaseModel):
    """A speech-to-speech model: takes audio, is told what to say."""

    def __init__(self) -> None:
        super().__init__()
        self.audio: list[bytes] = []
        self.told: list[str] = []

    async def connect(self) -> None:
        return None

    async def handle_audio_input(self, audio: bytes) -> None:
        self.audio.append(audio)

    async def send_message(self, message: str) -> None:
        self.told.append(message)
        self.emit("agent_speech_started", {})
        self.audio_track.mark_synthesis_complete()

    async def interrupt(self) -> None:
        return None

    async def aclose(self) -> None:
        await super().aclose()


class Helper(Agent):
    """The simplest of agents."""

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
    ear: Ear
    mind: Mind
    mouth: Mouth
    realtime: Realtime | None = None
    ended: list[str] = field(default_factory=list)

    @property
    def room(self) -> Any:
        return self.context.room

    async def hang_up(self) -> None:
        """Whatever the test left, goes."""
        async with asyncio.timeout(10):
            await self.context.shutdown()


async def open_call(room_id: str, **parts: Any) -> Call:
    """A call in a context of its own, as the framework's worker opens one."""
    return await asyncio.create_task(_open(room_id, **parts), context=contextvars.copy_context())


def in_memory(_: Ear, **config: Any) -> Meeting:
    """A meeting with a caller who comes as soon as we are there."""
    return Meeting(**config)


async def _open(
    room_id: str,
    *,
    agent: Callable[[], Agent] = Helper,
    session: Callable[[Pipeline], AgentSession] | None = None,
    ear: Callable[[], Ear] = Ear,
    mind: Mind | None = None,
    mouth: Mouth | None = None,
    realtime: Realtime | None = None,
    meeting: Callable[..., Meeting] = in_memory,
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
    making.set(lambda **config: meeting(hearing, **config))
    hearing, mind, mouth = ear(), mind or Mind(), mouth or Mouth()
    pipeline = Pipeline(llm=realtime) if realtime else Pipeline(stt=hearing, llm=mind, tts=mouth)
    live = session(pipeline) if session else AgentSession(agent=agent(), pipeline=pipeline)
    if on_session:
        on_session(live)
    await context.connect()
    assert isinstance(context.room, VideoSDKHandler)
    call = Call(live, context, context.room.meeting, hearing, mind, mouth, realtime)
    context.room.setup_session_end_callback(call.ended.append)
    if caller:
        call.meeting.joins(CALLER, caller)
    await live.start()
    return call
