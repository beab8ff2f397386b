"""Cache of positive liveness: a coordinator answers about thousands of transfers without a read for each.

- Invariant: an entry is used only while its record can still be in the stream (`StreamSpan`). So a stream
  that was deleted, purged or put back from an old copy makes no transfer live.
- Invariant: an entry is at most `MAX_AGE_S` old. Another coordinator may have ended the transfer since.
- Invariant: an entry is used only until the transfer's timer is overdue.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from warmxfer.bus import StreamSpan

MAX_ENTRIES = 65_536
MAX_AGE_S = 180.0
"""A session reads its commands after each reconnect, so it seldom depends on a negative reply. With this age
10,000 waiting transfers cost 56 reads a second."""


class LiveRecord(NamedTuple):
    """A record of a live transfer: its number, its stage, when its timer is overdue, and when it was read."""

    seq: int
    stage: str
    overdue_at: float
    """By the broker's clock."""
    read_at: float
    """By the monotonic clock."""


class LivenessCache:
    """The records of live transfers that this process read or wrote last."""

    def __init__(self) -> None:
        self._records: OrderedDict[str, LiveRecord] = OrderedDict()
        self._created = ""

    def put(self, id: str, record: LiveRecord) -> None:
        """Keep `record`, unless a newer one is known: a read may be stale."""
        known = self._records.get(id)
        if known is not None and known.seq > record.seq:
            return
        self._records[id] = record
        self._records.move_to_end(id)
        if len(self._records) > MAX_ENTRIES:
            self._records.popitem(last=False)

    def drop(self, id: str) -> None:
        self._records.pop(id, None)

    def clear(self) -> None:
        self._records.clear()

    def check_stream(self, span: StreamSpan) -> None:
        """Drop everything if the stream is another one than at the last check."""
        if span.created != self._created:
            self._records.clear()
            self._created = span.created

    def live_stage(self, id: str, span: StreamSpan, now: float, clock: float) -> str | None:
        """Return the stage of a transfer that is live for certain, or None.

        `now` is the broker's time, `clock` that of the monotonic clock.
        """
        record = self._records.get(id)
        if (
            record is None
            or clock - record.read_at > MAX_AGE_S
            or now > record.overdue_at
            or not span.may_hold(record.seq)
        ):
            return None
        return record.stage
