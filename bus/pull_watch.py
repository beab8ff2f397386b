"""One task that looks after all pull consumers of a process: what is due is noticed within `WATCH_EVERY_S`.

A coordinator has 48 pull consumers. A task for each would wake 200 times a second while nothing happens.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from .connection import Connection

WATCH_EVERY_S = 0.25


class Watched(Protocol):
    """A pull consumer, as the watch sees it."""

    def is_due(self, now: float) -> bool:
        """Return whether `look` has anything to do. Called often: it only compares numbers."""
        ...

    async def look(self) -> None:
        """Do what is due. Never raises."""
        ...


class PullWatch:
    """Calls `look` of each pull consumer that has something due, one call at a time for each."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._watched: dict[Watched, asyncio.Task[None] | None] = {}
        self._task: asyncio.Task[None] | None = None

    def add(self, watched: Watched) -> Callable[[], Coroutine[Any, Any, None]]:
        """Watch one more. Returns a coroutine function that ends this, after a look that runs."""
        self._watched[watched] = None
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="watch the pull consumers")

        async def remove() -> None:
            look = self._watched.pop(watched, None)
            if look is not None:
                look.cancel()
                await asyncio.wait({look})
            if not self._watched and self._task is not None:
                task, self._task = self._task, None
                task.cancel()
                await asyncio.wait({task})

        return remove

    @property
    def running(self) -> bool:
        """True while the task runs."""
        return self._task is not None and not self._task.done()

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(WATCH_EVERY_S)
            if not self._connection.connected:
                continue
            now = asyncio.get_running_loop().time()
            for watched, look in list(self._watched.items()):
                if (look is None or look.done()) and watched.is_due(now):
                    self._watched[watched] = asyncio.create_task(watched.look(), name="look after a consumer")
