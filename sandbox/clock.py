"""Simulated time: real seconds times one factor. Whoever waits on stage waits through this clock."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime

MIN_REPEAT_S = 0.01
"""Real seconds between two turns of anything that repeats, so that time_scale 0 is no busy loop."""


def now_s() -> float:
    """Epoch seconds of the real world."""
    return time.time()


def iso(at_s: float) -> str:
    """Epoch seconds as the cloud writes them: UTC, milliseconds, Z."""
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Clock:
    """Waits in simulated seconds."""

    def __init__(self, scale: float) -> None:
        self.scale = scale

    async def sleep(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s * self.scale)

    def later(self, delay_s: float, act: Callable[[], None]) -> asyncio.TimerHandle:
        """Run `act` once, `delay_s` from now, unless the returned handle is cancelled first."""
        return asyncio.get_running_loop().call_later(delay_s * self.scale, act)

    def repeat_s(self, interval_s: float) -> float:
        """The simulated interval to use for something that repeats for ever."""
        return interval_s if interval_s * self.scale >= MIN_REPEAT_S else MIN_REPEAT_S / (self.scale or 1.0)
