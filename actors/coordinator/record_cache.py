"""What this process remembers of the transfers it moved last: a hint that saves a read, never the truth.

Whether it still is the newest record is decided by the write that follows; and nothing is ever ignored
on the strength of a memory.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from .state_machine import Record

MAX_CACHED = 4_096


@dataclass(slots=True)
class CachedRecord:
    """A record, its number in the stream, and whether its outbox is known to have gone out."""

    record: Record
    seq: int
    sent: bool
    fresh: bool
    """Just read from the stream's leader, for this very trigger."""


class RecordCache:
    """The newest records of the transfers that moved last."""

    def __init__(self) -> None:
        self._records: OrderedDict[str, CachedRecord] = OrderedDict()

    def get(self, id: str) -> CachedRecord | None:
        cached = self._records.get(id)
        if cached is not None:
            self._records.move_to_end(id)
            cached.fresh = False
        return cached

    def mark_sent(self, id: str, seq: int) -> bool:
        """Whether this process saw to it that the outbox of record number `seq` went out."""
        cached = self._records.get(id)
        return cached is not None and cached.seq == seq and cached.sent

    def put(self, id: str, cached: CachedRecord) -> None:
        if cached.record.state.stage.ended:
            self._records.pop(id, None)
            return
        self._records[id] = cached
        self._records.move_to_end(id)
        if len(self._records) > MAX_CACHED:
            self._records.popitem(last=False)

    def drop(self, id: str) -> None:
        self._records.pop(id, None)
