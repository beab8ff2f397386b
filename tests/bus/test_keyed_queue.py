"""One item per key at a time, and keys take turns."""

from __future__ import annotations

import pytest

from warmxfer.bus.keyed_queue import KeyedQueue


def taken(lanes: KeyedQueue[str]) -> list[str]:
    """Take every item that is ready and return them."""
    out: list[str] = []
    while lanes.ready:
        out.append(lanes.take()[1])
    return out


def test_of_one_lane_the_second_waits_until_the_first_is_done() -> None:
    lanes: KeyedQueue[str] = KeyedQueue()
    for thing in ("a1", "a2", "b1"):
        lanes.put(thing[0], thing)
    assert taken(lanes) == ["a1", "b1"]
    lanes.done("b")
    assert not lanes.ready
    lanes.done("a")
    assert taken(lanes) == ["a2"]


def test_a_long_lane_does_not_keep_a_short_one_waiting() -> None:
    lanes: KeyedQueue[str] = KeyedQueue()
    for thing in ("a1", "a2", "a3", "b1"):
        lanes.put(thing[0], thing)
    order: list[str] = []
    while lanes.ready:
        key, thing = lanes.take()
        order.append(thing)
        lanes.done(key)
    assert order == ["a1", "b1", "a2", "a3"]


def test_a_lane_that_ran_empty_begins_anew() -> None:
    lanes: KeyedQueue[str] = KeyedQueue()
    for _ in range(2):
        lanes.put("a", "again")
        assert taken(lanes) == ["again"]
        lanes.done("a")


def test_once_closed_nothing_goes() -> None:
    lanes: KeyedQueue[str] = KeyedQueue()
    lanes.put("a", "a1")
    lanes.put("a", "a2")
    lanes.take()
    lanes.close()
    lanes.put("b", "b1")
    lanes.done("a")
    assert not lanes.ready
    with pytest.raises(IndexError):
        lanes.take()
