"""Splits a turn that waits for its tool into two parts: the text before the tool, and the rest.

The framework says a turn in one piece. The turn holds the synthesiser from its first word to its last, also
while its tool runs. A tool that waits for a transfer runs until the transfer is over. So the text before the
tool is ended where it is: it is said completely, and the synthesiser is free. The text that the model writes
after the tool has returned is collected here, and said later.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from warmxfer.adapters.rooms.videosdk.framework import is_executing_tool, pipeline_of
from warmxfer.adapters.rooms.videosdk.framework_speech import (
    TurnTasks,
    generation_of,
    is_interrupted,
    turn_tasks_of,
)


class ToolTurn:
    """One turn. Split it at most once."""

    def __init__(self, orchestrator: Any, tasks: TurnTasks) -> None:
        self._orchestrator = orchestrator
        self._generation = generation_of(orchestrator)
        self._tasks = tasks
        self._splitting: asyncio.Task[None] | None = None

    async def split(self) -> None:
        """End the text before the tool; return when it was said. Cancelling does not undo the split."""
        self._splitting = asyncio.create_task(self._tasks.text.put(None))
        await asyncio.wait([self._tasks.speaker])

    async def rest(self) -> str:
        """Return the text after the tool, once it is complete: that takes as long as the tool does."""
        await asyncio.wait([self._tasks.speaker])
        ending = asyncio.create_task(self._end_with_writer())
        words = list[str]()
        while (word := await self._tasks.text.get()) is not None:
            words.append(word)
        ending.cancel()
        return await self._as_spoken("".join(words))

    @property
    def is_over(self) -> bool:
        """Whether the caller interrupted the turn or began another one. Its rest is then not said."""
        orchestrator = self._orchestrator
        replaced = generation_of(orchestrator) is not self._generation
        return bool(self._tasks.handle.interrupted or is_interrupted(orchestrator) or replaced)

    async def _end_with_writer(self) -> None:
        await asyncio.wait([self._tasks.writer])
        await self._tasks.text.put(None)

    async def _as_spoken(self, text: str) -> str:
        """Return `text` as the user's own hook changes it."""
        hooks = self._orchestrator.hooks
        if not text or not hooks or not hooks.has_llm_stream_hook():
            return text
        parts = [part async for part in hooks.process_llm_stream(_stream(text))]
        return "".join(part for part in parts if isinstance(part, str))


def turn_in_tool(session: Any) -> ToolTurn | None:
    """Return the turn that holds the synthesiser while it waits for its tool; None if there is none."""
    orchestrator = getattr(pipeline_of(session), "orchestrator", None)
    if orchestrator is None or not is_executing_tool(session):
        return None
    tasks = turn_tasks_of(orchestrator)
    return ToolTurn(orchestrator, tasks) if tasks else None


async def _stream(text: str) -> AsyncIterator[str]:
    yield text
