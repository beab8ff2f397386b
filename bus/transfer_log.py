"""Event log of one transfer: the records of its transitions. It is the only source of truth.

Invariant: a record is appended only after the record that its writer decided on. A writer that decided on an
older one gets `StaleWrite`, loads again and decides again. A decision to write nothing has no such guard. It
must therefore be based on the record that the stream leader has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from . import subjects, timers
from .bus import WRITE_DEADLINE_S, Bus
from .errors import RetryableError
from .messages import NO_HEADERS, TTL, Stored

MAX_RECORDS = 10_000
"""Most records of one transfer that are read. A long transfer with many leg checks has some hundred; one with
the longest waits that a request may ask for, without webhooks, has some thousand.
"""


LAST_RECORD_S = 120
"""How long the last record of an archived transfer stays alone in its log.

A coordinator that decided on an earlier record, or on none, gets `StaleWrite` until then.
"""


REPLICA_BEHIND_S = 0.25
"""Pause until a read is repeated for which a replica was behind."""
AND = "+"
"""Between the numbers of several triggers in the message id of a record."""


class LogEntry(NamedTuple):
    """The newest record: number in the stream, time of storing, body, message id, headers."""

    seq: int
    at: float
    data: bytes
    msg_id: str | None
    headers: Mapping[str, str] = NO_HEADERS


class LogTail(NamedTuple):
    """What the coordinator has written for a transfer after one of its records."""

    ids: frozenset[str]
    """The message ids."""
    followed: bool
    """True if another record is among them."""


class TransferLog:
    """Reads and appends the records of transfers."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def get_last_from_leader(self, id: str) -> LogEntry | None:
        """Return the newest record of transfer `id` as the stream leader has it, or None."""
        return _entry(await self._bus.get_last_from_leader(subjects.log(id)))

    async def get_last(self, id: str) -> LogEntry | None:
        """Return the newest record of transfer `id` from any replica, or None. It may be stale."""
        return _entry(await self._bus.get_last(subjects.log(id)))

    async def contains(self, id: str, msg_id: str, newest: int) -> bool:
        """Return whether a record of transfer `id`, however old, is due to the trigger `msg_id`.

        `newest` is the number of its newest record. A replica that does not have that one yet may lack the
        one that is looked for: raises `RetryableError`.
        """
        stored = await self._bus.history(subjects.log(id), MAX_RECORDS)
        reached = stored[-1].seq if stored else 0
        if reached < newest and len(stored) < MAX_RECORDS:
            raise RetryableError("A replica does not have the whole log yet", after_s=REPLICA_BEHIND_S)
        return any(msg_id in trigger_ids(each.msg_id) for each in stored)

    async def since(self, id: str, seq: int, on: Collection[str]) -> LogTail:
        """Return what is stored for transfer `id` above number `seq`, in its log and on `on`.

        `on` are subjects that the coordinator alone writes, wildcards allowed. If one of them is for users,
        this returns all that users read of the transfer: their stream has numbers of its own.
        """
        public = [subjects.for_users(id)] if any(map(subjects.is_for_users, on)) else []
        own = {subjects.log(id), *(each for each in on if not subjects.is_for_users(each))}
        found = await asyncio.gather(
            *(self._bus.history(each, MAX_RECORDS, stream=subjects.PUBLIC) for each in public),
            *(self._bus.history(each, MAX_RECORDS, after=seq, stream=subjects.CORE) for each in sorted(own)),
        )
        stored = [each for part in found for each in part]
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
        last: bool = False,
        headers: Mapping[str, str] = NO_HEADERS,
        rollup: bool = True,
        deadline_s: float = WRITE_DEADLINE_S,
    ) -> int:
        """Append a record after number `after` (0: as the first) and return its number.

        `cancel_timer` names a timer subject that this write cancels, without a further message. A timer that
        is not pending is no error. `last`: it expires after `LAST_RECORD_S`, and unless `rollup` is False the
        records before it are removed with this write. Raises `StaleWrite` if `after` is not the last record
        any more.
        """
        if cancel_timer is not None:
            headers = {**headers, **timers.cancel_headers(cancel_timer)}
        if last:
            replaces = {"Nats-Rollup": "sub"} if rollup else NO_HEADERS
            headers = {**headers, **replaces, TTL: f"{LAST_RECORD_S}s"}
        return await self._bus.publish(
            subjects.log(id), data, msg_id=msg_id, expect_last=after, headers=headers, deadline_s=deadline_s
        )


def record_id(id: str, kind: str, triggers: Iterable[int]) -> str:
    """Return the message id of the record of transfer `id` that these messages caused together.

    They are of one kind, and so of one stream. Each stream has its own numbers. The id names all of them, so
    two records with the same id have the same content.
    """
    return f"{id}:{kind}:{AND.join(map(str, triggers))}"


def trigger_ids(msg_id: str | None) -> list[str]:
    """Return the id of each trigger that the record with this message id is due to."""
    if msg_id is None or AND not in msg_id:
        return [] if msg_id is None else [msg_id]
    head, _, triggers = msg_id.rpartition(":")
    return [f"{head}:{each}" for each in triggers.split(AND)]


def _entry(stored: Stored | None) -> LogEntry | None:
    if stored is None:
        return None
    return LogEntry(stored.seq, stored.at, stored.data, stored.msg_id, stored.headers)
