"""The estimate of the broker's clock is never ahead of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from warmxfer.bus.broker_clock import WINDOW_S, BrokerClock


class LocalClock:
    """The monotonic clock of this machine."""

    def __init__(self) -> None:
        self.s = 0.0

    def __call__(self) -> float:
        return self.s


@given(st.lists(st.tuples(st.floats(0, 60), st.floats(0, 30)), min_size=1), st.floats(-1e6, 1e9))
def test_the_estimate_is_never_ahead_and_as_exact_as_the_promptest_message(
    messages: list[tuple[float, float]], offset: float
) -> None:
    local = LocalClock()
    clock = BrokerClock(local)
    for pause_s, late_s in messages:
        local.s += pause_s
        clock.observe(local.s + offset - late_s)
    behind_s = local.s + offset - clock.now()
    assert -1e-3 <= behind_s <= max(late_s for _, late_s in messages) + 1e-3


def test_before_the_first_message_no_deadline_has_passed() -> None:
    assert BrokerClock(LocalClock()).now() == float("-inf")


def test_a_local_clock_that_runs_fast_is_corrected() -> None:
    local = LocalClock()
    clock = BrokerClock(local)
    clock.observe(1_000.0)
    for window in range(1, 4):
        local.s = window * (WINDOW_S + 1)
        clock.observe(1_000.0 + local.s - window)
    assert clock.now() == 1_000.0 + local.s - 2, "an hour-old bound does not count for ever"


def test_a_prompt_message_counts_for_a_whole_window_at_any_reading_of_the_local_clock() -> None:
    """The windows follow each other: the second begins when the first has ended."""
    local = LocalClock()
    local.s = 10 * WINDOW_S
    clock = BrokerClock(local)
    for _ in range(3):
        clock.observe(local.s)
        for late_s in (1.0, 2.0, 3.0):
            local.s += 1.0
            clock.observe(local.s - late_s)
            assert clock.now() == local.s
        local.s += WINDOW_S


def test_an_answer_of_the_broker_ends_an_estimate_that_is_ahead() -> None:
    local = LocalClock()
    clock = BrokerClock(local)
    clock.observe(1_000.0)
    local.s = WINDOW_S + 1
    clock.observe(1_000.0 + local.s)
    clock.correct(700.0 + local.s, 2.0)
    assert clock.now() == 700.0 + local.s, "both windows hold bounds from before the clock was set back"


@given(st.floats(0, 30), st.floats(0, 5), st.floats(0, 5))
def test_an_answer_that_was_under_way_for_long_does_not_put_the_estimate_back(
    late_s: float, request_s: float, reply_s: float
) -> None:
    local = LocalClock()
    clock = BrokerClock(local)
    clock.observe(1_000.0 - late_s)
    local.s += request_s
    read_at = 1_000.0 + local.s
    local.s += reply_s
    before = clock.now()
    clock.correct(read_at, request_s + reply_s)
    assert before <= clock.now() <= 1_000.0 + local.s
