"""Counts of dials, in the stream: shared by all gateways, and kept over their restarts.

A gateway counts a dial after it has claimed it and before it asks the provider. So a dial is counted once,
however often its command is delivered.

- Invariant: a count is written only after the newest one (`expect_last`). Two gateways cannot both take the
  last dial that a limit allows. Test: `tests/actors/gateway/test_dial_counters.py`.
- Invariant: each doubt counts too much, never too little. A gateway that dies after it counted has used a
  dial. A write without an acknowledgement may be counted twice. Each count is right again after its span.
- A count that is lost with its stream begins again at zero: the limit then allows as many dials once more.
- Invariant: all spellings of one destination have one count. Test:
  `tests/actors/common/test_dialled_address.py`.
- A number stands in no subject. A destination is counted under 24 bits of its hash, which some hundred
  numbers of a country share.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from typing import NamedTuple, TypeVar

import structlog

from warmxfer.bus import BrokerClock, Bus, InvalidRequest, RetryableError, StaleWrite, subjects
from warmxfer.schemas import DecodeError, SIPDestination, decode_as, encode

from ..common.dial_refusals import masked
from ..common.dialled_address import one_spelling
from .dial_limits import HOUR_MINUTES, PENDING_MINUTES, DialCount, DialLimits, PendingCalls, minute_of

ALL, PENDING, RESCUES = "all", "pending", "rescues"
"""Counters of the whole deployment. Rescues have their own: calls must not use up what a caller without a
session needs."""
COUNTER_CHARS, CALL_CHARS = 6, 12
"""Of a hash, in a subject and in a list."""
COUNT_S = 4.0
"""Most time for all counts of a dial, and for the end of one, within the time of a command."""
MAX_RACES = 50
RACE_PAUSE_S = 0.01

C = TypeVar("C", DialCount, PendingCalls)
log = structlog.get_logger(__name__)


class _Known(NamedTuple):
    """A count that this gateway wrote, and its number in the stream."""

    seq: int
    value: DialCount | PendingCalls


class DialCounters:
    """Counts the dials of all gateways, and refuses one beyond a limit."""

    def __init__(self, bus: Bus, clock: BrokerClock, limits: DialLimits) -> None:
        self._bus = bus
        self._clock = clock
        self._limits = limits
        self._locks = {name: asyncio.Lock() for name in (ALL, PENDING, RESCUES)}
        """Gateways race for the counts that all dials share. The jobs of one gateway do not."""
        self._known: dict[str, _Known] = {}
        """What this gateway wrote last of these counts. It saves a read while no other gateway writes."""

    async def take(
        self, transfer_id: str, attempt: int, destination: SIPDestination, caller_room_id: str | None
    ) -> None:
        """Count a dial that was claimed.

        Raises `InvalidRequest` if a limit allows none now, and `RetryableError` if it cannot be counted.
        """
        async with self._in_time(COUNT_S):
            if caller_room_id is not None:
                await self._take_hourly(
                    _counter("room", caller_room_id),
                    self._limits.per_room,
                    "for this caller's room",
                    "WARMXFER_DIAL_PER_ROOM",
                )
            await self._take_destination("to", destination)
            await self._take_pending(_pending_call(transfer_id, attempt))
            try:
                await self._take_hourly(
                    ALL, self._limits.per_hour, "by this deployment", "WARMXFER_DIAL_PER_HOUR"
                )
            except InvalidRequest:
                await self._end_pending(_pending_call(transfer_id, attempt))
                raise

    async def take_rescue(self, destination: SIPDestination) -> None:
        """Count the dial of a rescue. Raises as `take` does."""
        async with self._in_time(COUNT_S):
            await self._take_destination("rescue", destination)
            await self._take_hourly(RESCUES, self._limits.per_hour, "for rescues", "WARMXFER_DIAL_PER_HOUR")

    async def end(self, transfer_id: str, attempt: int, by: float) -> None:
        """Count the dial as pending no more, by a moment of the loop's clock. Idempotent.

        Never raises for a broker that does not answer: the count is then right again after its span.
        """
        if self._limits.pending is None:
            return
        try:
            async with self._in_time(min(COUNT_S, by - asyncio.get_running_loop().time())):
                await self._end_pending(_pending_call(transfer_id, attempt))
        except RetryableError as error:
            log.warning("pending_call_not_counted_off", transfer_id=transfer_id, cause=str(error))

    # ── one count ────────────────────────────────────────────────────────────────────────────────

    async def _take_destination(self, scope: str, destination: SIPDestination) -> None:
        address = one_spelling(str(destination.sip_call_to))
        await self._take_hourly(
            _counter(scope, address),
            self._limits.per_destination,
            f"to {masked(address)}",
            "WARMXFER_DIAL_PER_DESTINATION",
        )

    async def _take_hourly(self, counter: str, limit: int | None, what: str, variable: str) -> None:
        if limit is None:
            return
        minute = minute_of(self._clock.now())

        def take(count: DialCount) -> DialCount:
            recent = count.recent(minute, HOUR_MINUTES)
            if recent.total >= limit:
                raise InvalidRequest(
                    f"{recent.total} calls were dialled {what} in the last hour, and {variable} is {limit}; "
                    f"try again in {recent.free_in(minute, HOUR_MINUTES)} minutes, or raise it.",
                    field=variable,
                )
            return recent.with_one(minute)

        await self._change(counter, DialCount, take)

    async def _take_pending(self, call: str) -> None:
        limit, minute = self._limits.pending, minute_of(self._clock.now())
        if limit is None:
            return

        def take(pending: PendingCalls) -> PendingCalls:
            recent = pending.recent(minute, PENDING_MINUTES)
            if len(recent.calls) >= limit:
                raise InvalidRequest(
                    f"{len(recent.calls)} calls ring or are consulted, and WARMXFER_DIAL_PENDING is {limit}; "
                    "try again when one of them is over, or raise it.",
                    field="WARMXFER_DIAL_PENDING",
                )
            return recent.with_call(call, minute)

        await self._change(PENDING, PendingCalls, take)

    async def _end_pending(self, call: str) -> None:
        await self._change(PENDING, PendingCalls, lambda pending: pending.without_call(call))

    async def _change(self, counter: str, kind: type[C], change: Callable[[C], C]) -> None:
        """Replace a count by what `change` makes of it. If another gateway wrote, read and decide again.

        A stale read cannot take too much: the write after it is refused. A dial is refused, and a count left
        as it is, only after a read.
        """
        subject, lock = subjects.dial_count(counter), self._locks.get(counter)
        async with lock or nullcontext():
            for race in range(MAX_RACES):
                known = self._known.pop(counter, None) if race == 0 else None
                if known is not None and isinstance(known.value, kind):
                    seq, before = known.seq, known.value
                else:
                    known, stored = None, await self._bus.get_last(subject)
                    seq, before = (stored.seq, _read(stored.data, kind)) if stored else (0, kind())
                try:
                    after = change(before)
                except InvalidRequest:
                    if known is None:
                        raise
                    continue
                if after == before:
                    if known is None:
                        return
                    continue
                try:
                    seq = await self._bus.publish(subject, encode(after), expect_last=seq)
                except StaleWrite:
                    await asyncio.sleep(RACE_PAUSE_S * random.random() * min(race, 10))
                    continue
                if lock is not None:
                    self._known[counter] = _Known(seq, after)
                return
        raise RetryableError(f"Other gateways wrote the count of dials first {MAX_RACES} times in a row")

    @staticmethod
    @asynccontextmanager
    async def _in_time(seconds: float) -> AsyncIterator[None]:
        """Raise `RetryableError` after `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError as error:
            raise RetryableError(f"The dial could not be counted within {seconds:g} s") from error


def _counter(scope: str, value: str) -> str:
    return f"{scope}-{_hash(f'{scope}:{value}')[:COUNTER_CHARS]}"


def _pending_call(transfer_id: str, attempt: int) -> str:
    return _hash(f"{transfer_id}-{attempt}")[:CALL_CHARS]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _read(data: bytes, kind: type[C]) -> C:
    """Return the count in a message. One that cannot be read is a lost one."""
    try:
        return decode_as(kind, data)
    except DecodeError as error:
        log.warning("dial_count_not_decoded", error=str(error))
        return kind()
