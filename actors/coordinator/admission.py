"""Admission control: at most N running transfers. A refusal at once is better than minutes in a queue.

- Invariant: the limit counts the transfers of all coordinators together, and no coordinator keeps a list. A
  live transfer has exactly one durable timer, so the broker counts the timers. The count includes ended
  transfers that still search for a leg or a room. Between two counts, this process adds what it admitted.
- Invariant: transfers that run have room to end (`storage_guard.py`). The broker's storage is read together
  with the count.
"""

from __future__ import annotations

import asyncio

import structlog

from warmxfer.bus import BrokerClock, Bus, RetryableError, StorageUse, subjects
from warmxfer.schemas import Outcome, TransferRefused, WarmTransferConfig

from .outbox import TIMER
from .state_machine import timeouts
from .storage_guard import why_full

COUNT_EVERY_S = 1.0
MAX_QUEUED_S = 60.0
"""A request that was queued for longer is rejected: its caller has probably left."""
RETRY_AFTER_S = 5.0
MORE_COORDINATORS = "start more coordinators"
MORE_STORAGE = "give the broker more storage"

log = structlog.get_logger(__name__)


class Admission:
    """Admits transfers while fewer than `limit` are running; `clock` measures how long requests were
    queued.
    """

    def __init__(self, bus: Bus, limit: int, clock: BrokerClock, *, max_store_bytes: int = 0) -> None:
        self._bus = bus
        self._limit = limit
        self._clock = clock
        self._max_store_bytes = max_store_bytes
        self._storage = StorageUse(0, None, 0, 1)
        self._running = 0
        self._counted_at = float("-inf")
        self._counting = asyncio.Lock()

    async def rejection(
        self, id: str, requested_at: float, config: WarmTransferConfig
    ) -> TransferRefused | None:
        """Return why transfer `id` may not start now, or None; then the transfer counts as running."""
        queued_s = self._clock.now() - requested_at
        if queued_s > MAX_QUEUED_S:
            return _rejection(id, f"The request waited {queued_s:.0f} s in the queue", MORE_COORDINATORS)
        await self._count()
        if self._running >= self._limit:
            reason = f"{self._running} transfers are running, WARMXFER_MAX_TRANSFERS allows {self._limit}"
            return _rejection(id, reason, MORE_COORDINATORS)
        if full := why_full(self._storage, self._max_store_bytes, self._running):
            return _rejection(id, full, MORE_STORAGE)
        if too_long := why_too_long(self._storage.max_age_s, config):
            return TransferRefused(transfer_id=id, detail=too_long)
        self._running += 1
        return None

    async def _count(self) -> None:
        """Count again after `COUNT_EVERY_S`. Requests that arrive meanwhile wait for the new count."""
        async with self._counting:
            now = asyncio.get_running_loop().time()
            if now - self._counted_at < COUNT_EVERY_S:
                return
            try:
                self._running, self._storage = await asyncio.gather(
                    self._bus.count(subjects.any_timer(TIMER)), self._bus.storage()
                )
            except RetryableError as error:
                log.warning("transfer_count_failed", known=self._running, reason=str(error))
            self._counted_at = now


def why_too_long(max_age_s: float | None, config: WarmTransferConfig) -> str | None:
    """Return why a transfer may outlive what the stream keeps of it, or None.

    The settings allow no such stream. It may have been changed by hand, or by an earlier version.
    """
    longest_s = timeouts.longest_s(config)
    if max_age_s is None or longest_s <= max_age_s:
        return None
    waits = ("supervisor_join_timeout_s", "briefing_timeout_s", "command_timeout_s")
    field = max(waits, key=lambda name: getattr(config, name))
    return (
        f"config.{field} is {getattr(config, field):g}, with which a transfer may take {longest_s:.0f} s, "
        f"and the stream keeps messages for {max_age_s:.0f} s; lower it, or raise WARMXFER_MAX_AGE_S."
    )


def _rejection(id: str, reason: str, remedy: str) -> TransferRefused:
    log.warning("transfer_rejected", transfer_id=id, reason=reason)
    return TransferRefused(
        transfer_id=id,
        detail=f"{reason}; ask again in {RETRY_AFTER_S:g} s, or {remedy}.",
        outcome=Outcome.TOO_BUSY,
        retry_after_s=RETRY_AFTER_S,
    )
