"""Speaking on the session: a line the caller cannot cut, one they can, and what a turn has left to say.

A firm line does not go through `say()`, which would take input again. It is the session's current utterance,
because that is what barge-in looks at. It comes behind what is being said, and does not wait for a tool: see
`turn.py`. The rest of a tool's turn, the AI's answer to what the tool returned, comes when the caller is the
AI's again, behind the apology; when the AI has left, it never comes.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import structlog

from warmxfer.adapters.rooms.videosdk.framework import ChatRole, UtteranceHandle, pipeline_of

from .tool_turn import ToolTurn, is_speaking, turn_in_tool

PLAY_OUT_TIMEOUT_S = 20.0
"""How long what is being said may take before our line no longer waits for its end."""

APOLOGY_FIRST_S = 0.2
"""How soon after the release its line begins, if there is one."""

REST_TIMEOUT_S = 60.0
PAUSE_S = 0.05

log = structlog.get_logger(__name__)


class SpeechOutput:
    """The mouth of one session. One of ours speaks at a time."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._line = asyncio.Lock()
        self._free = asyncio.Event()
        self._free.set()
        self._left = False
        self._rests = set[asyncio.Task[None]]()

    def hold(self) -> None:
        """From now on only lines: what a turn has left to say waits."""
        self._free.clear()

    def release(self) -> None:
        """The AI may speak again."""
        self._free.set()

    def leave(self) -> None:
        """What a turn has left to say is dropped."""
        self._left = True
        self._free.set()

    async def say_uninterruptible(self, text: str) -> None:
        """Say `text` behind what is being said; return when it was said. Cancelling stops it."""
        session = self._session
        async with self._line:
            pipeline, agent = pipeline_of(session), getattr(session, "agent", None)
            if pipeline is None or agent is None or session._is_room_disconnected():
                return
            await self._let_play_out()
            agent.chat_context.add_message(role=ChatRole.ASSISTANT, content=text)
            await self._say(text, interruptible=False)

    async def say_interruptible(self, text: str) -> None:
        """Say `text` as the session itself would; return when it was said or cut. Cancelling stops it."""
        session = self._session
        async with self._line:
            if pipeline_of(session) is None:
                return
            if self._rests and not session._is_executing_tool:
                # say() would cut the turn whose rest is still to come.
                session.current_utterance = None
            try:
                await session.say(text, interruptible=True)
            except asyncio.CancelledError:
                await _stop_speech(pipeline_of(session))
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
            await _stop_speech(pipeline)
            raise
        finally:
            if not line.done():
                line.interrupt(force=True)
            # Left in place it would shield from barge-in whatever is said next.
            if session.current_utterance is line:
                session.current_utterance = None if before is None or before.done() else before

    # ── behind what is being said ────────────────────────────────────────────────────────────────

    async def _let_play_out(self) -> None:
        """Return when nothing is being said, or after `PLAY_OUT_TIMEOUT_S`; wait for no tool."""
        try:
            async with asyncio.timeout(PLAY_OUT_TIMEOUT_S):
                while is_speaking(self._session):
                    if turn := turn_in_tool(self._session):
                        self._begin_rest(turn)
                        await turn.split()
                    else:
                        await asyncio.sleep(PAUSE_S)
        except TimeoutError:
            log.warning("speech_not_over", timeout_s=PLAY_OUT_TIMEOUT_S)

    # ── what a turn has left to say ──────────────────────────────────────────────────────────────

    def _begin_rest(self, turn: ToolTurn) -> None:
        task = asyncio.create_task(self._say_rest(turn), name="warmxfer-rest")
        self._rests.add(task)
        task.add_done_callback(self._end_rest)

    def _end_rest(self, task: asyncio.Task[None]) -> None:
        self._rests.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("rest_not_said", error=type(error).__name__)

    async def _say_rest(self, turn: ToolTurn) -> None:
        text = await turn.rest()
        await self._free.wait()
        await asyncio.sleep(APOLOGY_FIRST_S)
        async with self._line:
            if not text.strip() or turn.is_over or self._left:
                return
            try:
                async with asyncio.timeout(REST_TIMEOUT_S):
                    await self._say(text, interruptible=True)
            except TimeoutError:
                log.warning("speech_not_over", timeout_s=REST_TIMEOUT_S)


async def _stop_speech(pipeline: Any) -> None:
    """Stop what is being said, and nothing else: interrupting the pipeline would cancel a running tool."""
    speaker = (
        getattr(getattr(pipeline, "orchestrator", None), "speech_generation", None)
        or getattr(pipeline, "speech_generation", None)
        or getattr(pipeline, "_realtime_model", None)
    )
    if speaker is not None:
        await speaker.interrupt()
