"""Background tasks by name: one task per name, and every failure is logged."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from ..runtime.log_setup import log_task_failure

STOP_TIMEOUT_S = 2.0


class NamedTasks:
    """The tasks of one attachment. They inherit the context (contextvars) in which `start` is called."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` and cancel an earlier task of this name."""
        self.cancel(name)
        self._tasks[name] = task = asyncio.create_task(work, name=f"warmxfer-{name}")
        task.add_done_callback(log_task_failure)

    def cancel(self, name: str) -> None:
        """Cancel that task, if it runs. Does not wait for its end."""
        if task := self._tasks.pop(name, None):
            task.cancel()

    async def stop(self, name: str) -> None:
        """Cancel that task, if it runs, and wait at most `STOP_TIMEOUT_S` for its end."""
        if task := self._tasks.pop(name, None):
            task.cancel()
            await asyncio.wait([task], timeout=STOP_TIMEOUT_S)

    async def stop_all(self) -> None:
        """Cancel every task, and wait at most `STOP_TIMEOUT_S` for their ends."""
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=STOP_TIMEOUT_S)
