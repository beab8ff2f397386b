"""A worker keeps the order within a transfer, runs transfers in parallel, and loses no message."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import cast

import pytest

from tests.testkit.counting import CountingHandler
from tests.testkit.nats_server import restart
from warmxfer.bus import (
    Bus,
    BusSettings,
    Delivery,
    EmbeddedServer,
    InvalidRequest,
    Outgoing,
    Worker,
    pull_consumer,
    subjects,
)
from warmxfer.bus import worker as worker_module
from warmxfer.bus.broker_clock import BrokerClock
from warmxfer.bus.consumer_table import consumers_of
from warmxfer.bus.messages import ConsumerMessage
from warmxfer.bus.micro_service import Endpoints
from warmxfer.bus.worker_metrics import REDELIVERIES

from .settled import PATIENT_ACK_WAIT_S, PROGRESS_ACK_WAIT_S, dead_letters, open_bus, settled, until

Handle = Callable[[Delivery], Awaitable[None]]
SOON_S = PATIENT_ACK_WAIT_S / 2
"""Before a broker with that `ack_wait` redelivers a message by itself."""


def busy(worker: Worker) -> int:
    """Return how many handlers of `worker` run now."""
    return sum(item.running for item in worker._in_flight.values())


@contextlib.asynccontextmanager
async def other_bus(bus: Bus) -> AsyncIterator[Bus]:
    async with await Bus.connect(bus.settings, name="other") as other:
        yield other


async def test_a_delivery_has_the_parts_of_its_message(patient_bus: Bus) -> None:
    got: list[Delivery] = []

    async def handle(delivery: Delivery) -> None:
        got.append(delivery)

    seq = await patient_bus.publish(
        subjects.work_queue("t1", "gateway"), b"{}", msg_id="m1", headers={"X-A": "b"}
    )
    counting = CountingHandler(handle)
    async with Worker(patient_bus, "gateway", counting, jobs=2) as worker:
        await settled(patient_bus, "gateway")
        assert (counting.done, counting.failed, worker.in_flight) == (1, 0, 0)
    assert await dead_letters(patient_bus, "t1") == []
    (delivery,) = got
    assert (delivery.transfer_id, delivery.kind, delivery.rest) == ("t1", "do", "gateway")
    assert (delivery.data, delivery.seq, delivery.delivery_count) == (b"{}", seq, 1)
    assert delivery.headers == {"X-A": "b", "Nats-Msg-Id": "m1"}
    stored = await patient_bus.get_last(subjects.work_queue("t1", "gateway"))
    assert stored is not None
    assert delivery.at == stored.at


async def test_keyed_keeps_the_order_of_a_transfer_and_runs_transfers_in_parallel(patient_bus: Bus) -> None:
    order: dict[str, list[int]] = defaultdict(list)
    running: Counter[str] = Counter()
    most_of_one, most_at_once = 0, 0

    async def handle(delivery: Delivery) -> None:
        nonlocal most_of_one, most_at_once
        running[delivery.transfer_id] += 1
        most_of_one = max(most_of_one, running[delivery.transfer_id])
        most_at_once = max(most_at_once, running.total())
        await asyncio.sleep(0.002)
        order[delivery.transfer_id].append(int(delivery.data))
        running[delivery.transfer_id] -= 1

    await patient_bus.publish_all(
        [Outgoing(subjects.event(f"t{n % 8}", "gateway"), b"%d" % n) for n in range(400)], deadline_s=30
    )
    async with Worker(patient_bus, "coordinator", handle, jobs=4, keyed=True) as worker:
        await settled(patient_bus, "coordinator")
        assert len(worker._queue) == 0
        assert worker._runners == {}, "an idle worker keeps no task"
    assert {id: numbers == sorted(numbers) for id, numbers in order.items()} == {
        f"t{n}": True for n in range(8)
    }
    assert sum(map(len, order.values())) == 400
    assert (most_of_one, most_at_once) == (1, 4)


async def test_a_slow_transfer_does_not_delay_the_others(patient_bus: Bus) -> None:
    gate = asyncio.Event()
    done: list[str] = []

    async def handle(delivery: Delivery) -> None:
        if delivery.transfer_id == "slow":
            await gate.wait()
        done.append(delivery.transfer_id)

    await patient_bus.publish_all([Outgoing(subjects.event("slow", "gateway"), b"") for _ in range(3)])
    await patient_bus.publish_all([Outgoing(subjects.event(f"t{n}", "gateway"), b"") for n in range(20)])
    async with Worker(patient_bus, "coordinator", handle, jobs=2, keyed=True, progress=False):
        await until(lambda: len(done) == 20)
        assert "slow" not in done
        gate.set()
        await settled(patient_bus, "coordinator")
    assert done.count("slow") == 3


async def test_never_more_than_jobs_run_and_idle_workers_get_the_rest(patient_bus: Bus) -> None:
    gate = asyncio.Event()

    async def handle(_: Delivery) -> None:
        await gate.wait()

    await patient_bus.publish_all([Outgoing(subjects.work_queue(f"t{n}", "briefing"), b"") for n in range(6)])
    async with (
        other_bus(patient_bus) as other,
        Worker(patient_bus, "briefing", handle, jobs=2, progress=True) as first,
    ):
        await until(lambda: busy(first) == 2)
        async with Worker(other, "briefing", handle, jobs=4, progress=True) as second:
            await until(lambda: busy(second) == 4)
            assert (busy(first), first.in_flight, second.in_flight) == (2, 2, 4)
            gate.set()
            await settled(patient_bus, "briefing")


async def test_the_last_jobs_of_a_worker_are_used_although_its_pulls_have_expired(
    patient_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A consultation lasts for minutes. Jobs that are too few for a new pull stayed free all that time."""
    monkeypatch.setattr(pull_consumer, "PULL_EXPIRES_S", 0.2)
    gate, jobs = asyncio.Event(), 12

    async def handle(_: Delivery) -> None:
        await gate.wait()

    async with Worker(patient_bus, "briefing", handle, jobs=jobs, progress=True) as worker:
        for number in range(jobs):
            await patient_bus.publish(subjects.work_queue(f"t{number}", "briefing"), b"")
            await until(lambda number=number: busy(worker) == number + 1)
            await asyncio.sleep(0.3 if number >= jobs - 3 else 0.0)  # the open pull expires
        gate.set()
        await settled(patient_bus, "briefing")


