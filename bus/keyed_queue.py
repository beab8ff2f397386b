"""FIFO queue per key. At most one item per key is taken at a time; keys are served in turn.

Pure: no method waits. Invariant: no key waits for another (`test_keyed_queue.py`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class KeyedQueue(Generic[T]):
    """`put` items, `take` the next ready item, and call `done` with its key when it is finished."""

    def __init__(self) -> None:
        self._queues: dict[Hashable, list[T]] = {}
        """Lists, because an empty deque takes 760 bytes and few keys have more than one item."""
        self._ready: deque[Hashable] = deque()
        self._closed = False

    def __len__(self) -> int:
        """Number of keys with an item queued or taken."""
        return len(self._queues)

    @property
    def ready(self) -> bool:
        """True if an item can be taken."""
        return bool(self._ready)

    def put(self, key: Hashable, item: T) -> None:
        """Queue `item` behind the items with the same key."""
        queue = self._queues.get(key)
        if queue is not None:
            queue.append(item)
            return
        self._queues[key] = [item]
        if not self._closed:
            self._ready.append(key)

    def take(self) -> tuple[Hashable, T]:
        """Return the next item and its key.

        The key is blocked until `done`. Raises IndexError if none is ready.
        """
        key = self._ready.popleft()
        return key, self._queues[key][0]

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
