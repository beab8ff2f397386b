"""One timer that looks after all pull consumers of a process: what is due is noticed within `WATCH_EVERY_S`.

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
        self._timer: asyncio.TimerHandle | None = None
        """The next look; None while there is nothing to watch."""

    def add(self, watched: Watched) -> Callable[[], Coroutine[Any, Any, None]]:
        """Watch one more. Returns a coroutine function that ends this, after a look that runs."""
        self._watched[watched] = None
        if self._timer is None:
            self._schedule()

        async def remove() -> None:
            look = self._watched.pop(watched, None)
            if look is not None:
                look.cancel()
                await asyncio.wait({look})
            if not self._watched and self._timer is not None:
                self._timer.cancel()
                self._timer = None

        return remove

    @property
    def running(self) -> bool:
        """True from the first `add` on, while anything is watched."""
        return self._timer is not None

    def _schedule(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(WATCH_EVERY_S, self._look)

    def _look(self) -> None:
        # First of all, so that no error ends the watch. A timer costs half of a task that sleeps.
        self._schedule()
        if not self._connection.connected:
            return
        now = asyncio.get_running_loop().time()
        for watched, look in self._watched.items():
            if (look is None or look.done()) and watched.is_due(now):
                self._watched[watched] = asyncio.create_task(watched.look(), name="look after a consumer")
