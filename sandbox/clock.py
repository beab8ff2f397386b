"""Simulated time: real seconds times one factor. Whoever waits on stage waits through this clock."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime

LOOP_TICK_S = 0.001
"""An event loop may count in whole milliseconds, and take its own clock for up to one less than it is."""


def now_s() -> float:
    """Epoch seconds of the real world."""
    return time.time()


def iso(at_s: float) -> str:
    """Epoch seconds as the cloud writes them: UTC, milliseconds, Z."""
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Clock:
    """Waits in simulated seconds, never for less."""

    def __init__(self, scale: float) -> None:
        self.scale = scale

    async def sleep(self, delay_s: float) -> None:
        await asyncio.sleep(self._real_s(delay_s))

    def later(self, delay_s: float, act: Callable[[], None], real_min_s: float = 0.0) -> asyncio.TimerHandle:
        """Run `act` once, `delay_s` from now, unless the returned handle is cancelled first.

        What repeats for ever asks for at least `real_min_s` real seconds: time_scale 0 is no busy loop.
        """
        return asyncio.get_running_loop().call_later(max(self._real_s(delay_s), real_min_s), act)

    def _real_s(self, delay_s: float) -> float:
        real_s = delay_s * self.scale
        return real_s + LOOP_TICK_S if real_s > 0 else 0.0
