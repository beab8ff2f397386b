"""The lease on a hold: it expires when no coordinator processes the transfer any more.

While the caller is held, the process asks for the liveness of the transfer four times per lease. The lease
expires if no coordinator replies for a whole lease. It also expires after two negative replies in a row.

Invariant: no failure of warmxfer or of the broker leaves a caller muted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

from warmxfer.bus import Bus

from ..common.liveness import NegativeReplies
from ..common.liveness_watch import LivenessAnswer, StageChanges, watching

DEFAULT_LEASE_S = 20.0
MIN_LEASE_S = 1.0
MAX_LEASE_S = 600.0
CHECKS_PER_LEASE = 4


class HoldLease:
    """The decision, pure: takes replies and their times (seconds of one monotonic clock)."""

    def __init__(self, lease_s: float, now: float) -> None:
        self._lease_s = lease_s
        self._last_reply_at = now
        self._replies = NegativeReplies()

    def record_reply(self, live: bool, replied_at: float) -> None:
        """Record a coordinator's reply: whether the transfer is live."""
        self._last_reply_at = replied_at
        self._replies.record(live)

    @property
    def transfer_over(self) -> bool:
        """Whether enough coordinators said that the transfer is over or stalled."""
        return self._replies.transfer_over

    def expired(self, now: float) -> bool:
        """Return whether the hold must be released."""
        return self.transfer_over or now - self._last_reply_at >= self._lease_s


async def wait_until_expired(
    bus: Bus, transfer_id: str, lease_s: float, on_new_stage: Callable[[], None]
) -> bool:
    """Block until the lease on `transfer_id` expires.

    Returns True if the transfer is over, and False if no coordinator replied. Calls `on_new_stage` when a
    reply has another stage than the reply before. Raises only its own cancellation: if this task failed, the
    hold would never be released.
    """
    lease, stages = HoldLease(lease_s, monotonic()), StageChanges()
    expired: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def on_answer(answer: LivenessAnswer) -> None:
        if answer.live is not None:
            lease.record_reply(answer.live, answer.asked_at)
        if lease.expired(monotonic()) and not expired.done():
            expired.set_result(None)
        if stages.changed(answer.stage):
            on_new_stage()

    interval_s = lease_s / CHECKS_PER_LEASE
    with watching(bus, transfer_id, interval_s, interval_s, on_answer):
        await expired
    return lease.transfer_over
