"""`RoomClient` of a VideoSDK room, through a session of the framework.

Invariants:

- One task says one line at a time. A line is over when its utterance has ended, for any reason.
- Each attempt to join makes a new session; a failed attempt closes it.
- A lost connection is not restored here: a worker joins again with the same participant id.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Coroutine
from typing import Any, TypeVar

import structlog

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
from .agent_session import CLOSE_TIMEOUT_S, SessionCallbacks, SilentAgentSession
from .chat_model import FrameworkChatModel
from .framework import UtteranceHandle

JOIN_TIMEOUT_S = 10.0

T = TypeVar("T")

log = structlog.get_logger(__name__)


class VideoSDKRoomClient:
    """`RoomClient` for `WARMXFER_VOICE=videosdk`."""

    def __init__(self, options: JoinOptions, factory: PipelineFactory) -> None:
        self._options = options
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

    @property
    def reports_keys(self) -> bool:
        return self._session is not None and self._session.reports_keys

    async def join(self) -> RoomSnapshot:
        scope = self._factory.scope
        self._context = scope.copy() if scope is not None else contextvars.copy_context()
        self._roster = Roster()
        return await self._run_in_context(self._join())

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
        speaking = self._speaking
        if speaking is not None:
            # A component that ignores its cancellation must not keep the agent in the room.
            speaking.cancel()
            await asyncio.wait({speaking}, timeout=CLOSE_TIMEOUT_S)
        if session is not None:
            await self._run_in_context(session.close())

    # ── session ──────────────────────────────────────────────────────────────────────────────────

    async def _run_in_context(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` in the session's context. Cancelling this cancels `work`."""
        return await asyncio.create_task(work, context=self._context)

    async def _join(self) -> RoomSnapshot:
        try:
            async with asyncio.timeout(JOIN_TIMEOUT_S):
                session = await self._open_session()
        except TimeoutError:
            raise RetryableError(
                f"Room {self._options.room_id} did not open within {JOIN_TIMEOUT_S:g} s"
            ) from None
        session.listen(self._listening)
        self._session = session
        name = f"voice-{self._options.participant_id}"
        self._speaking = asyncio.create_task(self._speak(session), name=name)
        return RoomSnapshot(self._options.room_id, session.session_id, self._roster.others)

    async def _open_session(self) -> SilentAgentSession:
        token = await self._options.token_source()
        callbacks = SessionCallbacks(self._on_room_event, self._on_transcript, self._on_voicemail)
        session = SilentAgentSession(self._options, token, self._factory, callbacks)
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
            log.error("room_client_failed", room=self._options.room_id, exception=format_traceback(error))
            self._end(DisconnectReason.LOST)

    def _end(self, reason: DisconnectReason | None) -> None:
        self._utterances.close()
        self._events.end(reason)

    # ── callbacks of the session ─────────────────────────────────────────────────────────────────

    def _on_room_event(self, event: RoomEvent) -> None:
        """Publish `event`. Events before the end of `join` are part of the snapshot that it returns."""
        if isinstance(event, Disconnected):
            self._end(event.reason)
            return
        for change in self._roster.apply(event):
            if self._session is not None:
                self._publish(change)

    def _on_transcript(self, text: str, unfinished: bool) -> None:
        if self._options.listens_to is not None:
            self._publish(UtteranceHeard(self._options.listens_to, text, unfinished))

    def _on_voicemail(self) -> None:
        if self._options.listens_to is not None:
            self._publish(VoicemailSuspected(self._options.listens_to))

    def _publish(self, event: RoomEvent) -> None:
        if not self._events.put(event):
            self._end(DisconnectReason.LOST)
