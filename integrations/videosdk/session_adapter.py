"""Adapter of a live `AgentSession` to the port of `warmxfer.actors.primary`.

Invariants:

- Each method may be called at any time, also after the session was closed; it then does nothing.
- The caller of a method sets its deadline. Only work that outlives the call has a deadline here.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine
from typing import Any

import structlog

from warmxfer.adapters.rooms.videosdk.framework import (
    context_of,
    events_of,
    model_of,
    pipeline_of,
    room_id_of,
    room_of,
)
from warmxfer.adapters.rooms.videosdk.framework_patches import without_gc_collect
from warmxfer.schemas import PhaseChanged, TranscriptTurn, WarmTransferPhase, is_known

from .auto_end import AutoEnd
from .caller_recording import CallerRecordings
from .input_mute import InputMute
from .participants import caller_in
from .per_session import per_session
from .result_mapping import to_payload
from .speech_output import SpeechOutput
from .transcript import summarize, turns_of

LEAVE_TIMEOUT_S = 5.0
LAST_PHASE_TIMEOUT_S = 5.0
"""How long a session that was left waits until its handlers received the last phase."""

SHUTDOWN_TIMEOUT_S = 60.0
RESUME_TIMEOUT_S = 15.0
MAX_EMITTED = 64
"""How many phases are remembered, so that none is emitted twice."""

log = structlog.get_logger(__name__)


class AgentSessionAdapter:
    """One live session. Thread/loop: make it on the session's loop, in the session's context."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.summary_model: Any = None
        """A framework's LLM that writes the summary instead of the session's own."""
        self.last_phase: WarmTransferPhase | None = None
        """The phase emitted last. Whatever starts a transfer sets it to None before."""
        self._room_id = room_id_of(session)
        self._events = events_of(session)
        self._input = per_session(session, InputMute)
        self._speech = per_session(session, SpeechOutput)
        self._auto_end = per_session(session, AutoEnd)
        self._recordings = per_session(session, CallerRecordings)
        self._emitted: deque[tuple[WarmTransferPhase, int, float]] = deque(maxlen=MAX_EMITTED)
        self._all_emitted = asyncio.Event()
        self._all_emitted.set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def room_id(self) -> str:
        """The room's id, also after the room was left; empty before the job is connected."""
        self._room_id = self._room_id or room_id_of(self.session)
        return self._room_id or ""

    @property
    def caller_participant_id(self) -> str | None:
        return caller_in(room_of(self.session))

    async def mute(self) -> None:
        self._input.mute()
        self._speech.hold()

    async def unmute(self) -> None:
        self._input.unmute()
        self._speech.release()
        self._begin("resume-recordings", self._recordings.resume(), RESUME_TIMEOUT_S)

    async def suspend_auto_end(self) -> None:
        self._auto_end.suspend()

    async def restore_auto_end(self) -> None:
        self._auto_end.restore()

    async def say(self, text: str, *, interruptible: bool) -> None:
        say = self._speech.say_interruptible if interruptible else self._speech.say_uninterruptible
        await say(text)

    async def history(self) -> list[TranscriptTurn]:
        return self._speech.own_lines.without(turns_of(self.session))

    async def summarize(self, prompt: str) -> str | None:
        model = self.summary_model or model_of(self.session)
        return await summarize(model, await self.history(), prompt) if model else None

    async def leave(self) -> None:
        """Close the pipeline, then end the job. The room is left even if the pipeline does not close."""
        context = context_of(self.session)
        self._speech.leave()
        try:
            if pipeline_of(self.session) is not None:
                with without_gc_collect():
                    async with asyncio.timeout(LEAVE_TIMEOUT_S):
                        await self.session.leave()
        finally:
            if context is not None:
                self._begin("shutdown", self._shut_down(context), SHUTDOWN_TIMEOUT_S)

    async def on_phase(self, phase: PhaseChanged) -> None:
        self.emit_phase(phase)

    # ── the framework's own events ───────────────────────────────────────────────────────────────

    def emit_phase(self, phase: PhaseChanged) -> None:
        """Emit `phase` as upstream does: on the session, and as `WARM_TRANSFER` on its event bus. Idempotent.

        Each phase may come twice: the primary follows a transfer from the hold on, the drop-in from the
        request. A phase of a newer version is not emitted, because upstream has no word for it.
        """
        if not is_known(phase.phase):
            return
        key = (phase.phase, phase.seq, phase.timestamp)
        if key in self._emitted:
            return
        self._emitted.append(key)
        self._all_emitted.clear()
        payload = to_payload(phase)
        self.session.emit("warm_transfer", payload)
        self._events.emit("WARM_TRANSFER", {**payload, "phase": phase.phase.value})
        if phase.phase is WarmTransferPhase.BRIEFING_STARTED:
            self._begin("close-recordings", self._recordings.stop(), None)
        self.last_phase = phase.phase
        if phase.phase.final:
            self._all_emitted.set()

    async def wait_phases_emitted(self) -> None:
        """Return when the last phase of a running transfer was emitted, or after `LAST_PHASE_TIMEOUT_S`."""
        try:
            async with asyncio.timeout(LAST_PHASE_TIMEOUT_S):
                await self._all_emitted.wait()
        except TimeoutError:
            log.warning("last_phase_missed", room_id=self.room_id, timeout_s=LAST_PHASE_TIMEOUT_S)

    async def _shut_down(self, context: Any) -> None:
        await self.wait_phases_emitted()
        with without_gc_collect():
            await context.shutdown()

    def _begin(self, name: str, work: Coroutine[Any, Any, None], timeout_s: float | None) -> None:
        task = asyncio.create_task(self._finish(name, work, timeout_s), name=f"warmxfer-{name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _finish(self, name: str, work: Coroutine[Any, Any, None], timeout_s: float | None) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                await work
        except Exception as error:
            log.error("session_work_failed", work=name, room_id=self.room_id, error=type(error).__name__)
