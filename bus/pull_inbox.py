"""One inbox of a pull consumer, and the pulls that are open on it.

An inbox outlives its last use until its pulls have ended. The broker may deliver to a pull until then, also
if nothing subscribes to the inbox any more. The server that leads the consumer sees the end of a subscription
only in its own account, and users have another account than streams. On another server than theirs it sees a
mapping of their replies, which stays. A message that is sent to an inbox without a subscriber waits for
`ack_wait`. nats-server 2.15 has no request that ends a pull, so each pull is short.
"""

from __future__ import annotations

from collections.abc import Mapping

from nats.aio.subscription import Subscription

from .nats_client import unsubscribe

PULL_EXPIRES_S = 2.0
"""The broker answers each pull within this time: with messages, or with status 408. So it sends no heartbeat.

It bounds how long a stop takes, and how long messages are sent to a process that was killed.
"""
LATE_S = 0.5
"""How much later than its expiry the end of a pull may arrive."""


class PullInbox:
    """An inbox with its subscription. `requested` is the number of messages that its open pulls may bring."""

    def __init__(self, subject: str) -> None:
        self.subject = subject
        self.subscription: Subscription | None = None
        self.requested = 0
        self._ends_at = 0.0

    def pulled(self, count: int, now: float) -> None:
        """Note a pull of `count` messages."""
        self.requested += count
        self._ends_at = now + PULL_EXPIRES_S + LATE_S

    def delivered(self) -> None:
        """Note a message."""
        self.requested = max(0, self.requested - 1)

    def ended(self, headers: Mapping[str, str]) -> None:
        """Note that a pull has ended. Without a number in its status, all pulls have."""
        self.requested = max(0, self.requested - int(headers.get("Nats-Pending-Messages", self.requested)))

    def left_s(self, now: float) -> float:
        """Return for how many seconds a message may still arrive. 0: no pull is open."""
        return max(0.0, self._ends_at - now) if self.requested else 0.0

    async def drain(self) -> None:
        """End the subscription. A message that the broker has sent arrives before this returns."""
        subscription, self.subscription = self.subscription, None
        if subscription is not None:
            await subscription.drain()

    async def close(self) -> None:
        """End the subscription. Idempotent."""
        subscription, self.subscription = self.subscription, None
        if subscription is not None:
            await unsubscribe(subscription)
