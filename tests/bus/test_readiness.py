"""Readiness of a process: named checks and notes that come and go."""

from __future__ import annotations

from warmxfer.bus.readiness import Readiness


def test_each_failing_check_is_named_and_one_that_passes_is_not() -> None:
    readiness = Readiness()
    assert readiness.failing() == []
    readiness.add("provider", lambda: "no connection is free")
    readiness.add("stream", lambda: None)
    readiness.add("consumer", lambda: "no answer")
    assert readiness.failing() == ["provider: no connection is free", "consumer: no answer"]
    assert readiness.notes() == []


def test_a_check_is_asked_each_time_until_it_is_removed() -> None:
    readiness, states = Readiness(), ["down", None, "down again"]
    remove = readiness.add("provider", lambda: states.pop(0))
    assert [readiness.failing() for _ in range(3)] == [["provider: down"], [], ["provider: down again"]]
    remove()
    assert readiness.failing() == []


def test_a_note_holds_no_process_up() -> None:
    readiness = Readiness()
    remove = readiness.add_note("queue", lambda: "full")
    readiness.add_note("other", lambda: None)
    assert (readiness.notes(), readiness.failing()) == (["queue: full"], [])
    remove()
    assert readiness.notes() == []


def test_the_one_of_two_equal_names_is_removed_that_was_added() -> None:
    readiness = Readiness()
    readiness.add("consumer", lambda: "first")
    remove = readiness.add("consumer", lambda: "second")
    remove()
    assert readiness.failing() == ["consumer: first"]
