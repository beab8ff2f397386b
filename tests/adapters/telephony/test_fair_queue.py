"""The most urgent items come first; keys of the same urgency take turns."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmxfer.adapters.telephony.fair_queue import FairQueue

ITEMS = st.lists(st.tuples(st.integers(0, 3), st.sampled_from("abc")), max_size=40)


def taken(queue: FairQueue[str]) -> list[str]:
    return [queue.take() for _ in range(len(queue))]


def test_the_most_urgent_come_first_and_keys_take_turns() -> None:
    queue: FairQueue[str] = FairQueue()
    for item in ("a1", "a2", "a3", "b1", "c1", "c2"):
        queue.put(3, item[0], item)
    queue.put(1, "d", "urgent")
    assert taken(queue) == ["urgent", "a1", "b1", "c1", "a2", "c2", "a3"]


def test_before_counts_what_is_served_first() -> None:
    queue: FairQueue[str] = FairQueue()
    for urgency in (0, 1, 1, 3):
        queue.put(urgency, "a", "x")
    assert [queue.before(urgency) for urgency in range(5)] == [1, 3, 3, 4, 4]


def test_an_item_that_was_taken_out_is_not_served() -> None:
    queue: FairQueue[str] = FairQueue()
    for item in ("a1", "a2", "b1"):
        queue.put(0, item[0], item)
    queue.remove(0, "a", "a1")
    queue.remove(0, "b", "b1")
    queue.remove(0, "b", "b1")
    queue.remove(7, "b", "b1")
    assert (len(queue), taken(queue)) == (1, ["a2"])


def test_an_empty_queue_has_nothing_to_take() -> None:
    with pytest.raises(IndexError):
        FairQueue[str]().take()


@given(ITEMS)
def test_each_item_is_taken_once_and_never_after_a_less_urgent_one(items: list[tuple[int, str]]) -> None:
    queue: FairQueue[tuple[int, str, int]] = FairQueue()
    for number, (urgency, key) in enumerate(items):
        queue.put(urgency, key, (urgency, key, number))
    order = [queue.take() for _ in range(len(items))]
    assert Counter(order) == Counter((urgency, key, n) for n, (urgency, key) in enumerate(items))
    assert [urgency for urgency, _, _ in order] == sorted(urgency for urgency, _, _ in order)


@given(ITEMS)
def test_no_key_is_served_twice_more_than_another_that_waits(items: list[tuple[int, str]]) -> None:
    queue: FairQueue[str] = FairQueue()
    waiting = Counter(key for _, key in items)
    for _, key in items:
        queue.put(0, key, key)
    served: Counter[str] = Counter()
    while len(queue):
        key = queue.take()
        served[key] += 1
        waiting[key] -= 1
        for other in (each for each, left in waiting.items() if left):
            assert served[key] <= served[other] + 1
