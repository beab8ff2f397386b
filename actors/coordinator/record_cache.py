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
        self._known: OrderedDict[str, CachedRecord] = OrderedDict()

    def get(self, id: str) -> CachedRecord | None:
        known = self._known.get(id)
        if known is not None:
            self._known.move_to_end(id)
            known.fresh = False
        return known

    def mark_sent(self, id: str, seq: int) -> bool:
        """Whether this process saw to it that the outbox of record number `seq` went out."""
        known = self._known.get(id)
        return known is not None and known.seq == seq and known.sent

    def put(self, id: str, known: CachedRecord) -> None:
        if known.record.state.stage.ended:
            self._known.pop(id, None)
            return
        self._known[id] = known
        self._known.move_to_end(id)
        if len(self._known) > MAX_CACHED:
            self._known.popitem(last=False)

    def drop(self, id: str) -> None:
        self._known.pop(id, None)
