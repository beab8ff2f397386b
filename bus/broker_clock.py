"""What time it is by the broker, the only clock that deadlines and intents are written by.

Every stored message tells a moment that had already come at the broker when we received it. The best of
these bounds, carried on by this machine's monotonic clock, is never ahead of the broker and hardly behind
it as soon as one message came promptly. Wall clocks are not asked: they may jump, and differ by hours.
"""

from __future__ import annotations

import time
from collections.abc import Callable

WINDOW_S = 300.0
"""Bounds older than one to two of these are forgotten, so that two clocks may drift apart slowly."""


class BrokerClock:
    """Feed it with `saw`, ask it `now`."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._bound = self._older_bound = float("-inf")
        self._window_began = monotonic()

    def observe(self, at: float) -> None:
        """The broker had stored something at `at` (epoch seconds), and we know of it now."""
        here = self._monotonic()
        if here - self._window_began > WINDOW_S:
            self._older_bound, self._bound = self._bound, float("-inf")
            self._window_began = here
        self._bound = max(self._bound, at - here)

    def now(self) -> float:
        """Epoch seconds by the broker's clock, at the earliest; minus infinity before anything was seen."""
        return self._monotonic() + max(self._bound, self._older_bound)
