"""A framework `AgentSession` in one room that never replies by itself.

Invariants:

- The pipeline runs without its LLM, so nothing in it can take a turn. Transcripts go to a callback, lines
  come from `say`.
- The session lives in a contextvars context of its own: the framework finds room, events and metrics there.
- Each step of `close` has a deadline. The room is left first, so that a component that hangs cannot keep the
  agent in the room.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import structlog

from warmxfer.schemas import InvalidRequest, RetryableError, RoomToken

from ..room_client import JoinOptions, RoomEvent
from ..settings import PipelineFactory
from .framework import (
    Agent,
    AgentSession,
    JobContext,
    MetricsOptions,
    RoomOptions,
    TracesOptions,
    UtteranceHandle,
    VoiceMailDetector,
    accept_input,
    detach_pipeline,
    enter_session_scope,
    set_current_job,
    set_pipeline,
)
from .framework_patches import without_gc_collect
from .framework_speech import end_of, on_final_transcript, reset_interrupt
from .pipeline_check import make_pipeline
from .room import FrameworkRoom

CLOSE_TIMEOUT_S = 2.0
"""Limits each step of `close`."""

DETECT_AFTER_S = 2.0
"""How long the framework's voicemail detector listens before it decides."""

UNWATCHED = {"metrics": MetricsOptions(enabled=False), "traces": TracesOptions(enabled=False)}
"""Send what the supervisor says only to the pipeline's components, and to no dashboard."""

log = structlog.get_logger(__name__)


def silence_framework_logs() -> None:
    """Hide the framework's warnings, which quote transcripts. For a process that only briefs."""
    logging.getLogger("videosdk.agents").setLevel(logging.ERROR)


@dataclass(frozen=True, slots=True)
class SessionCallbacks:
    """Callbacks for room events, transcripts of the supervisor (text, unfinished), and a voicemail."""

    room_event: Callable[[RoomEvent], None]
    transcript: Callable[[str, bool], None]
    voicemail: Callable[[], None]


