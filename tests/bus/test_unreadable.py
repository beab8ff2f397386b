"""A flood of unreadable messages: most are counted and removed, and the messages beside it are not delayed.

Without `check` every one takes a job and a dead letter: the first test then finds as many dead letters as
messages, and the second one times out.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from warmxfer.bus import (
    Bus,
    BusSettings,
    DeadLetter,
    Delivery,
    EmbeddedServer,
    NewerVersionNeeded,
    Outgoing,
    Unwanted,
    Worker,
    subjects,
)
from warmxfer.bus import unreadable as unreadable_module
from warmxfer.bus.budget import Budget
from warmxfer.bus.unreadable import BURST, LOG_BURST, NEWER_BURST, PER_S

from .settled import settled, until

FLOOD = 2_000
GARBAGE = b"{"
STOP_S = 10.0
"""A worker that stops waits for no unreadable message. So much a busy machine may need for it."""


def check(delivery: Delivery) -> Exception | None:
    return DeadLetter("it is garbage") if delivery.data == GARBAGE else None


async def never(delivery: Delivery) -> None:
    pytest.fail(f"{delivery.subject} was handled")


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


@pytest.mark.parametrize("subject", ["wx.0.f!{}.do.gateway", "warmxfer.f!{}.request"], ids=["body", "id"])
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


async def test_messages_beyond_the_budget_are_reported_while_the_worker_runs(fresh_bus: Bus) -> None:
    async def handle(_: Delivery) -> None:
        raise DeadLetter("it is garbage")

    await publish_flood(fresh_bus, lambda n: subjects.work_queue(f"f{n}", "gateway"))
    async with Worker(fresh_bus, "gateway", handle, jobs=4, check=check):
        async with asyncio.timeout(60):
            while sum(map(stands_for, await letters(fresh_bus))) < FLOOD:
                await asyncio.sleep(0.1)


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

    monkeypatch.setattr("warmxfer.bus.failed_messages.DEAD_RETRY_S", 0.05)
    await fresh_bus.publish(subjects.work_queue("t1", "gateway"), GARBAGE)
    async with Worker(fresh_bus, "gateway", handle, jobs=1, check=check, on_dead_letter=fail_once):
        await settled(fresh_bus, "gateway")
    assert failures == -1
    assert [each["tries"] for each in await letters(fresh_bus)] == [1]


async def test_a_worker_that_stops_gives_back_what_it_handles_at_once(fresh_server: EmbeddedServer) -> None:
    """An unreadable message whose handling hangs neither delays the end of its worker nor waits in it."""
    begun, tries = list[str](), list[int]()

    async def hang(delivery: Delivery) -> None:
        begun.append(delivery.transfer_id)
        await asyncio.Event().wait()

    async def handle(delivery: Delivery) -> None:
        tries.append(delivery.delivery_count)
        raise DeadLetter("it is garbage")

    # With a short ack_wait a busy machine would let the broker redeliver the message by itself.
    async with await Bus.connect(BusSettings(url=fresh_server.url, ack_wait_s=30.0), name="test") as bus:
        await bus.ensure()
        await bus.publish(subjects.work_queue("t1", "gateway"), GARBAGE)
        worker = Worker(bus, "gateway", hang, jobs=1, check=check)
        await worker.start()
        await until(lambda: begun == ["t1"])
        async with asyncio.timeout(STOP_S):
            await worker.stop()
        async with Worker(bus, "gateway", handle, jobs=1, check=check):
            await settled(bus, "gateway", bus.settings.ack_wait_s / 2)
        assert tries == [2]
        assert [each["tries"] for each in await letters(bus)] == [2]


async def test_a_worker_that_stops_accounts_for_every_unreadable_message(fresh_bus: Bus) -> None:
    """What is beyond the budget is removed and reported, and what waits in the queue is given back."""
    begun = asyncio.Event()

    async def hang(delivery: Delivery) -> None:
        begun.set()
        await asyncio.Event().wait()

    async def handle(_: Delivery) -> None:
        raise DeadLetter("it is garbage")

    await publish_flood(fresh_bus, lambda n: subjects.work_queue(f"f{n % 7}", "gateway"))
    worker = Worker(fresh_bus, "gateway", hang, jobs=4, check=check)
    await worker.start()
    await begun.wait()
    await until(lambda: worker._unreadable._dropped > 0)
    async with asyncio.timeout(STOP_S):
        await worker.stop()
    assert worker.in_flight == 0
    assert not worker._in_flight
    reported = await letters(fresh_bus)
    assert len(reported) >= 1, "a worker that stops reports what it removed"
    async with Worker(fresh_bus, "gateway", handle, jobs=4, check=check):
        await settled(fresh_bus, "gateway", 60)
    assert sum(map(stands_for, await letters(fresh_bus))) == FLOOD


async def test_nothing_begins_after_the_stop(fresh_bus: Bus) -> None:
    """A message that arrives while its worker stops is not handled by it any more."""
    worker = Worker(fresh_bus, "gateway", never, jobs=1, check=check)
    await worker.start()
    await worker._unreadable.stop()
    await fresh_bus.publish(subjects.work_queue("t1", "gateway"), GARBAGE)
    await until(lambda: len(worker._in_flight) == 1)
    assert not worker._unreadable._tasks
    async with asyncio.timeout(STOP_S):
        await worker.stop()


async def test_messages_of_a_newer_version_are_given_back_within_a_budget(
    fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[int] = set()

    async def handle(delivery: Delivery) -> None:
        seen.add(delivery.seq)
        raise NewerVersionNeeded("unknown command")

    monkeypatch.setattr("warmxfer.bus.newer_retries.NEWER_TRIES", 2)
    monkeypatch.setattr("warmxfer.bus.newer_retries.NEWER_RETRY_MIN_S", 0.05)
    await publish_flood(fresh_bus, lambda n: subjects.work_queue(f"f{n}", "gateway"))
    newer = NewerVersionNeeded("unknown command")
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with Worker(fresh_bus, "gateway", handle, jobs=4, check=lambda _: newer):
        await settled(fresh_bus, "gateway", 60)
    assert NEWER_BURST <= len(seen) <= NEWER_BURST + unreadable_module.NEWER_PER_S * (loop.time() - began)
    assert sum(map(stands_for, await letters(fresh_bus))) == FLOOD


async def test_a_newer_worker_gets_each_message_that_an_older_one_cannot_read(
    fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last older worker of an upgrade meets a burst.

    Without the return of what is beyond the budget, that worker removes most of it.
    """
    monkeypatch.setattr(unreadable_module, "MAX_RETURNED", 2 * FLOOD)
    newer = NewerVersionNeeded("unknown command")
    handled: set[int] = set()
    older_met: list[int] = []

    async def refuse(_: Delivery) -> None:
        raise newer

    async def handle(delivery: Delivery) -> None:
        handled.add(delivery.seq)

    def meet(delivery: Delivery) -> Exception:
        older_met.append(delivery.seq)
        return newer

    await publish_flood(fresh_bus, lambda n: subjects.work_queue(f"f{n}", "gateway"), b"{}")
    with capture_logs() as logs:
        async with Worker(fresh_bus, "gateway", refuse, jobs=4, check=meet):
            await until(lambda: len(set(older_met)) == FLOOD, within_s=30)
        async with Worker(fresh_bus, "gateway", handle, jobs=4):
            await settled(fresh_bus, "gateway", 60)
    assert len(handled) == FLOOD
    assert await letters(fresh_bus) == []
    one_each = [each for each in logs if each["event"] == "message_left_to_newer_version"]
    summed = [each["count"] for each in logs if each["event"] == "messages_left_to_newer_version"]
    assert len(one_each) + sum(summed) == FLOOD


