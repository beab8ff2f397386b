"""Messages of one transfer that are handled together: all of them are acknowledged, or none of the others."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from tests.testkit import waiting
from warmxfer.bus import Bus, BusSettings, Delivery, RetryableError, Worker, subjects
from warmxfer.bus.worker import Together
from warmxfer.bus.worker_metrics import HANDLED, Result

until = partial(waiting.until, within_s=20.0)
ACK_WAIT_S = 0.5


class Handler:
    """Handles `at_most` messages together. The first message of each transfer waits for `go`."""

    def __init__(self, at_most: int = 8) -> None:
        self.at_most = at_most
        self.go = asyncio.Event()
        self.began = asyncio.Event()
        self.calls: list[list[bytes]] = []
        self.deliveries: list[Delivery] = []
        self.fail_at: int | None = None
        self.gate_together: asyncio.Event | None = None

    async def alone(self, delivery: Delivery) -> None:
        self.calls.append([delivery.data])
        self.began.set()
        await self.go.wait()

    async def together(self, deliveries: Sequence[Delivery]) -> int:
        self.calls.append([each.data for each in deliveries])
        self.deliveries += deliveries
        if self.gate_together is not None:
            await self.gate_together.wait()
        if self.fail_at == len(self.calls):
            raise RetryableError("later")
        return min(self.at_most, len(deliveries))

    def worker(self, bus: Bus, limit: int = 8, jobs: int = 2) -> Worker:
        return Worker(
            bus, "coordinator", self.alone, jobs=jobs, keyed=True, together=Together(self.together, limit)
        )


async def publish(bus: Bus, count: int, first: int = 0, id: str = "t1") -> None:
    for number in range(first, first + count):
        await bus.publish(subjects.event(id, "gateway"), b"%d" % number)


async def unacked(bus: Bus) -> int:
    queue = (await bus.diagnose()).queues["coordinator"]
    assert queue is not None
    return queue.pending + queue.unacked


async def until_acked(bus: Bus) -> None:
    async with asyncio.timeout(20.0):
        while await unacked(bus):
            await asyncio.sleep(0.05)


async def waits(worker: Worker, count: int) -> None:
    await until(lambda: worker.in_flight == count)


async def wait_behind_the_first(handler: Handler, worker: Worker, bus: Bus, count: int) -> None:
    """Publish `count` messages: the first one is being handled, and the others wait behind it."""
    await publish(bus, 1)
    await handler.began.wait()
    await publish(bus, count - 1, 1)
    await waits(worker, count)


async def test_those_that_wait_are_handled_and_acknowledged_together(patient_bus: Bus) -> None:
    handler = Handler()
    before = HANDLED.value("coordinator", Result.ACKNOWLEDGED)
    async with handler.worker(patient_bus) as worker:
        await wait_behind_the_first(handler, worker, patient_bus, 5)
        handler.go.set()
        await waits(worker, 0)
        assert handler.calls == [[b"0"], [b"1", b"2", b"3", b"4"]]
        await until_acked(patient_bus)
        assert HANDLED.value("coordinator", Result.ACKNOWLEDGED) == before + 5
        (consumer,) = {each.consumer for each in handler.deliveries}
        assert patient_bus.endpoints.of_consumer(consumer).requests == 5
        await publish(patient_bus, 1, 5)
        await until(lambda: handler.calls[-1] == [b"5"])


async def test_those_that_were_not_handled_are_handled_next_in_their_order(patient_bus: Bus) -> None:
    handler = Handler(at_most=2)
    async with handler.worker(patient_bus, limit=3) as worker:
        await wait_behind_the_first(handler, worker, patient_bus, 6)
        handler.go.set()
        await waits(worker, 0)
    assert handler.calls == [[b"0"], [b"1", b"2", b"3"], [b"3", b"4", b"5"], [b"5"]]
    await until_acked(patient_bus)


async def test_a_handler_that_raises_has_handled_none(patient_bus: Bus) -> None:
    handler = Handler()
    handler.fail_at = 2
    async with handler.worker(patient_bus) as worker:
        await wait_behind_the_first(handler, worker, patient_bus, 4)
        handler.go.set()
        await waits(worker, 0)
        await until(lambda: [b"1"] in handler.calls)
    assert handler.calls[1:3] == [[b"1", b"2", b"3"], [b"2", b"3"]]
    await until_acked(patient_bus)


async def test_messages_of_other_transfers_are_not_handled_with_it(patient_bus: Bus) -> None:
    handler = Handler()
    async with handler.worker(patient_bus, jobs=1) as worker:
        await publish(patient_bus, 1, id="t1")
        await handler.began.wait()
        await publish(patient_bus, 1, 1, id="t1")
        await publish(patient_bus, 2, 10, id="t2")
        await waits(worker, 4)
        handler.go.set()
        await waits(worker, 0)
    assert sorted(handler.calls) == [[b"0"], [b"1"], [b"10", b"11"]]


async def test_a_stop_while_messages_are_handled_together(patient_bus: Bus) -> None:
    """Those behind the first one are given back, as queued ones are. None is handled twice by one worker."""
    handler = Handler()
    handler.gate_together = asyncio.Event()
    worker = handler.worker(patient_bus)
    await worker.start()
    await wait_behind_the_first(handler, worker, patient_bus, 3)
    handler.go.set()
    await until(lambda: len(handler.calls) == 2)
    stopping = asyncio.create_task(worker.stop())
    await waits(worker, 1)
    handler.gate_together.set()
    await asyncio.wait_for(stopping, 10)
    assert handler.calls == [[b"0"], [b"1", b"2"]]
    assert worker.in_flight == 0
    other = Handler()
    other.go.set()
    async with other.worker(patient_bus):
        await until_acked(patient_bus)
    assert [each for call in other.calls for each in call] == [b"2"]


async def test_a_death_before_the_acknowledgement_redelivers_all_of_them(fresh_bus: Bus) -> None:
    settings = BusSettings(url=fresh_bus.settings.url, ack_wait_s=ACK_WAIT_S)
    handler = Handler()
    handler.gate_together = asyncio.Event()
    async with await Bus.connect(settings, name="dying") as bus:
        worker = handler.worker(bus)
        await worker.start()
        await wait_behind_the_first(handler, worker, fresh_bus, 3)
        handler.go.set()
        await until(lambda: len(handler.calls) == 2)
        await bus._connection.close()  # type: ignore[attr-defined]
    other = Handler()
    other.go.set()
    async with other.worker(fresh_bus):
        await until_acked(fresh_bus)
    assert {each for call in other.calls for each in call} >= {b"1", b"2"}
    handler.gate_together.set()
    await asyncio.wait_for(worker.stop(), 10)
