"""When a message that needs a newer version is delivered again, and when that ends.

The worker gives such a message back, so that the broker delivers it to any worker of the consumer. Among them
may be one of the newer version.
"""

from __future__ import annotations

import random

NEWER_TRIES = 20
"""Deliveries before a message that needs a newer version is dead-lettered, after 31 s.

So it reaches one newer worker among three older ones with a probability of 99.7 %.
"""
NEWER_RETRY_MIN_S = 0.2
NEWER_RETRY_MAX_S = 2.0
NEWER_RETRY_GROWTH = 1.5


class NewerRetries:
    """Deliveries of one worker's messages that need a newer version: `NEWER_TRIES`, `limit` at most."""

    def __init__(self, limit: int) -> None:
        self._limit = limit

    def is_last(self, delivery_count: int) -> bool:
        """Return whether a message with so many deliveries is not given back any more."""
        return delivery_count >= min(NEWER_TRIES, self._limit)

    def pause_s(self, delivery_count: int, *, longest: bool = False) -> float:
        """Return the pause before the next delivery. It grows with each one, unless it is the `longest`."""
        if longest:
            return NEWER_RETRY_MAX_S
        pause_s = min(NEWER_RETRY_MAX_S, NEWER_RETRY_MIN_S * NEWER_RETRY_GROWTH ** (delivery_count - 1))
        return pause_s * random.uniform(0.75, 1.0)
