"""The lease on a hold: it expires when no coordinator processes the transfer any more.

While the caller is held, the session asks for the liveness of the transfer four times per lease. The lease
expires if no coordinator replies for a whole lease. It also expires after two negative replies in a row.

Invariant: no failure of warmxfer or of the broker leaves a caller muted.
"""

from __future__ import annotations

import asyncio
from time import monotonic

import structlog

from warmxfer.bus import Bus
from warmxfer.schemas import format_traceback

from ..common.liveness import NegativeReplies, is_live

DEFAULT_LEASE_S = 20.0
MIN_LEASE_S = 1.0
MAX_LEASE_S = 600.0
CHECKS_PER_LEASE = 4

log = structlog.get_logger(__name__)


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


async def wait_until_expired(bus: Bus, transfer_id: str, lease_s: float) -> bool:
    """Block until the lease on `transfer_id` expires.

    Returns True if the transfer is over, and False if no coordinator replied. Raises only its own
    cancellation: if this task failed, the hold would never be released.
    """
    lease, pause_s = HoldLease(lease_s, monotonic()), lease_s / CHECKS_PER_LEASE
    while not lease.expired(monotonic()):
        await asyncio.sleep(pause_s)
        asked_at = monotonic()
        try:
            live = await is_live(bus, transfer_id, pause_s)
        except Exception as error:
            log.error("liveness_check_failed", transfer_id=transfer_id, exception=format_traceback(error))
            live = None
        if live is not None:
            lease.record_reply(live, asked_at)
    return lease.transfer_over
