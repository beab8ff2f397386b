"""Estimate of the broker's clock, by which all deadlines and effect claims are written.

Every stored message carries a broker time that had passed when this process received the message.
The best of these lower bounds is carried on by the machine's monotonic clock. Invariant: the estimate is
never ahead of the broker, and is close to it once one message arrived without delay (`test_broker_clock.py`).
If the broker's clock is set back, the estimate is ahead until the bounds expire, or until `correct` gets the
broker's answer.
The machine's wall clock is not used: it may jump, and machines differ by hours.
"""

from __future__ import annotations

import time
from collections.abc import Callable

WINDOW_S = 300.0
"""Lifetime of a lower bound: one to two windows. Two clocks drift apart slowly, so old bounds are dropped."""
SET_BACK_S = 1.0
"""An estimate that is further ahead of the broker's answer is from before its clock was set back."""


class BrokerClock:
    """Estimate of the broker's clock. Call `observe` for each message received and `now` for the time."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._bound = self._older_bound = float("-inf")
        self._window_began = monotonic()

    def observe(self, at: float) -> None:
        """Record that the broker had stored a message at `at` (epoch seconds) when this process got it."""
        local_s = self._monotonic()
        if local_s - self._window_began > WINDOW_S:
            self._older_bound, self._bound = self._bound, float("-inf")
            self._window_began = local_s
        bound = at - local_s
        if bound > self._bound:
            self._bound = bound

    def correct(self, at: float, age_s: float) -> None:
        """Record that the broker read its clock, which was `at`, at most `age_s` ago."""
        if self.now() > at + age_s + SET_BACK_S:
            self._bound = self._older_bound = float("-inf")
        self.observe(at)

    def now(self) -> float:
        """Return the earliest possible broker time, in epoch seconds.

        Minus infinity before the first message.
        """
        return self._monotonic() + max(self._bound, self._older_bound)
