"""Admission control: which requests start a transfer, which wait for it, and which are refused.

A refusal in seconds is better than minutes in a queue, or than a caller on hold whom no actor works for.

- Invariant: the limit counts the transfers of all coordinators together, and no coordinator keeps a list. A
  live transfer has exactly one durable timer, so the broker counts the timers. The count includes ended
  transfers that still search for a leg or a room. Between two counts, this process adds what it admitted.
- Invariant: a transfer starts only while the actors keep up (`admission_limits.py`). Until then its request
  waits, for seconds (`start_queue.py`).
- Invariant: transfers that run have room to end (`storage_guard.py`). The broker's storage is read together
  with the count.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from collections.abc import Set as AbstractSet

import structlog

from warmxfer.bus import BrokerClock, Budget, Bus, RetryableError, StorageUse, subjects
from warmxfer.schemas import Outcome, TransferRefused, WarmTransferConfig

from ..common.capacity import RoleCapacity
from .admission_limits import Hindrance, StartLimits
from .briefing_places import HeldPlaces
from .outbox import TIMER
from .settings import DEFAULT_MAX_WAIT_S
from .start_queue import StartQueue
from .state_machine import Transfer, timeouts
from .storage_guard import why_full

COUNT_EVERY_S = 1.0
MAX_QUEUED_S = 60.0
"""A request that was queued for longer is rejected: its caller has probably left."""
RETRY_AFTER_S = 5.0
MORE_COORDINATORS = "start more coordinators"
MORE_STORAGE = "give the broker more storage"
LOG_BURST, LOG_PER_S = 20, 2.0
"""Log lines about refused requests."""

log = structlog.get_logger(__name__)


class Admission:
    """Admits transfers while fewer than `limit` are running; `clock` measures how long requests were
    queued.
    """

    def __init__(
        self,
        bus: Bus,
        limit: int,
        clock: BrokerClock,
        *,
        max_store_bytes: int = 0,
        max_wait_s: float = DEFAULT_MAX_WAIT_S,
        instance: str = "",
    ) -> None:
        self._bus = bus
        self._limit = limit
        self._clock = clock
        self._max_store_bytes = max_store_bytes
        self._storage = StorageUse(0, None, 0, 1)
        self._running = 0
        self._counted_at = float("-inf")
        self._counting = asyncio.Lock()
        self.on_places_changed: Callable[[], None] = lambda: None
        """Called when `held_places` has changed."""
        self._limits = StartLimits(instance, lambda: self.on_places_changed())
        self._queue = StartQueue(self._limits, max_wait_s)
        self._log_budget = Budget(LOG_BURST, LOG_PER_S)
        self._unlogged = 0

    async def admit(self, id: str, requested_at: float, config: WarmTransferConfig) -> TransferRefused | None:
        """Block until transfer `id` may start and counts as running. If it may not, return why."""
        queued_s = await self._queued_s(requested_at)
        if queued_s > MAX_QUEUED_S:
            reason = f"The request waited {queued_s:.0f} s in the queue"
            return self._refused(id, Hindrance("queue", reason, MORE_COORDINATORS))
        if hindrance := await self._hindrance():
            return self._refused(id, hindrance)
        if too_long := why_too_long(self._storage.max_age_s, config):
            return TransferRefused(transfer_id=id, detail=too_long)
        refusal = await self._queue.wait(id, queued_s, needs_briefing=config.brief_by != "session")
        if refusal is not None:
            return self._refused(id, *refusal)
        # Those that waited together were all counted before one of them started.
        if hindrance := await self._hindrance():
            self._limits.drop(id)
            return self._refused(id, hindrance)
        self._running += 1
        return None

    async def _queued_s(self, requested_at: float) -> float:
        """Return how long a request that the broker stored at `requested_at` was queued.

        A request also looks old after the broker's clock was set back. So the broker is asked before it is
        refused for its age.
        """
        if self._clock.now() - requested_at > MAX_QUEUED_S:
            asked_at = _monotonic_s()
            self._clock.correct(await self._bus.broker_time(), _monotonic_s() - asked_at)
        return max(0.0, self._clock.now() - requested_at)

    async def _hindrance(self) -> Hindrance | None:
        """Return what keeps each further transfer from starting: the limit on all, or the storage."""
        await self._count()
        if self._running >= self._limit:
            reason = f"{self._running} transfers are running, WARMXFER_MAX_TRANSFERS allows {self._limit}"
            return Hindrance("transfers", reason, MORE_COORDINATORS)
        if full := why_full(self._storage, self._max_store_bytes, self._running):
            return Hindrance("storage", full, MORE_STORAGE)
        return None

    # ── what the limits follow ───────────────────────────────────────────────────────────────────

    def heard(self, role: str, capacity: RoleCapacity) -> None:
        """Note what one process of another role announces about its jobs."""
        self._limits.heard(role, capacity, _monotonic_s())
        self._queue.start_ready()

    async def listen(self) -> None:
        """Note that announcements may have been missed until now: at the start, and after each reconnect."""
        self._limits.listen(_monotonic_s())

    def observe_delay(self, stored_at: float) -> None:
        """Note that an event is handled now that the broker stored at `stored_at`."""
        self._limits.observe_lag(max(0.0, self._clock.now() - stored_at), _monotonic_s())

    def record_state(self, state: Transfer) -> None:
        """Note the newest state of a transfer."""
        if self._limits.record(state, _monotonic_s()):
            self._queue.start_ready()

    def drop(self, id: str) -> None:
        """Forget a transfer that another coordinator has continued."""
        self._limits.drop(id)

    def take_partitions(self, partitions: AbstractSet[int]) -> None:
        """Note which partitions this coordinator takes."""
        self._limits.take_partitions(partitions, _monotonic_s())
        self._queue.start_ready()

    def held_places(self) -> HeldPlaces:
        """Return which places of briefing agents this coordinator announces to the others."""
        return self._limits.held_places(_monotonic_s())

    def heard_coordinator(self, instance: str, places: HeldPlaces | None) -> None:
        """Note what another coordinator announces; None: it stops."""
        if self._limits.heard_coordinator(instance, places, _monotonic_s()):
            self._queue.start_ready()

    def close(self) -> None:
        """Let no request wait any longer."""
        self._queue.close()

    def _refused(
        self, id: str, hindrance: Hindrance, retry_after_s: float = RETRY_AFTER_S
    ) -> TransferRefused:
        limit, reason = hindrance.limit, hindrance.reason
        if self._log_budget.take(_monotonic_s()):
            unlogged, self._unlogged = self._unlogged, 0
            log.warning("transfer_rejected", transfer_id=id, limit=limit, reason=reason, more_before=unlogged)
        else:
            self._unlogged += 1
        return TransferRefused(
            transfer_id=id,
            detail=f"{reason}; ask again in {retry_after_s:g} s, or {hindrance.remedy}.",
            outcome=Outcome.TOO_BUSY,
            retry_after_s=retry_after_s,
            limit=limit,
        )

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


def _monotonic_s() -> float:
    return asyncio.get_running_loop().time()
