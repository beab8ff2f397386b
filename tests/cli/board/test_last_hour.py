"""Counts and times of the last hour."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from warmxfer.cli.board import last_hour
from warmxfer.cli.board.last_hour import HOUR_S, MAX_DOTS, SLOT_S, EndedTransfers

NOW = 36_000.0
TARGET_S = 30.0


def test_an_hour_is_counted_by_outcome_and_slot() -> None:
    ends = EndedTransfers()
    ends.put("a", NOW - 10, "complete", 40.0)
    ends.put("b", NOW - 11, "complete", 20.0)
    ends.put("c", NOW - 500, "declined", None)
    ends.put("old", NOW - HOUR_S - 1, "complete", 1.0)
    figures = ends.figures(NOW, TARGET_S)
    assert (figures.ended, figures.reached, figures.median_s, figures.p95_s) == (3, 2, 20.0, 40.0)
    assert figures.within_target == 1
    assert figures.outcomes == {"complete": 2, "declined": 1}
    assert figures.slots == [(35_400.0, 0, 1), (35_880.0, 2, 0)]
    assert figures.dots == [(NOW - 11, 20.0), (NOW - 10, 40.0)]


def test_the_target_is_compared_with_whole_seconds_as_the_page_shows_them() -> None:
    """The page shows 30.9 s as 0:30, which is not over a target of 0:30."""
    ends = EndedTransfers()
    for number, to_human_s in enumerate((29.0, 30.9, 31.0)):
        ends.put(str(number), NOW, "complete", to_human_s)
    assert ends.figures(NOW, TARGET_S).within_target == 2


def test_nothing_has_no_times() -> None:
    figures = EndedTransfers().figures(NOW, TARGET_S)
    assert (figures.ended, figures.median_s, figures.p95_s, figures.slots) == (0, None, None, [])


def test_a_transfer_counts_once_with_what_is_known_last() -> None:
    ends = EndedTransfers()
    ends.put("a", NOW, "complete", None)
    ends.put("a", NOW, "complete", 12.0)
    assert (ends.figures(NOW, TARGET_S).ended, ends.figures(NOW, TARGET_S).median_s) == (1, 12.0)


def test_the_number_of_transfers_and_dots_has_a_limit() -> None:
    ends = EndedTransfers()
    for number in range(last_hour.MAX_ENDED + 5):
        ends.put(str(number), NOW, "complete", float(number))
    figures = ends.figures(NOW, TARGET_S)
    assert figures.ended == last_hour.MAX_ENDED
    assert len(figures.dots) == MAX_DOTS


def test_old_ends_are_forgotten() -> None:
    ends = EndedTransfers()
    ends.put("old", NOW - HOUR_S, "complete", 1.0)
    ends.put("new", NOW, "complete", 1.0)
    ends.forget_old(NOW)
    assert ends.figures(NOW - 1, TARGET_S).ended == 1


@given(st.lists(st.tuples(st.floats(NOW - HOUR_S + 1, NOW), st.none() | st.floats(0, 5_000)), max_size=60))
def test_slots_and_outcomes_add_up(ended: list[tuple[float, float | None]]) -> None:
    ends = EndedTransfers()
    for number, (at, to_human_s) in enumerate(ended):
        ends.put(str(number), at, "x", to_human_s)
    figures = ends.figures(NOW, TARGET_S)
    assert sum(reached + others for _, reached, others in figures.slots) == figures.ended == len(ended)
    assert sum(reached for _, reached, _ in figures.slots) == figures.reached >= figures.within_target
    assert all(start % SLOT_S == 0 for start, _, _ in figures.slots)
    if figures.median_s is not None and figures.p95_s is not None:
        assert figures.median_s <= figures.p95_s
