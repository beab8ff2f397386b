"""Whether anybody is in charge of a transfer: asked by who holds somebody for it, or wants who is held.

The law of this file: a yes may be a moment old, a no is the newest record's. And nobody is in charge of a
transfer that stands still: each live one has its timer, so one whose time is long past was lost, and who is
held for it is let go. So no hold lasts for ever, whatever became of a timer.
"""

from __future__ import annotations

import structlog

from warmxfer.bus import BrokerClock, Bus, LiveMessage, LogEntry, TransferLog
from warmxfer.schemas import LivenessQuery, LivenessReply, decode_as, encode

from .state_machine import Transfer, decode_record

OVERDUE_S = 60.0
"""Longer than it takes to work off what an outage left behind, or a crash of all workers in a full house."""

log = structlog.get_logger(__name__)


class TransferLiveness:
    """Reads what the log says; `clock` is the broker's, as far as this process knows it."""

    def __init__(self, bus: Bus, clock: BrokerClock) -> None:
        self._log = TransferLog(bus)
        self._clock = clock

    async def is_live(self, id: str) -> bool | None:
        """Whether transfer `id` has not ended; None when it has no record."""
        entry = await self._log.get_last_from_leader(id)
        return None if entry is None else not _state(entry).stage.ended

    async def answer_liveness(self, question: LiveMessage) -> bytes:
        """To a session that holds a caller: is anybody in charge of them?"""
        id = decode_as(LivenessQuery, question.data).transfer_id
        moves = self._is_progressing(await self._log.get_last(id)) or self._is_progressing(
            await self._log.get_last_from_leader(id)
        )
        return encode(LivenessReply(moves))

    def _is_progressing(self, entry: LogEntry | None) -> bool:
        """Whether it has not ended, and its timer has fired or may do so yet."""
        if entry is None or (state := _state(entry)).stage.ended:
            return False
        if self._clock.now() < entry.at:
            self._clock.observe(entry.at)
        late_s = 0.0 if state.timer_due_at is None else self._clock.now() - state.timer_due_at
        if late_s > OVERDUE_S:
            log.error("transfer_stands_still", transfer_id=state.id, stage=state.stage.value, late_s=late_s)
        return late_s <= OVERDUE_S


def _state(entry: LogEntry) -> Transfer:
    return decode_record(entry.data).state
