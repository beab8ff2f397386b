"""Queue of requests by urgency, fair between transfers. Pure.

The most urgent class is served first. Within one, transfers take turns: one with many requests delays another
one by a single request at a time.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Generic, TypeVar

T = TypeVar("T")


class FairQueue(Generic[T]):
    """`put` items of a class and a key, and `take` the next one."""

    def __init__(self) -> None:
        self._classes: dict[int, OrderedDict[str, deque[T]]] = {}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def before(self, urgency: int) -> int:
        """Return how many items are served before a new one of this class, if no other comes."""
        return sum(
            len(items) for each, keys in self._classes.items() if each <= urgency for items in keys.values()
        )

    def put(self, urgency: int, key: str, item: T) -> None:
        """Queue `item` behind the others of its key. A lower `urgency` is served first."""
        self._classes.setdefault(urgency, OrderedDict()).setdefault(key, deque()).append(item)
        self._size += 1

    def take(self) -> T:
        """Take the next item. Raises IndexError if there is none."""
        for urgency in sorted(self._classes):
            keys = self._classes[urgency]
            key, items = next(iter(keys.items()))
            item = items.popleft()
            self._size -= 1
            if items:
                keys.move_to_end(key)
            else:
                del keys[key]
                if not keys:
                    del self._classes[urgency]
            return item
        raise IndexError("The queue is empty")

    def remove(self, urgency: int, key: str, item: T) -> None:
        """Take `item` out, if it is still queued."""
        keys = self._classes.get(urgency, OrderedDict())
        items = keys.get(key)
        if items is None or item not in items:
            return
        items.remove(item)
        self._size -= 1
        if not items:
            del keys[key]
            if not keys:
                del self._classes[urgency]
