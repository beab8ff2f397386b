"""A flood of unreadable messages: most are counted and removed, and the messages beside it are not delayed.

Without `check` every one takes a job and a dead letter: the first test then finds as many dead letters as
messages, and the second one times out.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from warmxfer.bus import Bus, DeadLetter, Delivery, NewerVersionNeeded, Outgoing, Unwanted, Worker, subjects
from warmxfer.bus import unreadable as unreadable_module
from warmxfer.bus.budget import Budget
from warmxfer.bus.unreadable import BURST, LOG_BURST, NEWER_BURST, PER_S

from .test_worker import settled, until

FLOOD = 2_000
GARBAGE = b"{"


def check(delivery: Delivery) -> Exception | None:
    return DeadLetter("it is garbage") if delivery.data == GARBAGE else None


async def publish_flood(bus: Bus, subject: Callable[[int], str], data: bytes = GARBAGE) -> None:
    for start in range(0, FLOOD, 500):
        await bus.publish_all([Outgoing(subject(n), data) for n in range(start, start + 500)], deadline_s=60)


async def letters(bus: Bus) -> list[dict[str, object]]:
    stored = await bus.history(subjects.ANY_DEAD_LETTER, 10_000, deadline_s=30)
    return [json.loads(each.data) for each in stored]


def stands_for(letter: dict[str, object]) -> int:
    count = letter.get("count", 1)
    assert isinstance(count, int)
    return count


@pytest.mark.parametrize("subject", ["warmxfer.f{}.do.gateway", "warmxfer.f!{}.request"], ids=["body", "id"])
async def test_a_flood_costs_a_bounded_number_of_dead_letters_and_log_lines(
    fresh_bus: Bus, subject: str
) -> None:
    """Every message is accounted for: by a dead letter of its own, or in the count of another."""
    consumer = "gateway" if "gateway" in subject else "coordinator"
    handled: list[str] = []

    async def handle(delivery: Delivery) -> None:
        handled.append(delivery.subject)
        raise DeadLetter("it is garbage")

    await publish_flood(fresh_bus, lambda n: subject.format(n))
    loop = asyncio.get_running_loop()
    with capture_logs() as logs:
        began = loop.time()
        async with Worker(fresh_bus, consumer, handle, jobs=4, check=check):
            await settled(fresh_bus, consumer, 60)
        took_s = loop.time() - began
    written = await letters(fresh_bus)
    assert sum(map(stands_for, written)) == FLOOD
    assert BURST <= len(written) <= BURST + (PER_S + 1) * (took_s + 1)
    assert all(
        str(each["cause"]).endswith("it is garbage") or "id is" in str(each["cause"]) for each in written
    )
    lines = [each for each in logs if each["log_level"] == "error"]
    assert LOG_BURST <= len(lines) <= LOG_BURST + 2 * (took_s + 1)
    assert {each["event"] for each in lines} == {"message_dead_lettered", "unreadable_messages_dropped"}
    if consumer == "gateway":
        assert len(handled) <= BURST + PER_S * (took_s + 1)


async def test_readable_messages_overtake_a_flood_whose_handling_is_slow(fresh_bus: Bus) -> None:
    """Both jobs stay free, and the window stays open, while unreadable messages wait for the broker."""
    gate, done = asyncio.Event(), list[str]()

    async def handle(delivery: Delivery) -> None:
        if delivery.data == GARBAGE:
            await gate.wait()
            raise DeadLetter("it is garbage")
        done.append(delivery.transfer_id)

    await publish_flood(fresh_bus, lambda n: subjects.work_queue(f"f{n % 7}", "gateway"))
    await fresh_bus.publish_all([Outgoing(subjects.work_queue(f"f{n}", "gateway"), b"{}") for n in range(7)])
    async with Worker(fresh_bus, "gateway", handle, jobs=2, keyed=True, check=check) as worker:
        await until(lambda: len(done) == 7, within_s=30)
        assert worker.in_flight == 0
        gate.set()
        await settled(fresh_bus, "gateway", 30)
    assert sum(map(stands_for, await letters(fresh_bus))) == FLOOD


async def test_an_unreadable_message_within_the_budget_is_kept_until_its_dead_letter_is_stored(
    fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = 1

    async def handle(_: Delivery) -> None:
        raise DeadLetter("it is garbage")

    async def fail_once(delivery: Delivery, cause: str) -> None:
        nonlocal failures
        failures -= 1
        if failures >= 0:
            raise RuntimeError(cause)

    monkeypatch.setattr("warmxfer.bus.worker.DEAD_RETRY_S", 0.05)
    await fresh_bus.publish(subjects.work_queue("t1", "gateway"), GARBAGE)
    async with Worker(fresh_bus, "gateway", handle, jobs=1, check=check, on_dead_letter=fail_once):
        await settled(fresh_bus, "gateway")
    assert failures == -1
    assert [each["tries"] for each in await letters(fresh_bus)] == [1]


async def test_messages_of_a_newer_version_are_given_back_within_a_budget(
    fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[int] = set()

    async def handle(delivery: Delivery) -> None:
        seen.add(delivery.seq)
        raise NewerVersionNeeded("unknown command")

    monkeypatch.setattr("warmxfer.bus.worker.NEWER_TRIES", 2)
    monkeypatch.setattr("warmxfer.bus.worker.NEWER_RETRY_MIN_S", 0.05)
    await publish_flood(fresh_bus, lambda n: subjects.work_queue(f"f{n}", "gateway"))
    newer = NewerVersionNeeded("unknown command")
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with Worker(fresh_bus, "gateway", handle, jobs=4, check=lambda _: newer):
        await settled(fresh_bus, "gateway", 60)
    assert NEWER_BURST <= len(seen) <= NEWER_BURST + unreadable_module.NEWER_PER_S * (loop.time() - began)
    assert sum(map(stands_for, await letters(fresh_bus))) == FLOOD


async def test_unwanted_messages_share_the_budget(fresh_bus: Bus) -> None:
    async def handle(_: Delivery) -> None:
        raise Unwanted("it belongs to nothing")

    await publish_flood(fresh_bus, lambda n: subjects.work_queue(f"f{n}", "gateway"), b"{}")
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with Worker(fresh_bus, "gateway", handle, jobs=8):
        await settled(fresh_bus, "gateway", 60)
    written = await letters(fresh_bus)
    assert sum(map(stands_for, written)) == FLOOD
    assert len(written) <= BURST + (PER_S + 1) * (loop.time() - began + 1)


async def test_a_check_that_fails_leaves_the_message_to_the_handler(fresh_bus: Bus) -> None:
    done: list[str] = []

    async def handle(delivery: Delivery) -> None:
        done.append(delivery.transfer_id)

    def broken_check(_: Delivery) -> None:
        raise ZeroDivisionError

    await fresh_bus.publish(subjects.work_queue("t1", "gateway"), b"{}")
    async with Worker(fresh_bus, "gateway", handle, jobs=1, check=broken_check):
        await settled(fresh_bus, "gateway")
    assert done == ["t1"]


def test_a_budget_allows_a_burst_and_then_a_rate() -> None:
    budget = Budget(3, 2.0)
    assert [budget.take(100.0) for _ in range(4)] == [True, True, True, False]
    assert [budget.take(101.0) for _ in range(3)] == [True, True, False]
    assert [budget.take(1_000.0) for _ in range(4)] == [True, True, True, False]
