"""Cache of the newest records: saves a read, and may be out of date.

The append that follows checks whether a cached record is still the newest one. No trigger is ignored because
of a cached record.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from warmxfer.bus.partition import partition_of

from .state_machine import Record, Stage, UnknownFields
from .transfer_trace import TransferTrace

MAX_CACHED = 4_096
MAX_ENDS = 2_048
MAX_TRIGGERS = 64
"""Triggers that are kept of one transfer. A transfer that nothing goes wrong in has 13."""


@dataclass(slots=True)
class CachedRecord:
    """A record, its sequence in the stream, and whether its outputs are known to be published."""

    record: Record
    seq: int
    sent: bool
    fresh: bool
    """The record was just read from the stream leader, for this trigger."""
    unknown: UnknownFields = field(default_factory=dict[tuple[str, ...], Any])
    """Fields of a newer version in its state. The next record keeps them."""
    others_until: float | None = None
    """No record of another process is due to a message that was stored later. None: only this record is
    known.
    """
    trace: TransferTrace | None = None
    """Where the transfer is in its trace; None if it is not traced."""
    triggers: tuple[tuple[float, int], ...] = ()
    """The triggers of the records of this process: when each was stored, and its number in its stream."""

    def rules_out(self, at: float, trigger: int) -> bool:
        """Return whether the message number `trigger`, stored at `at`, is certain to have caused no record.

        Numbers of two streams do not tell which message is older. Times do.
        """
        others_until = self.newest_at if self.others_until is None else self.others_until
        return at > others_until and (at, trigger) not in self.triggers

    def pass_on(self, appended: CachedRecord) -> None:
        """Pass on what is known of the log to the record that was appended after this one."""
        others_until = self.newest_at if self.others_until is None else self.others_until
        triggers = (*self.triggers, *appended.record.triggers)
        if len(triggers) <= MAX_TRIGGERS:
            appended.others_until, appended.triggers = others_until, triggers

    @property
    def newest_at(self) -> float:
        """No trigger that was applied was stored later than this."""
        return max(self.record.at, self.record.newest_at)

    def is_new(self, at: float, trigger: int) -> bool:
        """Return whether message number `trigger`, stored at `at`, is certain to have caused no record.

        It must be delivered for the first time. In doubt the log has to be read.
        """
        if self.record.is_due_to(at, trigger):
            return False
        return at > self.newest_at or self.rules_out(at, trigger)


class RecordCache:
    """The newest records of the transfers that changed last."""

    def __init__(self) -> None:
        self._records: OrderedDict[str, CachedRecord] = OrderedDict()
        self._ends: OrderedDict[str, int] = OrderedDict()
        """Sequence of the newest record of ended transfers, if its outputs are known to be published."""

    def get(self, id: str) -> CachedRecord | None:
        cached = self._records.get(id)
        if cached is not None:
            self._records.move_to_end(id)
            cached.fresh = False
        return cached

    def knows(self, id: str) -> bool:
        """Return whether this process knows a record of transfer `id`, also if it has ended."""
        return id in self._records or id in self._ends

    def mark_sent(self, id: str, seq: int) -> bool:
        """Return whether this process published the outputs of the record with sequence `seq`."""
        cached = self._records.get(id)
        sent = cached is not None and cached.seq == seq and cached.sent
        return sent or self._ends.get(id) == seq

    def put_end(self, id: str, seq: int) -> None:
        """Keep that the outputs of the newest record of an ended transfer are published."""
        self._ends[id] = seq
        if len(self._ends) > MAX_ENDS:
            self._ends.popitem(last=False)

    def put_read(self, id: str, read: CachedRecord) -> None:
        """Keep a record that was read. What this process knows of the log before it stays known."""
        cached = self._records.get(id)
        if cached is not None and cached.seq == read.seq:
            read.others_until, read.triggers = cached.others_until, cached.triggers
        self.put(id, read)

    def put(self, id: str, cached: CachedRecord) -> None:
        if cached.record.state.stage.ended:
            self._records.pop(id, None)
            return
        self._records[id] = cached
        self._records.move_to_end(id)
        if len(self._records) > MAX_CACHED:
            self._records.popitem(last=False)

    def running(self, partitions: Collection[int]) -> dict[Stage, int]:
        """Return how many of the transfers in `partitions` have not ended, by stage."""
        return Counter(
            each.record.state.stage for id, each in self._records.items() if partition_of(id) in partitions
        )

    async def clear(self) -> None:
        """Drop everything: after a reconnect the broker may have another history."""
        self._records.clear()
        self._ends.clear()

    def drop(self, id: str) -> None:
        self._records.pop(id, None)
        self._ends.pop(id, None)
