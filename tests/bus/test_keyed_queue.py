"""One item per key at a time, and keys take turns."""

from __future__ import annotations

import pytest

from warmxfer.bus.keyed_queue import KeyedQueue


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