async def test_a_timeout_of_a_newer_version_is_never_surplus(
    fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transfer whose timer is removed has none. At its last delivery `on_dead_letter` handles it."""
    monkeypatch.setattr("warmxfer.bus.newer_retries.NEWER_TRIES", 2)
    monkeypatch.setattr("warmxfer.bus.newer_retries.NEWER_RETRY_MIN_S", 0.05)
    monkeypatch.setattr(unreadable_module, "NEWER_BURST", 3)
    monkeypatch.setattr(unreadable_module, "MAX_QUEUED", 5)
    ended: list[str] = []

    async def refuse(_: Delivery) -> None:
        raise NewerVersionNeeded("unknown timer")

    async def end(delivery: Delivery, cause: str) -> None:
        ended.append(delivery.transfer_id)

    timers = [f"t{n}" for n in range(300)]
    await fresh_bus.publish_all([Outgoing(subjects.timeout(id), b"{}") for id in timers])
    newer = NewerVersionNeeded("unknown timer")
    async with Worker(fresh_bus, "coordinator", refuse, jobs=2, check=lambda _: newer, on_dead_letter=end):
        await settled(fresh_bus, "coordinator", 60)
    assert sorted(ended) == sorted(timers)


async def test_a_flood_of_an_unknown_type_is_bounded_and_delays_no_other_message(
    fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At most `MAX_RETURNED` wait at the broker, and none is delivered more than `NEWER_TRIES` times.

    Without that limit each message is delivered again, and the third assertion fails.
    """
    monkeypatch.setattr("warmxfer.bus.newer_retries.NEWER_TRIES", 3)
    monkeypatch.setattr(unreadable_module, "MAX_RETURNED", 50)
    monkeypatch.setattr(unreadable_module, "NEWER_BURST", 10)
    delivered: Counter[int] = Counter()
    done: list[str] = []

    async def handle(delivery: Delivery) -> None:
        if delivery.data == GARBAGE:
            raise NewerVersionNeeded("unknown command")
        done.append(delivery.transfer_id)

    def count(delivery: Delivery) -> Exception | None:
        if delivery.data != GARBAGE:
            return None
        delivered[delivery.seq] += 1
        return NewerVersionNeeded("unknown command")

    await publish_flood(fresh_bus, lambda n: subjects.work_queue(f"f{n}", "gateway"))
    await fresh_bus.publish_all([Outgoing(subjects.work_queue(f"g{n}", "gateway"), b"{}") for n in range(7)])
    async with Worker(fresh_bus, "gateway", handle, jobs=2, check=count):
        await until(lambda: len(done) == 7, within_s=30)
        await settled(fresh_bus, "gateway", 60)
    assert len(delivered) == FLOOD
    assert max(delivered.values()) == 3
    assert sum(times > 1 for times in delivered.values()) < FLOOD / 2
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
    of_one = [each for each in written if "count" not in each]
    assert len(of_one) >= BURST
    assert {each["cause"] for each in of_one} == {"it belongs to nothing"}


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
