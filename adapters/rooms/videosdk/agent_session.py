"""One `AgentSession` of the framework in one room: it hears and speaks, and never answers by itself.

The law of this file: the pipeline runs without its LLM, so there is nothing in it that could take a turn;
what is heard is handed out, what is said is handed in. All of it lives in one context of its own (the
framework finds its room, events and metrics by contextvar), and every step of closing has a deadline, the
room first: whatever hangs behind it, nobody is left talking to us.
"""

# pyright: reportMissingImports=false
# The extra is not installed where the rest of the house is type-checked.

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import structlog
from videosdk.agents import (
    Agent,
    AgentSession,
    JobContext,
    MetricsOptions,
    RoomOptions,
    TracesOptions,
    VoiceMailDetector,
)
from videosdk.agents.job import _enter_session_scope, _set_current_job_context

from warmxfer.schemas import InvalidRequest, RetryableError, RoomToken

from ..room_client import JoinOptions, RoomEvent
from ..settings import PipelineFactory
from .gc_guard import without_gc_collect
from .pipeline_check import make_pipeline
from .room import FrameworkRoom

CLOSE_TIMEOUT_S = 2.0
DETECT_AFTER_S = 2.0
"""How long the framework's detector listens before it decides whether a machine is speaking."""

UNWATCHED = {"metrics": MetricsOptions(enabled=False), "traces": TracesOptions(enabled=False)}
"""What the supervisor says goes to the pipeline's own components and to nobody's dashboard."""

log = structlog.get_logger(__name__)


def silence_framework_logs() -> None:
    """For a process that only briefs: the framework quotes what it heard in its warnings."""
    logging.getLogger("videosdk.agents").setLevel(logging.ERROR)


@dataclass(frozen=True, slots=True)
class SessionCallbacks:
    """Whom to tell: what happens in the room, a turn that was heard, a voice that is a machine's."""

    notice: Callable[[RoomEvent], None]
    heard: Callable[[str], None]
    machine: Callable[[], None]


class SilentAgentSession:
    """Built, entered and closed in the task context that first touches it."""

    def __init__(
        self, seat: JoinOptions, ticket: RoomToken, factory: PipelineFactory, hearing: SessionCallbacks
    ) -> None:
        """Raises `Refused` for a ticket or a factory that will not do."""
        if factory.scope is None:
            _enter_session_scope()
        self._hearing = hearing
        self._context = JobContext(room_options=_options(seat, ticket))
        _set_current_job_context(self._context)
        self._pipeline = make_pipeline(factory)
        # One that was made before there was a job could not put itself down for it.
        self._context._set_pipeline_internal(self._pipeline)
        self.llm, self._pipeline.llm = self._pipeline.llm, None
        self._agent_session = AgentSession(
            agent=_Silent(),
            pipeline=self._pipeline,
            voice_mail_detector=self._detector(factory.detector or self.llm),
        )
        self.room = self._context.room = FrameworkRoom(
            notice=hearing.notice,
            listens_to=seat.listens_to,
            meeting_id=seat.room_id,
            auth_token=ticket.token,
            name=seat.name,
            agent_participant_id=seat.participant_id,
            agent_id=self._pipeline.agent.id,
            pipeline=self._pipeline,
            loop=asyncio.get_running_loop(),
            auto_end_session=False,
            no_participant_timeout_seconds=None,
            owns_session_metrics=False,
            metrics_options=UNWATCHED["metrics"],
            traces_options=UNWATCHED["traces"],
            signaling_base_url=self._context.room_options.signaling_base_url,
        )

    async def enter(self) -> None:
        """Be in the room, with open ears. Raises `Retry`; how long it may take is the caller's to say."""
        try:
            await self._context.connect()
            await self.room.entered
            await self._agent_session.start()
        except (RetryableError, TimeoutError):
            raise
        except Exception as error:  # a vendor's component: it may fail in any way
            raise RetryableError(
                f"Room {self.room.meeting_id} was not entered ({type(error).__name__})"
            ) from error
        self._pipeline.orchestrator.speech_understanding.on("transcript_final", self._hear)

    @property
    def session_id(self) -> str | None:
        """The room's session, as soon as the cloud has told."""
        return getattr(self.room.meeting, "session_id", None)

    def listen(self, enabled: bool) -> None:
        self._agent_session._accept_user_input = enabled

    async def say(self, text: str, line: Any) -> bool:
        """Say `text` as the `UtteranceHandle` `line`; was it interrupted? Cancelling stops it."""
        orchestrator = self._pipeline.orchestrator
        # As the framework does before an answer of its own: else only the first line could be cut.
        orchestrator._is_interrupted = False
        orchestrator.speech_generation.reset_interrupt()
        self._agent_session.current_utterance = line
        saying = asyncio.create_task(self._pipeline.send_message(text, handle=line))
        try:
            await asyncio.wait((saying, line._done_fut), return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not saying.done():
                saying.cancel()
                await _within("speech", orchestrator.interrupt)
        (failed,) = await asyncio.gather(saying, return_exceptions=True)
        if isinstance(failed, Exception):
            log.warning("line_failed", room=self.room.meeting_id, error=type(failed).__name__)
        return line.interrupted or failed is not None

    async def close(self) -> None:
        """Leave the room, then let go of everything else; never raises, never hangs."""
        self._pipeline.llm = self.llm
        with without_gc_collect():
            await _within("room", self.room.leave)
            await _within("session", self._agent_session.close)
            await _within("job", self._context.shutdown)

    def _hear(self, told: dict[str, Any]) -> None:
        if text := str(told.get("text") or "").strip():
            self._hearing.heard(text)

    def _detector(self, llm: Any) -> Any:
        async def machine() -> None:
            self._hearing.machine()

        return VoiceMailDetector(llm, machine, DETECT_AFTER_S) if llm is not None else None


class _Silent(Agent):
    """The framework's agent has nothing to say: the script of the briefing is elsewhere."""

    def __init__(self) -> None:
        super().__init__(instructions="")

    async def on_enter(self) -> None:
        """Who comes is greeted by the script."""

    async def on_exit(self) -> None:
        """Goodbyes, too."""


async def _within(part: str, stop: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Give `stop` its time; what it raises, and a cancelling it does not heed, is its own affair."""
    stopping = asyncio.create_task(stop())
    done, _ = await asyncio.wait((stopping,), timeout=CLOSE_TIMEOUT_S)
    if not done:
        stopping.cancel()
        log.warning("closing_abandoned", part=part, timeout_s=CLOSE_TIMEOUT_S)
    elif not stopping.cancelled() and (error := stopping.exception()):
        log.warning("closing_failed", part=part, error=type(error).__name__)


def _options(seat: JoinOptions, ticket: RoomToken) -> Any:
    host = urlsplit(ticket.signaling_url).netloc
    if not host:
        raise InvalidRequest("signaling_url is no http(s) address; set the gateway's provider base URL")
    return RoomOptions(
        room_id=seat.room_id,
        auth_token=ticket.token,
        name=seat.name,
        agent_participant_id=seat.participant_id,
        signaling_base_url=host,
        playground=False,
        **UNWATCHED,
        join_meeting=False,  # the framework would make a room of its own kind
    )
