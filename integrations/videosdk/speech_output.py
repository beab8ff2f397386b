"""Speech of one session during a transfer: uninterruptible lines, interruptible lines, rest of a turn.

An uninterruptible line does not use `say()`, which would take input again. It is the session's current
utterance, because barge-in checks that. It waits for the current speech to end, but not for a tool: see
`tool_turn.py`.

The rest of a tool's turn is what the AI says to the tool's return value. It is said after the caller was
released, behind the apology. If the AI has left, it is dropped.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import structlog

from warmxfer.actors.primary import OwnLines
from warmxfer.adapters.rooms.videosdk.framework import (
    ChatRole,
    UtteranceHandle,
    is_executing_tool,
    is_room_disconnected,
    pipeline_of,
)
from warmxfer.adapters.rooms.videosdk.framework_speech import is_speaking, queue_behind_line, stop_speech

from .tool_turn import ToolTurn, turn_in_tool

PLAY_OUT_TIMEOUT_S = 20.0
"""How long a line waits for the current speech to end."""

APOLOGY_FIRST_S = 0.2
"""How long the rest of a turn waits after the release, so that an apology can begin before it."""

REST_TIMEOUT_S = 60.0
"""Limits the speech of the rest of a turn."""

PAUSE_S = 0.05

log = structlog.get_logger(__name__)


class SpeechOutput:
    """Speech of one session. It says one line at a time."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._line = asyncio.Lock()
        self._released = asyncio.Event()
        self._released.set()
        self._left = False
        self.own_lines = OwnLines()
        """The lines that were said for a transfer. The AI's own words are not among them."""
        self._rests = set[asyncio.Task[None]]()

    def hold(self) -> None:
        """From now on say only lines: the rest of a turn waits."""
        self._released.clear()

    def release(self) -> None:
        """Let the rest of a turn be said."""
        self._released.set()

    def leave(self) -> None:
        """Drop the rest of a turn."""
        self._left = True
        self._released.set()

    async def say_uninterruptible(self, text: str) -> None:
        """Say `text` after the current speech; return when it was said. Cancelling stops it."""
        session = self._session
        async with self._line:
            pipeline, agent = pipeline_of(session), getattr(session, "agent", None)
            if pipeline is None or agent is None or is_room_disconnected(session):
                return
            await self._let_play_out()
            self.own_lines.add(text)
            agent.chat_context.add_message(role=ChatRole.ASSISTANT, content=text)
            await self._say(text, interruptible=False)

    async def say_interruptible(self, text: str) -> None:
        """Say `text` by `session.say`; return when it was said or interrupted. Cancelling stops it."""
        session = self._session
        async with self._line:
            if pipeline_of(session) is None:
                return
            if self._rests and not is_executing_tool(session):
                # say() would interrupt the turn whose rest is still to be said.
                session.current_utterance = None
            queue_behind_line(session)
            self.own_lines.add(text)
            try:
                await session.say(text, interruptible=True)
            except asyncio.CancelledError:
                await stop_speech(pipeline_of(session))
                raise

    async def _say(self, text: str, *, interruptible: bool) -> None:
        session, pipeline = self._session, pipeline_of(self._session)
        if pipeline is None:
            return
        line = UtteranceHandle(f"warmxfer_{secrets.token_hex(4)}", interruptible=interruptible)
        before, session.current_utterance = session.current_utterance, line
        try:
            await pipeline.send_message(text, handle=line)
            await line
        except asyncio.CancelledError:
            await stop_speech(pipeline)
            raise
        finally:
            if not line.done():
                line.interrupt(force=True)
            # If it stayed the current utterance, the next speech could not be interrupted.
            if session.current_utterance is line:
                session.current_utterance = None if before is None or before.done() else before

    # ── the end of the current speech ────────────────────────────────────────────────────────────

    async def _let_play_out(self) -> None:
        """Return when nothing is being said, or after `PLAY_OUT_TIMEOUT_S`. Does not wait for a tool."""
        try:
            async with asyncio.timeout(PLAY_OUT_TIMEOUT_S):
                while is_speaking(self._session):
                    if turn := turn_in_tool(self._session):
                        self._begin_rest(turn)
                        await turn.split()
                    else:
                        await asyncio.sleep(PAUSE_S)
        except TimeoutError:
            log.warning("speech_timed_out", timeout_s=PLAY_OUT_TIMEOUT_S)

    # ── the rest of a turn ───────────────────────────────────────────────────────────────────────

    def _begin_rest(self, turn: ToolTurn) -> None:
        task = asyncio.create_task(self._say_rest(turn), name="warmxfer-rest")
        self._rests.add(task)
        task.add_done_callback(self._end_rest)

    def _end_rest(self, task: asyncio.Task[None]) -> None:
        self._rests.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("turn_rest_failed", error=type(error).__name__)

    async def _say_rest(self, turn: ToolTurn) -> None:
        text = await turn.rest()
        await self._released.wait()
        await asyncio.sleep(APOLOGY_FIRST_S)
        async with self._line:
            if not text.strip() or turn.is_over or self._left:
                return
            try:
                async with asyncio.timeout(REST_TIMEOUT_S):
                    await self._say(text, interruptible=True)
            except TimeoutError:
                log.warning("speech_timed_out", timeout_s=REST_TIMEOUT_S)
