"""Liveness of transfers. Sessions that hold a caller ask whether the transfer is still being processed.

- Invariant: a positive answer may come from a stale read, or from a record that this process knows
  (`liveness_cache.py`); a negative answer is read from the stream leader.
  Test: `tests/actors/coordinator/test_stale_reads.py`.
- Invariant: a stalled transfer is not live. Each live transfer has a timer. If the timer is long overdue, it
  was lost, and sessions release the caller. So no hold lasts forever, whatever happens to a timer.
"""

from __future__ import annotations

import asyncio
from math import inf

import structlog

from warmxfer.bus import (
    AccessDenied,
    BrokerClock,
    Bus,
    LiveMessage,
    LogEntry,
    RetryableError,
    StreamSpan,
    TransferLog,
    subjects,
)
from warmxfer.schemas import (
    MAX_LIVENESS_QUERY,
    InvalidRequest,
    Liveness,
    LivenessQuery,
    LivenessReply,
    decode_as,
    encode,
)

from .liveness_cache import LivenessCache, LiveRecord
from .state_machine import (
    ENDED,
    LAST_STAGES,
    Transfer,
    UnreadableRecord,
    decode_record,
    obstacle,
    plain_stage,
    plain_timer_due_at,
)

OVERDUE_S = 60.0
"""Longer than the backlog after a broker outage, or after a crash of all workers under full load."""

READS_AT_ONCE = 16
SPAN_AGE_S = 1.0
"""How long the span of the stream is used for further queries."""
SPAN_TIMEOUT_S = 1.0

log = structlog.get_logger(__name__)


class TransferLiveness:
    """Liveness by the transfer log; `clock` estimates the broker's clock."""

    def __init__(self, bus: Bus, clock: BrokerClock) -> None:
        self._bus = bus
        self._log = TransferLog(bus)
        self._clock = clock
        self._cache = LivenessCache()
        self._reads = asyncio.Semaphore(READS_AT_ONCE)
        self._span: tuple[float, StreamSpan] | None = None
        bus.on_reconnect(self._forget)

    def record_state(self, state: Transfer, seq: int) -> None:
        """Keep what record number `seq`, just read or written, says of the transfer's liveness."""
        if state.stage in LAST_STAGES:
            self._cache.drop(state.id)
            return
        overdue_at = inf if state.timer_due_at is None else state.timer_due_at + OVERDUE_S
        self._cache.put(state.id, LiveRecord(seq, state.stage.value, overdue_at, _monotonic_s()))

    def drop(self, id: str) -> None:
        """Forget a transfer that another coordinator has continued."""
        self._cache.drop(id)

    async def _forget(self) -> None:
        """Drop everything: after a reconnect the broker may have another history."""
        self._cache.clear()
        self._span = None

    async def holds_caller(self, id: str) -> bool | None:
        """Return whether transfer `id` may have its caller, or None if it has no record.

        A record that this version cannot continue holds the caller only until its timer is overdue.
        """
        entry = await self._log.get_last_from_leader(id)
        if entry is None:
            return None
        progress = _Progress(id, entry)
        return not progress.ended and (progress.continuable or self._is_progressing(id, entry))

    async def takes_events(self, id: str) -> bool:
        """Return whether an event may change transfer `id`: it is handled, or cleans up after its end."""
        entry = await self._log.get_last_from_leader(id)
        return entry is not None and ((progress := _Progress(id, entry)).handled or progress.has_timer)

    async def answer_liveness(self, query: LiveMessage) -> bytes:
        """Reply to an actor that works for transfers whether they are live."""
        asked = decode_as(LivenessQuery, query.data)
        if len(asked.more) >= MAX_LIVENESS_QUERY:
            raise InvalidRequest(
                f"more has {len(asked.more)} transfers; ask about {MAX_LIVENESS_QUERY} at most in all"
            )
        span, ids = await self._read_span(), (asked.transfer_id, *asked.more)
        now, clock_s, found = self._clock.now(), _monotonic_s(), dict[str, Liveness]()
        # Without a span of the stream nothing cached is used.
        if span is not None:
            for id in ids:
                if (stage := self._cache.live_stage(id, span, now, clock_s)) is not None:
                    found[id] = Liveness(True, stage)
        # Only these get a task each: most queries are about hundreds of transfers that are known to be live.
        unknown = [id for id in dict.fromkeys(ids) if id not in found]
        found |= zip(unknown, await asyncio.gather(*map(self._read_liveness, unknown)), strict=True)
        first, *more = (found[id] for id in ids)
        return encode(LivenessReply(first.live, first.stage, more))

    async def _read_liveness(self, id: str) -> Liveness:
        """Return the liveness of one transfer as its newest record says."""
        self._cache.drop(id)
        async with self._reads:
            entry = await self._log.get_last(id)
            if not self._is_progressing(id, entry):
                entry = await self._log.get_last_from_leader(id)
        live = self._is_progressing(id, entry)
        return Liveness(live, "" if entry is None else _Progress(id, entry).stage)

    async def _read_span(self) -> StreamSpan | None:
        """Return which messages the stream can hold, or None if that cannot be read."""
        if self._span is None or _monotonic_s() - self._span[0] > SPAN_AGE_S:
            try:
                read_at = _monotonic_s()
                self._span = read_at, await self._bus.stream_span(subjects.CORE, deadline_s=SPAN_TIMEOUT_S)
            except (RetryableError, AccessDenied) as error:
                log.warning("stream_span_not_read", why=str(error))
                self._span = None
                return None
            self._cache.check_stream(self._span[1])
        return self._span[1]

    def _is_progressing(self, id: str, entry: LogEntry | None) -> bool:
        """Return whether the transfer is handled and its timer is not long overdue."""
        if entry is None or not (progress := _Progress(id, entry)).handled:
            return False
        if self._clock.now() < entry.at:
            self._clock.observe(entry.at)
        if progress.state is not None:
            self.record_state(progress.state, entry.seq)
        due_at = progress.timer_due_at
        late_s = 0.0 if due_at is None else self._clock.now() - due_at
        if late_s > OVERDUE_S:
            log.error("transfer_stalled", transfer_id=progress.id, stage=progress.stage, late_s=late_s)
        return late_s <= OVERDUE_S


class _Progress:
    """What the newest record of a transfer says about its progress, also if it cannot be continued."""

    def __init__(self, id: str, entry: LogEntry) -> None:
        state = self.state = _continuable_state(id, entry.data)
        self.continuable = state is not None
        if state is None:
            due_at = plain_timer_due_at(entry.data)
            self.has_timer = due_at is not None
            self.id, self.stage = "", plain_stage(entry.data)
            self.timer_due_at = entry.at if due_at is None else due_at
        else:
            self.has_timer = state.timer_due_at is not None
            self.id, self.stage = state.id, state.stage.value
            self.timer_due_at = state.timer_due_at

    @property
    def ended(self) -> bool:
        return self.stage in ENDED

    @property
    def handled(self) -> bool:
        """True if the transfer has not ended, or is in its bridge guard: then its session still holds."""
        return self.stage not in LAST_STAGES


def _monotonic_s() -> float:
    return asyncio.get_running_loop().time()


def _continuable_state(id: str, data: bytes) -> Transfer | None:
    """Return the state of transfer `id` in `data`, or None if this version cannot continue from it."""
    try:
        record = decode_record(data)
    except UnreadableRecord:
        return None
    return record.state if obstacle(record, id) is None else None
