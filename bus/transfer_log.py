"""The log of a transfer: one record per transition, the only truth, the only guard against two writers.

The guard is the number of the record the writer decided on. Whoever decided on an older one is refused
and loads again. Who decides to write nothing has no such guard: so the newest record is the leader's word.
"""

from __future__ import annotations

from typing import NamedTuple

from . import subjects, timers
from .bus import WRITE_DEADLINE_S, Bus
from .messages import NO_HEADERS, Stored

MAX_RECORDS = 1_000
"""Of one transfer; a long one with every check of its legs writes some hundred."""


class LogEntry(NamedTuple):
    """The newest record: its number in the stream, when it was stored, its body, its writer's id for it."""

    seq: int
    at: float
    data: bytes
    msg_id: str | None


class LogTail(NamedTuple):
    """What is stored of a transfer after one of its records, on any of its subjects."""

    ids: frozenset[str]
    """The names of all of it."""
    followed: bool
    """Another record is among it."""


class TransferLog:
    """Reads and appends the records of transfers."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def get_last_from_leader(self, id: str) -> LogEntry | None:
        """The newest record of transfer `id`, or None when it has none."""
        return _entry(await self._bus.get_last_from_leader(subjects.log(id)))

    async def get_last(self, id: str) -> LogEntry | None:
        """A record of transfer `id` that was the newest a moment ago, or None: for whom that is enough."""
        return _entry(await self._bus.get_last(subjects.log(id)))

    async def contains(self, id: str, msg_id: str) -> bool:
        """Whether any record of transfer `id`, however old, was written under `msg_id`.

        One of just now may not be seen yet; the broker knows its name, and refuses to append it again.
        """
        stored = await self._bus.history(subjects.log(id), MAX_RECORDS)
        return any(each.msg_id == msg_id for each in stored)

    async def since(self, id: str, seq: int) -> LogTail:
        """What is stored of transfer `id` above number `seq`."""
        stored = await self._bus.history(subjects.all_of(id), MAX_RECORDS, after=seq)
        ids = frozenset(each.msg_id for each in stored if each.msg_id is not None)
        return LogTail(ids, any(each.subject == subjects.log(id) for each in stored))

    async def append(
        self,
        id: str,
        data: bytes,
        after: int,
        msg_id: str,
        cancel_timer: str | None = None,
        *,
        deadline_s: float = WRITE_DEADLINE_S,
    ) -> int:
        """Append a record after number `after` (0: as the first) and return its number.

        `cancel_timer` names a timer subject that this very write cancels, at no cost; one that is not
        pending is no error. Raises `StaleWrite` when `after` is not the last any more.
        """
        headers = NO_HEADERS if cancel_timer is None else timers.cancel_headers(cancel_timer)
        return await self._bus.publish(
            subjects.log(id), data, msg_id=msg_id, expect_last=after, headers=headers, deadline_s=deadline_s
        )


def _entry(stored: Stored | None) -> LogEntry | None:
    return None if stored is None else LogEntry(stored.seq, stored.at, stored.data, stored.msg_id)
