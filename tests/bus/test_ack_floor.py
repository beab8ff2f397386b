"""A consumer that is created again starts behind what was acknowledged, and loses nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from warmxfer.bus import (
    Bus,
    BusSettings,
    Delivery,
    EmbeddedServer,
    Outgoing,
    Worker,
    subjects,
)
from warmxfer.bus.messages import ConsumerMessage
from warmxfer.bus.recovery import AckFloor, start_after
from warmxfer.bus.subjects import EVENTS

from .losses import WORK_GOES_ON_S, Received, delete_consumer, delete_stream, publish, subject_for, until
from .settled import settled


async def test_a_consumer_created_again_loses_nothing_and_does_not_run_the_history_again(
    fresh_server: EmbeddedServer,
) -> None:
    """Seven days of events may be in the stream. Without the floor each of them is read again."""
    consumer = "events-7"
    # With the usual `ack_wait`, a slow machine causes no redelivery.
    async with await Bus.connect(BusSettings(url=fresh_server.url), name="test") as bus:
        await bus.ensure()
        received = Received()
        worker = Worker(bus, "coordinator", received, jobs=4)
        async with worker:
            await publish(bus, consumer, "old", 200)
            await until(lambda: received.ids["old"] == 200)
            await settled(bus, "coordinator", WORK_GOES_ON_S)
            await bus._recovery.remember_floor(consumer)
            await worker._consumers._pullers[consumer].stop()
            await delete_consumer(bus, consumer)
            await publish(bus, consumer, "new", 20)
            await worker._consumers._pullers[consumer].start()
            await until(lambda: received.ids["new"] == 20)
            await settled(bus, "coordinator", WORK_GOES_ON_S)
        assert received.ids == {"old": 200, "new": 20}
        info = await bus._connection.api(f"CONSUMER.INFO.{EVENTS}.{consumer}")
        assert info["config"]["deliver_policy"] == "all"


async def lose_consumer_after(
    worker: Worker, bus: Bus, consumer: str, then: Callable[[], Awaitable[None]]
) -> None:
    """Delete the consumer of a worker that has read its floor, do something, and let the worker go on."""
    await settled(bus, consumer, WORK_GOES_ON_S)
    await bus._recovery.remember_floor(consumer)
    await worker._consumers._pullers[consumer].stop()
    await delete_consumer(bus, consumer)
    await then()
    await worker._consumers._pullers[consumer].start()


@pytest.mark.parametrize("role", subjects.ROLES)
async def test_a_role_that_may_not_read_by_number_finds_what_it_received_itself(
    fresh_server: EmbeddedServer, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker would deny a read by number, and log that."""
    monkeypatch.setattr("warmxfer.bus.recovery.get_by_number", must_not_be_called)
    async with await Bus.connect(BusSettings(url=fresh_server.url), name="test") as bus:
        await bus.ensure()
        received = Received()
        async with Worker(bus, role, received, jobs=4) as worker:
            await publish(bus, role, "old", 20)
            # Its last message shows nothing, because its subject has a later one.
            last = subject_for(role, "last-0")
            await bus.publish(last, b"")
            await until(lambda: received.ids.total() == 21)
            await lose_consumer_after(worker, bus, role, lambda: publish_again(bus, last))
            await until(lambda: received.ids["last"] == 2)
            await settled(bus, role, WORK_GOES_ON_S)
        assert received.ids == {"old": 20, "last": 2}


async def must_not_be_called(*_: object) -> None:
    pytest.fail("a message was read by number")


async def publish_again(bus: Bus, subject: str) -> None:
    await bus.publish(subject, b"")


async def test_a_role_that_finds_nothing_of_its_own_gets_everything_again(fresh_bus: Bus) -> None:
    """Another history, or one whose transfers are archived: a floor that counts nothing loses nothing."""
    received = Received()

    async def replace_all() -> None:
        await delete_stream(fresh_bus, "gateway")
        await fresh_bus.ensure()
        await publish(fresh_bus, "gateway", "old", 5)
        await delete_consumer(fresh_bus, "gateway")
        # The numbers of the new stream are higher, as if the floor were of a later time.
        fresh_bus._recovery._floors["gateway"] = AckFloor(2**52, time.time())

    async with Worker(fresh_bus, "gateway", received, jobs=1) as worker:
        await publish(fresh_bus, "gateway", "old", 5)
        await until(lambda: received.ids["old"] == 5)
        await lose_consumer_after(worker, fresh_bus, "gateway", replace_all)
        await until(lambda: received.ids["old"] == 10)


async def test_without_a_remembered_floor_everything_is_delivered_again(fresh_bus: Bus) -> None:
    received = Received()
    for n in range(5):
        await fresh_bus.publish(subjects.work_queue(f"t{n}", "gateway"), b"")
    await delete_consumer(fresh_bus, "gateway")
    async with Worker(fresh_bus, "gateway", received, jobs=1):
        await until(lambda: len(received.ids) == 5)


@pytest.mark.parametrize(
    ("stored_at", "start"),
    [(100.0, 8), (99.0, 8), (101.0, None), (None, None)],
    ids=["stored when the floor was read", "stored before", "stored later: another history", "not there"],
)
def test_a_floor_is_used_only_in_its_own_history(stored_at: float | None, start: int | None) -> None:
    assert start_after(AckFloor(7, 100.0), stored_at) == start


async def test_a_new_stream_uses_no_number_of_the_old_one(fresh_bus: Bus) -> None:
    """Otherwise an old acknowledgement would acknowledge a new message."""
    last = 0
    for _ in range(3):
        numbers = await fresh_bus.publish_all([Outgoing(subjects.log(f"t{n}"), b"") for n in range(50)])
        assert min(numbers) > last
        last = max(numbers)
        await delete_stream(fresh_bus, "gateway")
        await fresh_bus.ensure()


async def test_a_number_that_an_old_copy_uses_again_is_another_message(fresh_bus: Bus) -> None:
    """Taking it for a redelivery would drop the new message and acknowledge it."""
    release = asyncio.Event()
    handled: list[bytes] = []

    async def handle(delivery: Delivery) -> None:
        await release.wait()
        handled.append(delivery.data)

    subject = subjects.work_queue("t1", "gateway")
    worker = Worker(fresh_bus, "gateway", handle, jobs=3)
    for at, data in ((1.0, b"old"), (2.0, b"new"), (2.0, b"new")):
        worker.accept(ConsumerMessage(subject, data, {}, 5, at, 1, "$JS.ACK.nowhere", "gateway"))
    assert worker.in_flight == 2
    release.set()
    await until(lambda: len(handled) == 2)
    assert sorted(handled) == [b"new", b"old"]
    await until(lambda: worker.in_flight == 0)
