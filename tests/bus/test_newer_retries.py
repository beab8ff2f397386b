"""Messages of a newer version: how often they are delivered again, and after which pauses."""

from __future__ import annotations

import pytest

from warmxfer.bus import newer_retries
from warmxfer.bus.newer_retries import (
    NEWER_RETRY_GROWTH,
    NEWER_RETRY_MAX_S,
    NEWER_RETRY_MIN_S,
    NEWER_TRIES,
    NewerRetries,
)

LONGEST_S = 31.0
"""What docs/reliability.md promises."""


@pytest.fixture
def retries(monkeypatch: pytest.MonkeyPatch) -> NewerRetries:
    """Retries that draw the longest pause each time."""
    monkeypatch.setattr(newer_retries.random, "uniform", lambda least, most: most)
    return NewerRetries(1_000)


@pytest.mark.parametrize(("limit", "last"), [(1_000, NEWER_TRIES), (NEWER_TRIES, NEWER_TRIES), (5, 5)])
def test_the_last_delivery_is_that_of_the_lower_limit(limit: int, last: int) -> None:
    assert [NewerRetries(limit).is_last(count) for count in (last - 1, last, last + 1)] == [False, True, True]


def test_pauses_grow_from_the_least_to_the_longest(retries: NewerRetries) -> None:
    pauses = [retries.pause_s(count) for count in range(1, NEWER_TRIES)]
    assert pauses[:3] == pytest.approx([NEWER_RETRY_MIN_S * NEWER_RETRY_GROWTH**n for n in range(3)])
    assert pauses == sorted(pauses)
    assert pauses[-1] == NEWER_RETRY_MAX_S
    assert LONGEST_S - 1.0 < sum(pauses) <= LONGEST_S + 1.0


def test_a_crowd_waits_for_the_longest_pause_from_the_first_delivery_on() -> None:
    assert NewerRetries(1_000).pause_s(1, longest=True) == NEWER_RETRY_MAX_S


def test_pauses_differ_by_at_most_a_quarter() -> None:
    pauses = {NewerRetries(1_000).pause_s(1) for _ in range(50)}
    assert len(pauses) > 1
    assert min(pauses) >= 0.75 * NEWER_RETRY_MIN_S
    assert max(pauses) <= NEWER_RETRY_MIN_S
