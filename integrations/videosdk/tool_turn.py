"""A turn of the session that waits for its tool, parted in two: what was said before the tool, and the rest.

The framework says a turn in one piece. From its first word to its last it holds the synthesiser, the tool's
time included, and a tool that waits for a transfer takes until the transfer is over. So the text before the
tool is ended where it is; it is said to its end, and the synthesiser is free. What the model writes once the
tool has returned is gathered here, for whoever says it when its time has come.

The text runs from the model to the synthesiser in a queue that is a local variable of two coroutines. There
is no other way to it for a turn that began before we were asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any

from warmxfer.adapters.rooms.videosdk.framework import pipeline_of

WRITER, SPEAKER = "collector", "tts_consumer"
"""The two coroutines, by the names they have in the framework's `PipelineOrchestrator`."""


class ToolTurn:
    """One turn. To be parted once."""

    def __init__(self, orchestrator: Any, writer: asyncio.Task[Any], speaker: asyncio.Task[Any]) -> None:
        known = _locals(writer)
        self._orchestrator = orchestrator
        self._generation = orchestrator._current_generation_task
        self._handle = known["handle"]
        self._words: asyncio.Queue[str | None] = known["q"]
        self._writer = writer
        self._speaker = speaker
        self._parting: asyncio.Task[None] | None = None

    async def split(self) -> None:
        """End the text before the tool; return when it was said. Cancelling leaves it parted."""
        self._parting = asyncio.create_task(self._words.put(None))
        await asyncio.wait([self._speaker])

    async def rest(self) -> str:
        """What the turn says after its tool, once that is complete: it takes as long as the tool does."""
        await asyncio.wait([self._speaker])
        ending = asyncio.create_task(self._end_with_writer())
        words = list[str]()
        while (word := await self._words.get()) is not None:
            words.append(word)
        ending.cancel()
        return await self._as_spoken("".join(words))

    @property
    def is_over(self) -> bool:
        """Whether the caller has cut the turn, or has begun another: then its rest is not for saying."""
        orchestrator = self._orchestrator
        another = orchestrator._current_generation_task is not self._generation
        return bool(self._handle.interrupted or orchestrator._is_interrupted or another)

    async def _end_with_writer(self) -> None:
        await asyncio.wait([self._writer])
        await self._words.put(None)

    async def _as_spoken(self, text: str) -> str:
        """`text` as the user's own hook has it said."""
        hooks = self._orchestrator.hooks
        if not text or not hooks or not hooks.has_llm_stream_hook():
            return text
        parts = [part async for part in hooks.process_llm_stream(_one(text))]
        return "".join(part for part in parts if isinstance(part, str))


def turn_in_tool(session: Any) -> ToolTurn | None:
    """The turn that holds the synthesiser while it waits for its tool; None when there is none."""
    orchestrator = getattr(pipeline_of(session), "orchestrator", None)
    if orchestrator is None or not getattr(session, "_is_executing_tool", False):
        return None
    tasks = {name: task for task in _candidates(orchestrator) if (name := _part_of(orchestrator, task))}
    return ToolTurn(orchestrator, tasks[WRITER], tasks[SPEAKER]) if len(tasks) == 2 else None


def is_speaking(session: Any) -> bool:
    """Whether the synthesiser is held by somebody."""
    orchestrator = getattr(pipeline_of(session), "orchestrator", None)
    lock = getattr(getattr(orchestrator, "speech_generation", None), "tts_lock", None)
    return lock is not None and lock.locked()


def _candidates(orchestrator: Any) -> Iterable[asyncio.Task[Any]]:
    """The two parts of the turn that answers the caller; of any other turn, which nobody keeps, all there is.

    To look through all tasks takes as long as there are calls in the process.
    """
    turn = getattr(orchestrator, "_current_generation_task", None)
    if turn is None or turn.done():
        return asyncio.all_tasks()
    return [task for task in _locals(turn).values() if isinstance(task, asyncio.Task)]


def _part_of(orchestrator: Any, task: asyncio.Task[Any]) -> str | None:
    """Which part of a turn of `orchestrator` this is, if any. A turn that was cut is none any more."""
    name = getattr(task.get_coro(), "__name__", None)
    if name not in (WRITER, SPEAKER):
        return None
    known = _locals(task)
    mine = known.get("self") is orchestrator and "q" in known
    return name if mine and not known["handle"].interrupted else None


def _locals(task: asyncio.Task[Any]) -> dict[str, Any]:
    frame = getattr(task.get_coro(), "cr_frame", None)
    return dict(frame.f_locals) if frame is not None else {}


async def _one(text: str) -> AsyncIterator[str]:
    yield text
