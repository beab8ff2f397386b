"""Simulated time: real seconds times one factor. Every simulated delay in the sandbox uses this clock."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

LOOP_TICK_S = 0.001
"""Added to every wait: an event loop may round its clock down to whole milliseconds and wake too early."""


def now_s() -> float:
    """Return the real time in epoch seconds."""
    return time.time()


@lru_cache(maxsize=8_192)
def iso(at_s: float) -> str:
    """Format epoch seconds as the cloud does: UTC, milliseconds, Z."""
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Clock:
    """Waits in simulated seconds.

    Invariant: a wait is never shorter than requested.
    """

    def __init__(self, scale: float) -> None:
        self.scale = scale

    async def sleep(self, delay_s: float) -> None:
        await asyncio.sleep(self._real_s(delay_s))

    def call_later(
        self, delay_s: float, callback: Callable[[], None], min_real_s: float = 0.0
    ) -> asyncio.TimerHandle:
        """Run `callback` once, `delay_s` from now, unless the returned handle is cancelled first.

        A callback that repeats passes `min_real_s`, in real seconds. Without it, time_scale 0 would make a
        busy loop.
        """
        return asyncio.get_running_loop().call_later(max(self._real_s(delay_s), min_real_s), callback)

    def at(self, delay_s: float) -> float:
        """Return the time `delay_s` from now, by the loop's clock, for `has_passed`."""
        return asyncio.get_running_loop().time() + self._real_s(delay_s)

    def has_passed(self, at: float) -> bool:
        return asyncio.get_running_loop().time() >= at

    def _real_s(self, delay_s: float) -> float:
        real_s = delay_s * self.scale
        return real_s + LOOP_TICK_S if real_s > 0 else 0.0
