"""What this process remembers of the transfers it moved last: a hint that saves a read, never the truth.

Whether it still is the newest record is decided by the write that follows; and nothing is ever ignored
on the strength of a memory.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from warmxfer.actors.machine import Record

MAX_REMEMBERED = 4_096


@dataclass(slots=True)
class Known:
    """A record, its number in the stream, and whether its outbox is known to have gone out."""

    record: Record
    seq: int
    sent: bool
    fresh: bool
    """Just read from the stream's leader, for this very trigger."""


class Memory:
    """The newest records of the transfers that moved last."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Known] = OrderedDict()

    def recall(self, id: str) -> Known | None:
        known = self._known.get(id)
        if known is not None:
            self._known.move_to_end(id)
            known.fresh = False
        return known

    def was_sent(self, id: str, seq: int) -> bool:
        """Whether this process saw to it that the outbox of record number `seq` went out."""
        known = self._known.get(id)
        return known is not None and known.seq == seq and known.sent

    def keep(self, id: str, known: Known) -> None:
        if known.record.state.stage.ended:
            self._known.pop(id, None)
            return
        self._known[id] = known
        self._known.move_to_end(id)
        if len(self._known) > MAX_REMEMBERED:
            self._known.popitem(last=False)

    def forget(self, id: str) -> None:
        self._known.pop(id, None)
