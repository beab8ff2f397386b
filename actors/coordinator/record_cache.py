"""Cache of the newest records: saves a read, and may be out of date.

The append that follows checks whether a cached record is still the newest one. No trigger is ignored because
of a cached record.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from .state_machine import Record, UnknownFields

MAX_CACHED = 4_096
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
    known_from: int | None = None
    """Every record above this sequence was appended by this process; None: only this record is known."""
    triggers: tuple[int, ...] = ()
    """The triggers of those records."""

    def rules_out(self, trigger: int) -> bool:
        """Return whether the message with sequence `trigger` is certain to have caused no record yet.

        A message causes a record only after it was stored. So no record up to `known_from` can be due to a
        message that was stored after it.
        """
        known_from = self.seq if self.known_from is None else self.known_from
        return trigger > known_from and trigger not in self.triggers

    def pass_on(self, appended: CachedRecord) -> None:
        """Pass on what is known of the log to the record that was appended after this one."""
        known_from = self.seq if self.known_from is None else self.known_from
        if len(self.triggers) < MAX_TRIGGERS:
            appended.known_from, appended.triggers = known_from, (*self.triggers, appended.record.trigger)


class RecordCache:
    """The newest records of the transfers that changed last."""

    def __init__(self) -> None:
        self._records: OrderedDict[str, CachedRecord] = OrderedDict()

    def get(self, id: str) -> CachedRecord | None:
        cached = self._records.get(id)
        if cached is not None:
            self._records.move_to_end(id)
            cached.fresh = False
        return cached

    def mark_sent(self, id: str, seq: int) -> bool:
        """Return whether this process published the outputs of the record with sequence `seq`."""
        cached = self._records.get(id)
        return cached is not None and cached.seq == seq and cached.sent

    def put_read(self, id: str, read: CachedRecord) -> None:
        """Keep a record that was read. What this process knows of the log before it stays known."""
        cached = self._records.get(id)
        if cached is not None and cached.seq == read.seq:
            read.known_from, read.triggers = cached.known_from, cached.triggers
        self.put(id, read)

    def put(self, id: str, cached: CachedRecord) -> None:
        if cached.record.state.stage.ended:
            self._records.pop(id, None)
            return
        self._records[id] = cached
        self._records.move_to_end(id)
        if len(self._records) > MAX_CACHED:
            self._records.popitem(last=False)

    async def clear(self) -> None:
        """Drop everything: after a reconnect the broker may have another history."""
        self._records.clear()

    def drop(self, id: str) -> None:
        self._records.pop(id, None)
