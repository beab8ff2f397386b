"""Who is next: things queue in the lane of their key, and of each lane one at a time is out.

The law of this file: no lane waits for another, and lanes take turns. Pure; nothing here waits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class KeyedQueue(Generic[T]):
    """`put` things in, `take` the next one that may go, say `done` with its key when it is over."""

    def __init__(self) -> None:
        self._queues: dict[Hashable, deque[T]] = {}
        self._ready: deque[Hashable] = deque()
        self._closed = False

    def __len__(self) -> int:
        """Lanes that something is in, or out of."""
        return len(self._queues)

    @property
    def ready(self) -> bool:
        """Is there something that may go?"""
        return bool(self._ready)

    def put(self, key: Hashable, thing: T) -> None:
        """Queue `thing` behind whatever has the same key."""
        lane = self._queues.get(key)
        if lane is not None:
            lane.append(thing)
            return
        self._queues[key] = deque((thing,))
        if not self._closed:
            self._ready.append(key)

    def take(self) -> tuple[Hashable, T]:
        """The next one, with its key; its lane stands still until `done`. `IndexError`: none is ready."""
        key = self._ready.popleft()
        return key, self._queues[key][0]

    def done(self, key: Hashable) -> None:
        """What was taken of this lane is over."""
        lane = self._queues[key]
        lane.popleft()
        if not lane:
            del self._queues[key]
        elif not self._closed:
            self._ready.append(key)

    def close(self) -> None:
        """From now on nothing goes."""
        self._closed = True
        self._ready.clear()
