"""One deadline over many attempts: how the bus waits out a broker that is away."""

from __future__ import annotations

import asyncio
import random
from typing import Protocol

from .errors import Unavailable

ATTEMPT_TIMEOUT_S = 2.0
BACKOFF_MIN_S = 0.02
BACKOFF_MAX_S = 0.5
MIN_ATTEMPT_S = 0.05


class Reconnecting(Protocol):
    """The connection, as far as waiting for it goes."""

    async def wait_connected(self, deadline: float) -> None: ...

    def unavailable(self, why: str) -> Unavailable: ...


class RetryLoop:
    """`begin` before each attempt, `again` after each that failed; raises `Unavailable` at the deadline."""

    def __init__(self, link: Reconnecting, deadline_s: float) -> None:
        self._link = link
        self._deadline = asyncio.get_running_loop().time() + deadline_s
        self._backoff_s = BACKOFF_MIN_S

    @property
    def left_s(self) -> float:
        """Seconds until the deadline, never less than the least that makes an attempt worth while."""
        return max(MIN_ATTEMPT_S, self._deadline - asyncio.get_running_loop().time())

    async def next_attempt(self) -> float:
        """Wait for the connection; returns the seconds this attempt may take."""
        await self._link.wait_connected(self._deadline)
        return min(ATTEMPT_TIMEOUT_S, self.left_s)

    async def back_off(self, why: str) -> None:
        """Wait a growing while before the next attempt; `why` the last one failed ends in the error."""
        if asyncio.get_running_loop().time() + self._backoff_s >= self._deadline:
            raise self._link.unavailable(why)
        await asyncio.sleep(self._backoff_s * random.uniform(0.5, 1.0))
        self._backoff_s = min(2 * self._backoff_s, BACKOFF_MAX_S)
