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

from .state_machine import Stage, Transfer, decode_record

OVERDUE_S = 60.0
"""Longer than the backlog after a broker outage, or after a crash of all workers under full load."""

log = structlog.get_logger(__name__)


class TransferLiveness:
    """Liveness by the transfer log; `clock` estimates the broker's clock."""

    def __init__(self, bus: Bus, clock: BrokerClock) -> None:
        self._log = TransferLog(bus)
        self._clock = clock

    async def is_live(self, id: str) -> bool | None:
        """Return whether transfer `id` has not ended, or None if it has no record.

        A bridge guard comes after the end.
        """
        entry = await self._log.get_last_from_leader(id)
        return None if entry is None else not _state(entry).stage.ended

    async def takes_events(self, id: str) -> bool:
        """Return whether transfer `id` has not ended, or is in its bridge guard."""
        entry = await self._log.get_last_from_leader(id)
        return entry is not None and _is_handled(_state(entry))

    async def answer_liveness(self, query: LiveMessage) -> bytes:
        """Reply to a session that holds a caller whether the transfer is live."""
        id = decode_as(LivenessQuery, query.data).transfer_id
        live = self._is_progressing(await self._log.get_last(id)) or self._is_progressing(
            await self._log.get_last_from_leader(id)
        )
        return encode(LivenessReply(live))

    def _is_progressing(self, entry: LogEntry | None) -> bool:
        """Return whether the transfer is handled and its timer is not long overdue."""
        if entry is None or not _is_handled(state := _state(entry)):
            return False
        if self._clock.now() < entry.at:
            self._clock.observe(entry.at)
        late_s = 0.0 if state.timer_due_at is None else self._clock.now() - state.timer_due_at
        if late_s > OVERDUE_S:
            log.error("transfer_stalled", transfer_id=state.id, stage=state.stage.value, late_s=late_s)
        return late_s <= OVERDUE_S


def _is_handled(state: Transfer) -> bool:
    """Return whether the transfer has not ended, or is in its bridge guard: then its session still holds."""
    return not state.stage.ended or state.stage is Stage.GUARDING


def _state(entry: LogEntry) -> Transfer:
    return decode_record(entry.data).state
