"""A queue for one reader that costs little while it is empty.

`asyncio.Queue` keeps three deques and an event, 3 KB. Thousands of transfers wait, each with some queues.
"""

from __future__ import annotations

import asyncio
from typing import Generic, TypeVar

T = TypeVar("T")


class SmallQueue(Generic[T]):
    """FIFO queue of at most `limit` items. One task may `get`; any task may put."""

    __slots__ = ("_items", "_limit", "_reader", "_writers")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._items: list[T] = []
        self._reader: asyncio.Future[None] | None = None
        self._writers: list[asyncio.Future[None]] | None = None

    def __len__(self) -> int:
        return len(self._items)

    @property
    def full(self) -> bool:
        """True if `put` would wait."""
        return len(self._items) >= self._limit

    @property
    def first(self) -> T | None:
        """The oldest item, which stays in the queue; None if there is none."""
        return self._items[0] if self._items else None

    async def get(self) -> T:
        """Return the oldest item; blocks until there is one."""
        while not self._items:
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        return self.get_nowait()

    def get_nowait(self) -> T:
        """Return the oldest item. Raises IndexError if there is none."""
        item = self._items.pop(0)
        _wake_first(self._writers)
        return item

    def put_nowait(self, item: T) -> None:
        """Add an item, also beyond the limit: the caller looks at `full` first."""
        self._items.append(item)
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    async def put(self, item: T) -> None:
        """Add an item; blocks while the queue is full."""
        while self.full:
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            if self._writers is None:
                self._writers = []
            self._writers.append(waiting)
            try:
                await waiting
            except asyncio.CancelledError:
                if not self.full:
                    _wake_first(self._writers)
                raise
            finally:
                if waiting in self._writers:
                    self._writers.remove(waiting)
        self.put_nowait(item)


def _wake_first(writers: list[asyncio.Future[None]] | None) -> None:
    for waiting in writers or ():
        if not waiting.done():
            waiting.set_result(None)
            return