async def test_each_job_has_a_message_although_the_window_of_keyed_work_has_a_limit(
    patient_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker with more jobs than that limit announced places that it never filled."""
    monkeypatch.setattr(worker_module, "MAX_WINDOW", 8)
    gate, jobs = asyncio.Event(), 12

    async def handle(_: Delivery) -> None:
        await gate.wait()

    ids = [f"t{number}" for number in range(jobs)]
    await patient_bus.publish_all([Outgoing(subjects.work_queue(id, "briefing"), b"") for id in ids])
    async with Worker(patient_bus, "briefing", handle, jobs=jobs, progress=True) as worker:
        await until(lambda: busy(worker) == jobs)
        gate.set()
        await settled(patient_bus, "briefing")


async def test_progress_keeps_long_work_from_redelivery(fresh_server: EmbeddedServer) -> None:
    calls: list[int] = []

    async def handle(delivery: Delivery) -> None:
        calls.append(delivery.delivery_count)
        await asyncio.sleep(1.2 * PROGRESS_ACK_WAIT_S)

    async with open_bus(fresh_server, PROGRESS_ACK_WAIT_S) as bus, other_bus(bus) as other:
        await bus.publish(subjects.work_queue("t1", "briefing"), b"")
        async with (
            Worker(bus, "briefing", handle, jobs=1, progress=True),
            Worker(other, "briefing", handle, jobs=1, progress=True),
        ):
            await settled(bus, "briefing")
    assert calls == [1]


async def test_a_queued_message_is_not_redelivered(fresh_server: EmbeddedServer) -> None:
    """The last one is queued for longer than `ack_wait`."""
    calls: list[tuple[bytes, int]] = []
    before = REDELIVERIES.value("coordinator")

    async def handle(delivery: Delivery) -> None:
        calls.append((delivery.data, delivery.delivery_count))
        await asyncio.sleep(0.1 * PROGRESS_ACK_WAIT_S)

    async with open_bus(fresh_server, PROGRESS_ACK_WAIT_S) as bus:
        bodies = [b"%d" % n for n in range(13)]
        await bus.publish_all([Outgoing(subjects.event("t1", "gateway"), body) for body in bodies])
        async with Worker(bus, "coordinator", handle, jobs=4, keyed=True):
            await settled(bus, "coordinator")
    assert calls == [(body, 1) for body in bodies]
    assert REDELIVERIES.value("coordinator") == before


async def test_another_worker_gets_the_message_of_a_dead_worker(fresh_bus: Bus) -> None:
    done: list[tuple[str, int]] = []

    async def hang(_: Delivery) -> None:
        await asyncio.Event().wait()

    async def handle(delivery: Delivery) -> None:
        done.append((delivery.transfer_id, delivery.delivery_count))

    await fresh_bus.publish(subjects.work_queue("t1", "briefing"), b"")
    dying = await Bus.connect(fresh_bus.settings, name="dying")
    worker = Worker(dying, "briefing", hang, jobs=1, progress=True)
    await worker.start()
    await until(lambda: busy(worker) == 1)
    await dying.close()
    started = time.monotonic()
    async with Worker(fresh_bus, "briefing", handle, jobs=1, progress=True):
        await until(lambda: len(done) == 1)
    assert time.monotonic() - started < SOON_S
    ((id, tries),) = done
    assert id == "t1"
    assert tries >= 2
    await worker.stop(0)


async def test_a_stored_status_header_is_not_read_as_the_brokers_status(patient_bus: Bus) -> None:
    done: list[str] = []

    async def handle(delivery: Delivery) -> None:
        done.append(delivery.headers["Status"])

    await patient_bus.publish(subjects.event("t1", "gateway"), b"", headers={"Status": "409"})
    async with Worker(patient_bus, "coordinator", handle, jobs=1):
        await settled(patient_bus, "coordinator")
    assert done == ["409"]


async def test_stopping_lets_running_handlers_end_and_returns_the_rest_at_once(patient_bus: Bus) -> None:
    gate, ended = asyncio.Event(), list[bytes]()
    later: list[tuple[bytes, int]] = []

    async def handle(delivery: Delivery) -> None:
        await gate.wait()
        ended.append(delivery.data)

    async def handle_later(delivery: Delivery) -> None:
        later.append((delivery.data, delivery.delivery_count))

    await patient_bus.publish_all([Outgoing(subjects.event("t1", "gateway"), b"%d" % n) for n in range(4)])
    worker = Worker(patient_bus, "coordinator", handle, jobs=1, keyed=True)
    await worker.start()
    await until(lambda: worker.in_flight == 4)
    stopping = asyncio.create_task(worker.stop(5))
    await asyncio.sleep(0.05)
    gate.set()
    await stopping
    assert (ended, worker.in_flight) == ([b"0"], 0)
    started = time.monotonic()
    async with Worker(patient_bus, "coordinator", handle_later, jobs=1, keyed=True):
        await settled(patient_bus, "coordinator")
    assert time.monotonic() - started < SOON_S
    assert sorted(later) == [(b"1", 2), (b"2", 2), (b"3", 2)]


async def test_stopping_cancels_a_handler_after_the_deadline_and_returns_its_message(
    patient_bus: Bus,
) -> None:
    cut: list[str] = []

    async def hang(delivery: Delivery) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cut.append(delivery.transfer_id)

    done: list[int] = []

    async def handle(delivery: Delivery) -> None:
        done.append(delivery.delivery_count)

    await patient_bus.publish(subjects.work_queue("t1", "briefing"), b"")
    worker = Worker(patient_bus, "briefing", hang, jobs=1, progress=True)
    await worker.start()
    await until(lambda: busy(worker) == 1)
    started = time.monotonic()
    await worker.stop(0.2)
    assert cut == ["t1"]
    async with Worker(patient_bus, "briefing", handle, jobs=1):
        await until(lambda: done == [2])
    assert time.monotonic() - started < SOON_S


async def test_a_killed_broker_loses_no_message(fresh_server: EmbeddedServer, fresh_bus: Bus) -> None:
    done: Counter[bytes] = Counter()

    async def handle(delivery: Delivery) -> None:
        await asyncio.sleep(0.01)
        done[delivery.data] += 1

    bodies = [b"%d" % n for n in range(600)]
    async with Worker(fresh_bus, "coordinator", handle, jobs=4, keyed=False):
        for part in range(3):
            batch = bodies[part * 200 : part * 200 + 200]
            await fresh_bus.publish_all(
                [Outgoing(subjects.event(f"t{n % 20}", "gateway"), body) for n, body in enumerate(batch)],
                deadline_s=30,
            )
            await asyncio.sleep(0.1)
            await restart(fresh_server, kill=True)
        await until(lambda: len(done) == 600)
        await settled(fresh_bus, "coordinator")
    assert set(done) == set(bodies)


async def test_a_worker_can_start_before_the_stream_exists(fresh_server: EmbeddedServer) -> None:
    done: list[str] = []

    async def handle(delivery: Delivery) -> None:
        done.append(delivery.transfer_id)

    settings = BusSettings(url=fresh_server.url)
    async with (
        await Bus.connect(settings, name="test") as bus,
        Worker(bus, "gateway", handle, jobs=1),
    ):
        await asyncio.sleep(0.1)
        await bus.ensure()
        await bus.publish(subjects.work_queue("t1", "gateway"), b"")
        await until(lambda: done == ["t1"])


class OneMessageBus:
    """A bus whose pull consumer delivers a second message at the moment when the only runner ends."""

    def __init__(self) -> None:
        self.settings = BusSettings()
        self.clock = BrokerClock()
        self.endpoints = Endpoints()
        self.worker: Worker | None = None
        self.sequence_numbers = [2]

    def pull(self, consumer: str, sink: object, window: int) -> OneMessageBus:
        return self

    def request_more(self) -> None:
        while self.sequence_numbers:
            asyncio.get_running_loop().call_soon(self.deliver, self.sequence_numbers.pop())

    def deliver(self, seq: int) -> None:
        assert self.worker is not None
        subject = subjects.event(f"t{seq}", "gateway")
        self.worker.accept(ConsumerMessage(subject, b"", {}, seq, 0.0, 1, "", "events-0"))

    async def ack(self, message: ConsumerMessage) -> None:
        pass


async def test_a_message_that_arrives_when_the_last_runner_ends_is_handled() -> None:
    done: list[int] = []

    async def handle(delivery: Delivery) -> None:
        done.append(delivery.seq)

    bus = OneMessageBus()
    bus.worker = Worker(cast("Bus", bus), "coordinator", handle, jobs=1)
    bus.deliver(1)
    await until(lambda: done == [1, 2])


async def test_ten_thousand_messages_leave_no_task_and_no_queued_item() -> None:
    count, done = 10_000, 0

    async def handle(_: Delivery) -> None:
        nonlocal done
        done += 1

    # This does not test the disk. Without a sync for every message it takes a second.
    async with (
        EmbeddedServer(sync_interval="2m") as server,
        await Bus.connect(BusSettings(url=server.url), name="test") as bus,
    ):
        await bus.ensure()
        for start in range(0, count, 1_000):
            await bus.publish_all(
                [
                    Outgoing(subjects.event(f"t{n}", "gateway"), b"x" * 100)
                    for n in range(start, start + 1_000)
                ],
                deadline_s=30,
            )
        before = len(asyncio.all_tasks())
        async with Worker(bus, "coordinator", handle, jobs=64, keyed=True) as worker:
            most = 0
            while done < count:
                most = max(most, len(asyncio.all_tasks()))
                await asyncio.sleep(0.01)
            await settled(bus, "coordinator")
            assert (len(worker._queue), worker._queue.ready, worker.in_flight) == (0, False, 0)
        # Each consumer has the task of its subscription, and at times one that looks after it.
        assert most <= before + 64 + 2 * len(consumers_of("coordinator")) + 4
        assert len(asyncio.all_tasks()) == before


@pytest.mark.parametrize("jobs", [0, -1, 5_000])
async def test_an_invalid_number_of_jobs_is_rejected(bus: Bus, jobs: int) -> None:
    async def handle(_: Delivery) -> None:
        pass

    with pytest.raises(InvalidRequest, match=rf"^jobs is {jobs}; give 1 to 1024$"):
        Worker(bus, "gateway", handle, jobs=jobs)
