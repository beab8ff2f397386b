"""A presence in a room of VideoSDK: a session of the framework behind the port.

The law of this file: one line is said at a time, by one task; it is over when its utterance is, whoever
ended it. A session is made anew for each attempt to join, and closed when the attempt fails. A connection
that is lost is not had back here: another worker, or this one again, takes the seat.
"""

# pyright: reportMissingImports=false
# The extra is not installed where the rest of the house is type-checked.

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Coroutine
from typing import Any, TypeVar

import structlog
from videosdk.agents import UtteranceHandle

from warmxfer.schemas import RetryableError, format_traceback

from ...llm import ChatModel
from ..event_queue import RoomEventQueue
from ..room_client import (
    Disconnected,
    DisconnectReason,
    JoinOptions,
    QueuedUtterance,
    RoomEvent,
    RoomSnapshot,
    UtteranceHeard,
    VoicemailSuspected,
)
from ..roster import Roster
from ..settings import PipelineFactory
from ..utterance_queue import UtteranceQueue
from .agent_session import SessionCallbacks, SilentAgentSession
from .chat_model import FrameworkChatModel

JOIN_TIMEOUT_S = 10.0

T = TypeVar("T")

log = structlog.get_logger(__name__)


class VideoSDKRoomClient:
    """`Voice` for `WARMXFER_VOICE=videosdk`."""

    def __init__(self, seat: JoinOptions, factory: PipelineFactory) -> None:
        self._seat = seat
        self._factory = factory
        self._roster = Roster()
        self._events = RoomEventQueue()
        self._utterances = UtteranceQueue(self._events.put)
        self._lines: asyncio.Queue[tuple[QueuedUtterance, str, bool]] = asyncio.Queue()
        self._context = contextvars.copy_context()
        self._listening = True
        self._session: SilentAgentSession | None = None
        self._speaking: asyncio.Task[None] | None = None

    @property
    def model(self) -> ChatModel | None:
        llm = self._session.llm if self._session else None
        return FrameworkChatModel(llm) if llm is not None else None

    async def join(self) -> RoomSnapshot:
        scope = self._factory.scope
        self._context = scope.copy() if scope is not None else contextvars.copy_context()
        self._roster = Roster()
        return await self._begin(self._enter())

    def events(self) -> AsyncIterator[RoomEvent]:
        return self._events.read()

    def say(self, text: str, *, interruptible: bool = True) -> QueuedUtterance:
        utterance, text = self._utterances.begin(text, interruptible=interruptible)
        if not utterance.ended.done():
            self._lines.put_nowait((utterance, text, interruptible))
        return utterance

    def interrupt(self) -> None:
        for utterance_id in self._utterances.interruptible:
            self._utterances.finish(utterance_id, True)

    def listen(self, enabled: bool) -> None:
        self._listening = enabled
        if self._session is not None:
            self._session.listen(enabled)

    async def leave(self) -> None:
        session, self._session = self._session, None
        self._end(None)
        if self._speaking is not None:
            self._speaking.cancel()
            await asyncio.gather(self._speaking, return_exceptions=True)
        if session is not None:
            await self._begin(session.close())

    # ── the life of a session ────────────────────────────────────────────────────────────────────

    async def _begin(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` in the session's context; cancelling it cancels the work."""
        return await asyncio.create_task(work, context=self._context)

    async def _enter(self) -> RoomSnapshot:
        try:
            async with asyncio.timeout(JOIN_TIMEOUT_S):
                session = await self._opened()
        except TimeoutError:
            raise RetryableError(
                f"Room {self._seat.room_id} did not open within {JOIN_TIMEOUT_S:g} s"
            ) from None
        session.listen(self._listening)
        self._session = session
        self._speaking = asyncio.create_task(self._speak(session), name=f"voice-{self._seat.participant_id}")
        return RoomSnapshot(self._seat.room_id, session.session_id, self._roster.others)

    async def _opened(self) -> SilentAgentSession:
        ticket = await self._seat.token_source()
        hearing = SessionCallbacks(self._notice, self._heard, self._machine)
        session = SilentAgentSession(self._seat, ticket, self._factory, hearing)
        try:
            await session.enter()
        except BaseException:
            await session.close()
            raise
        return session

    async def _speak(self, session: SilentAgentSession) -> None:
        try:
            while True:
                utterance, text, interruptible = await self._lines.get()
                if utterance.ended.done():
                    continue
                line = UtteranceHandle(utterance.id, interruptible=interruptible)
                utterance.ended.add_done_callback(lambda _, line=line: line.interrupt(force=True))
                self._utterances.finish(utterance.id, await session.say(text, line))
        except Exception as error:
            log.error("voice_broke", room=self._seat.room_id, exception=format_traceback(error))
            self._end(DisconnectReason.LOST)

    def _end(self, closing: DisconnectReason | None) -> None:
        self._utterances.close()
        self._events.end(closing)

    # ── what comes in ────────────────────────────────────────────────────────────────────────────

    def _notice(self, event: RoomEvent) -> None:
        """Take note; what happened before we were all there is in the presence that `join` returns."""
        if isinstance(event, Disconnected):
            self._end(event.reason)
            return
        for news in self._roster.apply(event):
            if self._session is not None:
                self._tell(news)

    def _heard(self, text: str) -> None:
        if self._seat.listens_to is not None:
            self._tell(UtteranceHeard(self._seat.listens_to, text))

    def _machine(self) -> None:
        if self._seat.listens_to is not None:
            self._tell(VoicemailSuspected(self._seat.listens_to))

    def _tell(self, event: RoomEvent) -> None:
        if not self._events.put(event):
            self._end(DisconnectReason.LOST)
