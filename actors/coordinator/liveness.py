"""Liveness of transfers. Sessions that hold a caller ask whether the transfer is still being processed.

- Invariant: a positive answer may come from a stale read; a negative answer is read from the stream leader.
  Test: `tests/actors/coordinator/test_stale_reads.py`.
- Invariant: a stalled transfer is not live. Each live transfer has a timer. If the timer is long overdue, it
  was lost, and sessions release the caller. So no hold lasts forever, whatever happens to a timer.
"""

from __future__ import annotations

import structlog

from warmxfer.bus import BrokerClock, Bus, LiveMessage, LogEntry, TransferLog
from warmxfer.schemas import LivenessQuery, LivenessReply, decode_as, encode

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

log = structlog.get_logger(__name__)


class TransferLiveness:
    """Liveness by the transfer log; `clock` estimates the broker's clock."""

    def __init__(self, bus: Bus, clock: BrokerClock) -> None:
        self._log = TransferLog(bus)
        self._clock = clock

    async def holds_caller(self, id: str) -> bool | None:
        """Return whether transfer `id` may have its caller, or None if it has no record.

        A record that this version cannot continue holds the caller only until its timer is overdue.
        """
        entry = await self._log.get_last_from_leader(id)
        if entry is None:
            return None
        progress = _Progress(entry)
        return not progress.ended and (progress.continuable or self._is_progressing(entry))

    async def takes_events(self, id: str) -> bool:
        """Return whether an event may change transfer `id`: it is handled, or cleans up after its end."""
        entry = await self._log.get_last_from_leader(id)
        return entry is not None and ((progress := _Progress(entry)).handled or progress.has_timer)

    async def answer_liveness(self, query: LiveMessage) -> bytes:
        """Reply to a session that holds a caller whether the transfer is live."""
        id = decode_as(LivenessQuery, query.data).transfer_id
        live = self._is_progressing(await self._log.get_last(id)) or self._is_progressing(
            await self._log.get_last_from_leader(id)
        )
        return encode(LivenessReply(live))

    def _is_progressing(self, entry: LogEntry | None) -> bool:
        """Return whether the transfer is handled and its timer is not long overdue."""
        if entry is None or not (progress := _Progress(entry)).handled:
            return False
        if self._clock.now() < entry.at:
            self._clock.observe(entry.at)
        due_at = progress.timer_due_at
        late_s = 0.0 if due_at is None else self._clock.now() - due_at
        if late_s > OVERDUE_S:
            log.error("transfer_stalled", transfer_id=progress.id, stage=progress.stage, late_s=late_s)
        return late_s <= OVERDUE_S


class _Progress:
    """What the newest record of a transfer says about its progress, also if it cannot be continued."""

    def __init__(self, entry: LogEntry) -> None:
        state = _continuable_state(entry.data)
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


def _continuable_state(data: bytes) -> Transfer | None:
    """Return the state in the record `data`, or None if this version cannot continue from it."""
    try:
        record = decode_record(data)
    except UnreadableRecord:
        return None
    return record.state if obstacle(record) is None else None
