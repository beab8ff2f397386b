"""How long a caller stays on hold when nobody is in charge any more.

While the caller is held, a coordinator is asked for the transfer's pulse four times per lease. No answer at
all for a whole lease, or twice in a row the answer that the transfer is over or stands still, and the hold is
let go by the proxy itself: no failure of ours, nor of the broker, leaves a caller muted.

`Lease` decides and is pure; `outlive` asks.
"""

from __future__ import annotations

import asyncio
from time import monotonic

import structlog

from warmxfer.bus import Bus
from warmxfer.schemas import format_traceback

from ..common.liveness import CONFIRMATIONS, is_live

DEFAULT_LEASE_S = 20.0
MIN_LEASE_S = 1.0
MAX_LEASE_S = 600.0
CHECKS_PER_LEASE = 4

log = structlog.get_logger(__name__)


class HoldLease:
    """Pure: fed with what was heard and when (seconds of one monotonic clock), says whether it still runs."""

    def __init__(self, lease_s: float, now: float) -> None:
        self._lease_s = lease_s
        self._last_reply_at = now
        self._negative_replies = 0

    def record_reply(self, live: bool, replied_at: float) -> None:
        """Somebody answered: the transfer lives, or is over."""
        self._last_reply_at = replied_at
        self._negative_replies = 0 if live else self._negative_replies + 1

    @property
    def transfer_over(self) -> bool:
        """The transfer is, as far as anybody can say."""
        return self._negative_replies >= CONFIRMATIONS

    def expired(self, now: float) -> bool:
        """True when the hold has to be let go."""
        return self.transfer_over or now - self._last_reply_at >= self._lease_s


async def wait_until_expired(bus: Bus, transfer_id: str, lease_s: float) -> bool:
    """Return when nobody is in charge of `transfer_id` any more: True when it is over, else nobody answered.

    Raises nothing but its own cancellation: a hold whose lease had died would never be let go.
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
