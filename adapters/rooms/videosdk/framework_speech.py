"""The undocumented parts of the framework's speech: interruption, and the turn that is being said.

Read in `videosdk-agents` 1.0.30; see `framework.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from .framework import UtteranceHandle, is_realtime, pipeline_of


def sends_audio_to_model(pipeline: Any) -> bool:
    """Return whether the caller's audio goes into a realtime model without speech recognition before it."""
    mode = getattr(getattr(pipeline, "config", None), "realtime_mode", None)
    return is_realtime(pipeline) and getattr(mode, "value", mode) != "hybrid_stt"


def on_final_transcript(pipeline: Any, handler: Callable[[dict[str, Any]], None]) -> None:
    """Call `handler` with each final transcript (1.0.30)."""
    pipeline.orchestrator.speech_understanding.on("transcript_final", handler)


def reset_interrupt(orchestrator: Any) -> None:
    """Make the next line interruptible again (1.0.30).

    The framework does this before an answer of its own. Without it only the first line can be interrupted.
    """
    orchestrator._is_interrupted = False
    orchestrator.speech_generation.reset_interrupt()


def end_of(line: UtteranceHandle) -> asyncio.Future[None]:
    """Return the future that is done once `line` was said or interrupted (1.0.30)."""
    return line._done_fut


def is_speaking(session: Any) -> bool:
    """Return whether the synthesiser is in use (1.0.30)."""
    orchestrator = getattr(pipeline_of(session), "orchestrator", None)
    lock = getattr(getattr(orchestrator, "speech_generation", None), "tts_lock", None)
    return lock is not None and lock.locked()


def queue_behind_line(session: Any) -> None:
    """Let the next `say()` of the session follow a line that cannot be interrupted (1.0.30).

    `say()` interrupts the current utterance, and raises `RuntimeError` if that is not allowed. The
    synthesiser says one text after the other, whichever utterance is current.
    """
    line = session.current_utterance
    if line is not None and not line.done() and not line.is_interruptible:
        session.current_utterance = None


async def stop_speech(pipeline: Any) -> None:
    """Stop the current speech only (1.0.30). Interrupting the pipeline would also cancel a running tool."""
    speaker = (
        getattr(getattr(pipeline, "orchestrator", None), "speech_generation", None)
        or getattr(pipeline, "speech_generation", None)
        or getattr(pipeline, "_realtime_model", None)
    )
    if speaker is not None:
        await speaker.interrupt()


# ── turns ────────────────────────────────────────────────────────────────────────────────────────

WRITER, SPEAKER = "collector", "tts_consumer"
"""The two coroutines of a turn, by their names in `PipelineOrchestrator` (1.0.30)."""


class TurnTasks(NamedTuple):
    """A turn that is being said: the model writes into `text`, the synthesiser reads from it."""

    writer: asyncio.Task[Any]
    speaker: asyncio.Task[Any]
    handle: Any
    text: asyncio.Queue[str | None]


def generation_of(orchestrator: Any) -> Any:
    """Return the task of the turn that replies to the caller, or None (1.0.30)."""
    return getattr(orchestrator, "_current_generation_task", None)


def is_interrupted(orchestrator: Any) -> bool:
    """Return whether the caller interrupted the current turn (1.0.30)."""
    return orchestrator._is_interrupted


def turn_tasks_of(orchestrator: Any) -> TurnTasks | None:
    """Return the tasks of the turn that is being said, or None (1.0.30).

    Queue and handle are local variables of two coroutines. A turn that began before the transfer was
    requested can be reached in no other way.
    """
    tasks = {name: task for task in _candidates(orchestrator) if (name := _part_name(orchestrator, task))}
    if len(tasks) != 2:
        return None
    known = _locals(tasks[WRITER])
    return TurnTasks(tasks[WRITER], tasks[SPEAKER], known["handle"], known["q"])


def _candidates(orchestrator: Any) -> Iterable[asyncio.Task[Any]]:
    """Return the two tasks of the turn that replies to the caller; for any other turn, all tasks.

    The framework keeps no reference to another turn. A search through all tasks takes time for each call in
    the process.
    """
    turn = generation_of(orchestrator)
    if turn is None or turn.done():
        return asyncio.all_tasks()
    return [task for task in _locals(turn).values() if isinstance(task, asyncio.Task)]


def _part_name(orchestrator: Any, task: asyncio.Task[Any]) -> str | None:
    """Return which part of a turn of `orchestrator` the task is; None for an interrupted turn."""
    name = getattr(task.get_coro(), "__name__", None)
    if name not in (WRITER, SPEAKER):
        return None
    known = _locals(task)
    belongs = known.get("self") is orchestrator and "q" in known
    return name if belongs and not known["handle"].interrupted else None


def _locals(task: asyncio.Task[Any]) -> dict[str, Any]:
    frame = getattr(task.get_coro(), "cr_frame", None)
    return dict(frame.f_locals) if frame is not None else {}
