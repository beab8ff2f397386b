"""Admission control: at most N running transfers. A refusal at once is better than minutes in a queue.

- Invariant: the limit counts the transfers of all coordinators together, and no coordinator keeps a list. A
  live transfer has exactly one durable timer, so the broker counts the timers. The count includes ended
  transfers that still search for a leg or a room. Between two counts, this process adds what it admitted.
"""

from __future__ import annotations

import asyncio

import structlog

from warmxfer.bus import BrokerClock, Bus, RetryableError, subjects
from warmxfer.schemas import Outcome, TransferRefused

from .outbox import TIMER

COUNT_EVERY_S = 1.0
MAX_QUEUED_S = 60.0
"""A request that was queued for longer is rejected: its caller has probably left."""
RETRY_AFTER_S = 5.0

log = structlog.get_logger(__name__)


class Admission:
    """Admits transfers while fewer than `limit` are running; `clock` measures how long requests were
    queued.
    """

    def __init__(self, bus: Bus, limit: int, clock: BrokerClock) -> None:
        self._bus = bus
        self._limit = limit
        self._clock = clock
        self._running = 0
        self._counted_at = float("-inf")

    async def rejection(self, id: str, requested_at: float) -> TransferRefused | None:
        """Return why transfer `id` may not start now, or None; then the transfer counts as running."""
        queued_s = self._clock.now() - requested_at
        if queued_s > MAX_QUEUED_S:
            return _rejection(id, f"The request waited {queued_s:.0f} s in the queue")
        await self._count()
        if self._running >= self._limit:
            return _rejection(
                id, f"{self._running} transfers are running, WARMXFER_MAX_TRANSFERS allows {self._limit}"
            )
        self._running += 1
        return None

    async def _count(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._counted_at < COUNT_EVERY_S:
            return
        self._counted_at = now
        try:
            self._running = await self._bus.count(subjects.any_timer(TIMER))
        except RetryableError as error:
            log.warning("transfer_count_failed", known=self._running, reason=str(error))


def _rejection(id: str, reason: str) -> TransferRefused:
    log.warning("transfer_rejected", transfer_id=id, reason=reason)
    return TransferRefused(
        transfer_id=id,
        detail=f"{reason}; ask again in {RETRY_AFTER_S:g} s, or start more coordinators.",
        outcome=Outcome.TOO_BUSY,
        retry_after_s=RETRY_AFTER_S,
    )
