"""The estimate of the broker's clock is never ahead of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from warmxfer.bus.broker_clock import WINDOW_S, BrokerClock


class Here:
    """The monotonic clock of this machine."""

    def __init__(self) -> None:
        self.s = 0.0

    def __call__(self) -> float:
        return self.s


@given(st.lists(st.tuples(st.floats(0, 60), st.floats(0, 30)), min_size=1), st.floats(-1e6, 1e9))
def test_never_ahead_and_as_good_as_the_promptest_message(
    messages: list[tuple[float, float]], offset: float
) -> None:
    here = Here()
    clock = BrokerClock(here)
    for pause_s, late_s in messages:
        here.s += pause_s
        clock.observe(here.s + offset - late_s)
    behind_s = here.s + offset - clock.now()
    assert -1e-3 <= behind_s <= max(late_s for _, late_s in messages) + 1e-3


def test_before_anything_was_seen_no_deadline_has_passed() -> None:
    assert BrokerClock(Here()).now() == float("-inf")


def test_a_clock_that_runs_fast_here_is_corrected() -> None:
    here = Here()
    clock = BrokerClock(here)
    clock.observe(1_000.0)
    for window in range(1, 4):
        here.s = window * (WINDOW_S + 1)
        clock.observe(1_000.0 + here.s - window)
    assert clock.now() == 1_000.0 + here.s - 2, "an hour-old bound does not count for ever"
