"""One item per key at a time, and keys take turns."""

from __future__ import annotations

import pytest

from warmxfer.bus.keyed_queue import OTHERS_PER_TURN, KeyedQueue


def take_all(queue: KeyedQueue[str]) -> list[str]:
    """Take every item that is ready and return them."""
    items: list[str] = []
    while queue.ready:
        items.append(queue.take()[1])
    return items


def test_the_second_item_of_a_key_waits_until_the_first_is_done() -> None:
    queue: KeyedQueue[str] = KeyedQueue()
    for item in ("a1", "a2", "b1"):
        queue.put(item[0], item)
    assert take_all(queue) == ["a1", "b1"]
    queue.done("b")
    assert not queue.ready
    queue.done("a")
    assert take_all(queue) == ["a2"]


def test_a_key_with_many_items_does_not_delay_other_keys() -> None:
    queue: KeyedQueue[str] = KeyedQueue()
    for item in ("a1", "a2", "a3", "b1"):
        queue.put(item[0], item)
    order: list[str] = []
    while queue.ready:
        key, item = queue.take()
        order.append(item)
        queue.done(key)
    assert order == ["a1", "b1", "a2", "a3"]


def test_an_emptied_key_can_be_used_again() -> None:
    queue: KeyedQueue[str] = KeyedQueue()
    for _ in range(2):
        queue.put("a", "again")
        assert take_all(queue) == ["again"]
        queue.done("a")


def test_a_closed_queue_has_no_ready_item() -> None:
    queue: KeyedQueue[str] = KeyedQueue()
    for item in ("a1", "a2", "c1"):
        queue.put(item[0], item)
    queue.take()
    assert queue.ready
    queue.close()
    assert not queue.ready
    queue.put("b", "b1")
    queue.done("a")
    assert not queue.ready
    with pytest.raises(IndexError):
        queue.take()


def test_keys_that_come_after_others_are_served_in_their_order_when_no_other_is_ready() -> None:
    queue: KeyedQueue[str] = KeyedQueue()
    for item, after_others in (("r1", True), ("r2", True), ("e1", False), ("e2", False)):
        queue.put(item, item, after_others=after_others)
    assert take_all(queue) == ["e1", "e2", "r1", "r2"]


def test_keys_that_come_after_others_are_not_starved() -> None:
    queue: KeyedQueue[str] = KeyedQueue()
    for number in range(3):
        queue.put(f"r{number}", f"r{number}", after_others=True)
    order: list[str] = []
    for number in range(3 * OTHERS_PER_TURN):
        queue.put(f"e{number}", f"e{number}")
        key, item = queue.take()
        queue.done(key)
        order.append(item)
    late = [index for index, item in enumerate(order) if item.startswith("r")]
    assert late == [OTHERS_PER_TURN, 2 * OTHERS_PER_TURN + 1]


def test_an_item_behind_one_that_comes_after_others_is_served_as_any() -> None:
    """The cancel of a request waits for it, and then for nothing else."""
    queue: KeyedQueue[str] = KeyedQueue()
    queue.put("a", "request", after_others=True)
    queue.put("a", "cancel")
    queue.put("b", "request b", after_others=True)
    key, item = queue.take()
    queue.done(key)
    assert [item, *take_all(queue)] == ["request", "cancel", "request b"]


def test_a_closed_queue_has_nothing_ready_that_comes_after_others() -> None:
    queue: KeyedQueue[str] = KeyedQueue()
    queue.put("a", "a", after_others=True)
    queue.close()
    queue.put("b", "b", after_others=True)
    assert not queue.ready


def test_items_behind_the_one_that_was_taken_may_be_finished_with_it() -> None:
    queue: KeyedQueue[str] = KeyedQueue()
    for item in ("a1", "a2", "a3", "a4", "b1"):
        queue.put(item[0], item)
    key, item = queue.take()
    assert (item, queue.behind(key, 2), queue.behind(key, 9)) == ("a1", ["a2", "a3"], ["a2", "a3", "a4"])
    queue.remove(key, "a2")
    queue.remove(key, "a3")
    queue.done(key)
    assert take_all(queue) == ["b1", "a4"]
