"""Retries with growing pauses until one deadline, while the broker is unreachable."""

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
    """What a retry loop needs of the connection."""

    @property
    def connected(self) -> bool: ...

    async def wait_connected(self, deadline: float) -> None: ...

    def unavailable(self, why: str) -> Unavailable: ...


class RetryLoop:
    """`next_attempt` before each attempt, `back_off` after each failure; `Unavailable` at the deadline."""

    def __init__(self, connection: Reconnecting, deadline_s: float) -> None:
        self._connection = connection
        # Each look-up of the loop is a system call in Python 3.11 (`getpid`): one for all attempts.
        self._now = asyncio.get_running_loop().time
        self._deadline = self._now() + deadline_s
        self._backoff_s = BACKOFF_MIN_S

    @property
    def remaining_s(self) -> float:
        """Seconds until the deadline, and never less than `MIN_ATTEMPT_S`."""
        return max(MIN_ATTEMPT_S, self._deadline - self._now())

    @property
    def attempt_s(self) -> float | None:
        """The seconds that the next attempt may take; None while it must wait for the connection.

        `retry.attempt_s or await retry.next_attempt()` needs no coroutine while the connection is up.
        """
        if not self._connection.connected:
            return None
        return min(ATTEMPT_TIMEOUT_S, self.remaining_s)

    async def next_attempt(self) -> float:
        """Wait for the connection. Returns the seconds that this attempt may take."""
        if not self._connection.connected:
            await self._connection.wait_connected(self._deadline)
        return min(ATTEMPT_TIMEOUT_S, self.remaining_s)

    async def back_off(self, why: str | Unavailable) -> None:
        """Pause before the next attempt. `why` the last attempt failed becomes part of the final error, or
        is that error.
        """
        if self._now() + self._backoff_s >= self._deadline:
            raise why if isinstance(why, Unavailable) else self._connection.unavailable(why)
        await asyncio.sleep(self._backoff_s * random.uniform(0.5, 1.0))
        self._backoff_s = min(2 * self._backoff_s, BACKOFF_MAX_S)
