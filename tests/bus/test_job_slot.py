"""A handler that waits gives its job back: other messages are handled meanwhile, and its own is not lost."""

from __future__ import annotations

import asyncio

import pytest

from warmxfer.bus import Bus, Delivery, EmbeddedServer, Outgoing, Worker, job_given_back, subjects
from warmxfer.bus import worker as worker_module
from warmxfer.bus.job_slot import JobSlot
from warmxfer.bus.worker_metrics import REDELIVERIES

from .settled import PROGRESS_ACK_WAIT_S, open_bus, until


class Waiting:
    """A handler: transfers whose id begins with `slow` wait without their job, until `go_on` is set."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.waits = 0
        self.done: list[str] = []
        self.deliveries: list[int] = []

    async def __call__(self, delivery: Delivery) -> None:
        self.deliveries.append(delivery.delivery_count)
        if delivery.transfer_id.startswith("slow"):
            with job_given_back():
                self.waits += 1
                await self.go_on.wait()
        self.done.append(delivery.transfer_id)


async def send(bus: Bus, *ids: str) -> None:
    await bus.publish_all([Outgoing(subjects.work_queue(id, "gateway"), b"") for id in ids])


async def test_other_messages_are_handled_while_handlers_wait(patient_bus: Bus) -> None:
    handler = Waiting()
    await send(patient_bus, *(f"slow{n}" for n in range(8)), *(f"t{n}" for n in range(20)))
    async with Worker(patient_bus, "gateway", handler, jobs=2, progress=True) as worker:
        await until(lambda: handler.waits == 8 and len(handler.done) == 20)
        assert worker.in_flight == 0, "waiting handlers do not count in the window"
        handler.go_on.set()
        await until(lambda: len(handler.done) == 28)
        await send(patient_bus, "after")
        await until(lambda: handler.done[-1] == "after")
    assert worker.in_flight == 0


async def test_each_change_of_what_is_in_flight_is_told(patient_bus: Bus) -> None:
    """A message that arrives, waits without its job, takes it again, and ends."""
    handler, seen = Waiting(), list[int]()
    worker = Worker(
        patient_bus,
        "gateway",
        handler,
        jobs=2,
        progress=True,
        on_in_flight_change=lambda: seen.append(worker.in_flight),
    )
    async with worker:
        await send(patient_bus, "slow")
        await until(lambda: seen == [1, 0])
        handler.go_on.set()
        await until(lambda: seen == [1, 0, 1, 0])


async def test_a_handler_that_waits_without_its_job_keeps_its_message(fresh_server: EmbeddedServer) -> None:
    """Progress is reported for it: neither this worker nor another one gets the message again."""
    handler, redelivered = Waiting(), REDELIVERIES.value("gateway")
    async with (
        open_bus(fresh_server, PROGRESS_ACK_WAIT_S) as bus,
        await Bus.connect(bus.settings, name="other") as other,
        Worker(bus, "gateway", handler, jobs=1, progress=True),
        Worker(other, "gateway", handler, jobs=1, progress=True),
    ):
        await send(bus, "slow")
        await until(lambda: handler.waits == 1)
        await asyncio.sleep(1.2 * PROGRESS_ACK_WAIT_S)
        handler.go_on.set()
        await until(lambda: handler.done == ["slow"])
    assert handler.deliveries == [1]
    assert REDELIVERIES.value("gateway") == redelivered


async def test_progress_is_reported_only_while_a_handler_waits_without_its_job(
    fresh_server: EmbeddedServer,
) -> None:
    """A worker without `progress`: a handler that hangs is delivered again, one that waits is not."""
    handler, redelivered = Waiting(), REDELIVERIES.value("coordinator")
    async with (
        open_bus(fresh_server, PROGRESS_ACK_WAIT_S) as bus,
        Worker(bus, "coordinator", handler, jobs=1, keyed=True),
    ):
        await bus.publish(subjects.event("slow", "gateway"), b"")
        await until(lambda: handler.waits == 1)
        await asyncio.sleep(1.2 * PROGRESS_ACK_WAIT_S)
        handler.go_on.set()
        await until(lambda: handler.done == ["slow"])
    assert handler.deliveries == [1]
    assert REDELIVERIES.value("coordinator") == redelivered


async def test_a_worker_that_stops_waits_for_a_handler_without_a_job(patient_bus: Bus) -> None:
    handler = Waiting()
    await send(patient_bus, "slow")
    worker = Worker(patient_bus, "gateway", handler, jobs=1, progress=True)
    await worker.start()
    await until(lambda: handler.waits == 1)
    stopping = asyncio.create_task(worker.stop())
    await asyncio.sleep(0)
    handler.go_on.set()
    await stopping
    assert handler.done == ["slow"]


async def test_only_so_many_handlers_wait_without_a_job(
    patient_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "MAX_GIVEN_BACK", 2)
    handler = Waiting()
    await send(patient_bus, *(f"slow{n}" for n in range(5)))
    async with Worker(patient_bus, "gateway", handler, jobs=1, progress=True) as worker:
        await until(lambda: handler.waits == 3)
        assert worker.in_flight == 1, "the third one keeps its job"
        handler.go_on.set()
        await until(lambda: len(handler.done) == 5)


def test_tasks_of_one_handler_give_its_job_back_once() -> None:
    changes: list[str] = []

    def give_back() -> bool:
        changes.append("given back")
        return True

    slot = JobSlot(give_back, lambda: changes.append("taken again"))
    with slot.given_back():
        with slot.given_back():
            pass
        assert changes == ["given back"]
    assert changes == ["given back", "taken again"]
    with slot.given_back():
        pass
    assert len(changes) == 4


def test_a_job_that_may_not_be_given_back_is_not_taken_again() -> None:
    taken: list[str] = []
    slot = JobSlot(lambda: False, lambda: taken.append("again"))
    with slot, job_given_back():
        pass
    assert taken == []
