"""FIFO queue per key. At most one item per key is taken at a time; keys are served in turn.

A key that was put `after_others` is served behind the others, but not last for ever: one take in
`OTHERS_PER_TURN` is its turn.

Pure: no method waits. Invariant: no key waits for another (`test_keyed_queue.py`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

OTHERS_PER_TURN = 3

T = TypeVar("T")


class KeyedQueue(Generic[T]):
    """`put` items, `take` the next ready item, and call `done` with its key when it is finished."""

    def __init__(self) -> None:
        self._queues: dict[Hashable, list[T]] = {}
        """Lists, because an empty deque takes 760 bytes and few keys have more than one item."""
        self._ready: deque[Hashable] = deque()
        self._after_others: deque[Hashable] = deque()
        self._others_taken = 0
        """Since a key was taken that is served behind the others."""
        self._closed = False

    def __len__(self) -> int:
        """Number of keys with an item queued or taken."""
        return len(self._queues)

    @property
    def ready(self) -> bool:
        """True if an item can be taken."""
        return bool(self._ready or self._after_others)

    def put(self, key: Hashable, item: T, *, after_others: bool = False) -> None:
        """Queue `item` behind the items with the same key. `after_others` counts if it is the first one."""
        queue = self._queues.get(key)
        if queue is not None:
            queue.append(item)
            return
        self._queues[key] = [item]
        if not self._closed:
            (self._after_others if after_others else self._ready).append(key)

    def take(self) -> tuple[Hashable, T]:
        """Return the next item and its key.

        The key is blocked until `done`. Raises IndexError if none is ready.
        """
        others_first = self._ready and (not self._after_others or self._others_taken < OTHERS_PER_TURN)
        self._others_taken = self._others_taken + 1 if others_first else 0
        key = (self._ready if others_first else self._after_others).popleft()
        return key, self._queues[key][0]

    def behind(self, key: Hashable, limit: int) -> list[T]:
        """Return up to `limit` items that wait behind the one that was taken of this key, in order."""
        return self._queues[key][1 : 1 + limit]

    def remove(self, key: Hashable, item: T) -> None:
        """Remove an item that waits behind the one that was taken of this key."""
        self._queues[key].remove(item)

    def done(self, key: Hashable) -> None:
        """Finish the item that was taken of this key."""
        queue = self._queues[key]
        queue.pop(0)
        if not queue:
            del self._queues[key]
        elif not self._closed:
            self._ready.append(key)

    def close(self) -> None:
        """Make no item ready from now on."""
        self._closed = True
        self._ready.clear()
        self._after_others.clear()
