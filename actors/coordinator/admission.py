"""Whether one more transfer may begin: better a sentence at once than a caller who waits for minutes.

The law of this file: the limit is on all coordinators together, and nobody keeps a list. A live transfer has
exactly one durable timer, so the broker can count them (with those that are over and still look for a leg or
a room in doubt); between two counts this process adds what it let in.
"""

from __future__ import annotations

import asyncio

import structlog

from warmxfer.bus import BrokerClock, Bus, RetryableError, subjects
from warmxfer.schemas import Outcome, TransferRefused

from .outbox import TIMER

COUNT_EVERY_S = 1.0
MAX_WAITED_S = 60.0
"""A request that lay in the queue for longer is refused: its caller is not where they were."""
RETRY_AFTER_S = 5.0

log = structlog.get_logger(__name__)


class Admission:
    """Lets transfers begin as long as fewer than `limit` are running; `clock` says how long they waited."""

    def __init__(self, bus: Bus, limit: int, clock: BrokerClock) -> None:
        self._bus = bus
        self._limit = limit
        self._clock = clock
        self._live = 0
        self._counted_at = float("-inf")

    async def rejection(self, id: str, asked_at: float) -> TransferRefused | None:
        """Why transfer `id` may not begin now; None: it may, and counts from here."""
        waited_s = self._clock.now() - asked_at
        if waited_s > MAX_WAITED_S:
            return _refused(id, f"The request waited for {waited_s:.0f} s before anybody had time for it")
        await self._count()
        if self._live >= self._limit:
            return _refused(
                id, f"{self._live} transfers are running, WARMXFER_MAX_TRANSFERS allows {self._limit}"
            )
        self._live += 1
        return None

    async def _count(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._counted_at < COUNT_EVERY_S:
            return
        self._counted_at = now
        try:
            self._live = await self._bus.count(subjects.any_timer(TIMER))
        except RetryableError as error:
            log.warning("transfers_not_counted", known=self._live, why=str(error))


def _refused(id: str, why: str) -> TransferRefused:
    log.warning("transfer_turned_away", transfer_id=id, why=why)
    return TransferRefused(
        transfer_id=id,
        detail=f"{why}; ask again in {RETRY_AFTER_S:g} s, or start more coordinators.",
        outcome=Outcome.TOO_BUSY,
        retry_after_s=RETRY_AFTER_S,
    )