class SilentAgentSession:
    """One session. Build, enter and close it in the same context."""

    def __init__(
        self,
        options: JoinOptions,
        token: RoomToken,
        factory: PipelineFactory,
        callbacks: SessionCallbacks,
    ) -> None:
        """Raises `InvalidRequest` for a token without a server address, or a pipeline that cannot brief."""
        if factory.scope is None:
            enter_session_scope()
        self._callbacks = callbacks
        self._give_back, self._started = factory.give_back, False
        host = _signaling_host(token)
        self._context = JobContext(room_options=_room_options(options, token, host))
        set_current_job(self._context)
        self._pipeline = make_pipeline(factory)
        set_pipeline(self._context, self._pipeline)
        self.llm, self._pipeline.llm = self._pipeline.llm, None
        self._agent_session = AgentSession(
            agent=_SilentAgent(),
            pipeline=self._pipeline,
            voice_mail_detector=self._detector(factory.detector or self.llm),
        )
        self.room = self._context.room = FrameworkRoom(
            on_event=callbacks.room_event,
            listens_to=options.listens_to,
            token=token.token,
            host=host,
            meeting_id=options.room_id,
            name=options.name,
            agent_participant_id=options.participant_id,
            agent_id=self._pipeline.agent.id,
            pipeline=self._pipeline,
            loop=asyncio.get_running_loop(),
            auto_end_session=False,
            no_participant_timeout_seconds=None,
            owns_session_metrics=False,
            metrics_options=UNWATCHED["metrics"],
            traces_options=UNWATCHED["traces"],
        )

        self.reports_keys = False

    async def enter(self) -> None:
        """Join the room and start to listen. Raises `RetryableError`; the caller sets the deadline."""
        try:
            await self._context.connect()
            await self.room.entered
            self._started = True
            await self._agent_session.start()
            self.reports_keys = await self.room.subscribe_keys()
        except (RetryableError, TimeoutError):
            raise
        except Exception as error:  # a vendor's component may raise anything
            raise RetryableError(
                f"Room {self.room.meeting_id} was not entered ({type(error).__name__})"
            ) from error
        on_final_transcript(self._pipeline, self._on_transcript)

    @property
    def session_id(self) -> str | None:
        """The id of the room's session; None until the cloud has sent it."""
        return getattr(self.room.meeting, "session_id", None)

    def listen(self, enabled: bool) -> None:
        accept_input(self._agent_session, enabled)

    async def say(self, text: str, line: UtteranceHandle) -> bool:
        """Say `text` as `line`; return whether it was interrupted. Cancelling stops the speech."""
        orchestrator = self._pipeline.orchestrator
        reset_interrupt(orchestrator)
        self._agent_session.current_utterance = line
        saying = asyncio.create_task(self._pipeline.send_message(text, handle=line))
        try:
            await asyncio.wait((saying, end_of(line)), return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not saying.done():
                saying.cancel()
                await _within("speech", orchestrator.interrupt)
        await asyncio.wait((saying,), timeout=CLOSE_TIMEOUT_S)
        if not saying.done():
            log.warning("line_abandoned", room=self.room.meeting_id, timeout_s=CLOSE_TIMEOUT_S)
            return True
        failed = None if saying.cancelled() else saying.exception()
        if failed is not None:
            log.warning("line_failed", room=self.room.meeting_id, error=type(failed).__name__)
        return line.interrupted or saying.cancelled() or failed is not None

    async def close(self) -> None:
        """Leave the room, then close session and job. Never raises; each step has `CLOSE_TIMEOUT_S`.

        A pipeline that never started is given back, if its factory takes it.
        """
        self._pipeline.llm = self.llm
        if self._give_back is not None and not self._started:
            detach_pipeline(self._agent_session, self._context)
            self._give_back(self._pipeline)
        with without_gc_collect():
            await _within("room", self.room.leave)
            await _within("session", self._agent_session.close)
            await _within("job", self._context.shutdown)

    def _on_transcript(self, transcript: dict[str, Any]) -> None:
        if text := str(transcript.get("text") or "").strip():
            # A watchdog of the framework makes a stalled interim hypothesis final.
            self._callbacks.transcript(text, bool(transcript.get("force_finalized")))

    def _detector(self, llm: Any) -> Any:
        async def on_voicemail() -> None:
            self._callbacks.voicemail()

        return VoiceMailDetector(llm, on_voicemail, DETECT_AFTER_S) if llm is not None else None


class _SilentAgent(Agent):
    """An agent that says nothing: the briefing worker decides what is said."""

    def __init__(self) -> None:
        super().__init__(instructions="")

    async def on_enter(self) -> None:
        """Say nothing on entering."""

    async def on_exit(self) -> None:
        """Say nothing on leaving."""


async def _within(part: str, stop: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run `stop` for at most `CLOSE_TIMEOUT_S`; log its error. Never raises.

    Does not wait for a task that ignores its cancellation.
    """
    stopping = asyncio.create_task(stop())
    done, _ = await asyncio.wait((stopping,), timeout=CLOSE_TIMEOUT_S)
    if not done:
        stopping.cancel()
        log.warning("closing_abandoned", part=part, timeout_s=CLOSE_TIMEOUT_S)
    elif not stopping.cancelled() and (error := stopping.exception()):
        log.warning("closing_failed", part=part, error=type(error).__name__)


def _signaling_host(token: RoomToken) -> str:
    host = urlsplit(token.signaling_url).netloc
    if not host:
        raise InvalidRequest("signaling_url is no http(s) address; set the gateway's provider base URL")
    return host


def _room_options(options: JoinOptions, token: RoomToken, host: str) -> Any:
    return RoomOptions(
        room_id=options.room_id,
        auth_token=token.token,
        name=options.name,
        agent_participant_id=options.participant_id,
        signaling_base_url=host,
        playground=False,
        **UNWATCHED,
        join_meeting=False,  # otherwise the framework makes a room handler of its own class
    )
