"""What a worker counts: each delivery once by its end, redeliveries, dead letters, ages."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from warmxfer.bus import Bus, DeadLetter, Delivery, RetryableError, Worker, subjects
from warmxfer.bus.worker_metrics import (
    DEAD_LETTERS,
    HANDLED,
    HANDLING,
    IN_FLIGHT,
    QUEUE_AGE,
    REDELIVERIES,
    Result,
)
from warmxfer.metrics import OTHER

from .settled import until

QUEUE = "gateway"


def grown(before: Mapping[tuple[str, ...], float]) -> dict[str, float]:
    """Return by how much each result of `QUEUE` has grown."""
    return {
        result: HANDLED.value(QUEUE, result) - before[QUEUE, result]
        for result in Result
        if HANDLED.value(QUEUE, result) != before[QUEUE, result]
    }


async def test_each_delivery_is_counted_by_how_it_ended(patient_bus: Bus) -> None:
    before, redelivered, dead = HANDLED.series(), REDELIVERIES.value(QUEUE), DEAD_LETTERS.value(QUEUE, "do")
    ages, handlings = QUEUE_AGE.count(QUEUE), HANDLING.count(QUEUE)

    async def handle(delivery: Delivery) -> None:
        if delivery.transfer_id == "dies":
            raise DeadLetter("not a command")
        if delivery.transfer_id == "again" and delivery.delivery_count < 3:
            raise RetryableError("not yet")

    async with Worker(patient_bus, QUEUE, handle, jobs=2):
        for id in ("passes", "dies", "again"):
            await patient_bus.publish(subjects.work_queue(id, QUEUE), b"{}")
        await until(lambda: sum(grown(before).values()) == 5)
    assert grown(before) == {Result.ACKNOWLEDGED: 2, Result.RETRIED: 2, Result.DEAD_LETTERED: 1}
    assert REDELIVERIES.value(QUEUE) == redelivered + 2
    assert DEAD_LETTERS.value(QUEUE, "do") == dead + 1
    assert QUEUE_AGE.count(QUEUE) == ages + 3
    assert HANDLING.count(QUEUE) == handlings + 5


async def test_the_age_is_the_time_that_a_message_waited(patient_bus: Bus) -> None:
    waited_s = 0.4
    await patient_bus.publish(subjects.work_queue("waits", QUEUE), b"{}")
    await asyncio.sleep(waited_s)
    await patient_bus.publish(subjects.work_queue("fresh", QUEUE), b"{}")
    count, total = QUEUE_AGE.count(QUEUE), QUEUE_AGE.total(QUEUE)
    gate = asyncio.Event()

    async def handle(delivery: Delivery) -> None:
        await gate.wait()

    async with Worker(patient_bus, QUEUE, handle, jobs=1, drain_s=30.0):
        await patient_bus.publish(subjects.work_queue("last", QUEUE), b"{}")
        await asyncio.sleep(waited_s)
        gate.set()
        await until(lambda: QUEUE_AGE.count(QUEUE) == count + 3)
    assert QUEUE_AGE.total(QUEUE) - total >= waited_s * 0.9


async def test_the_messages_in_flight_are_shown_while_the_worker_runs(patient_bus: Bus) -> None:
    gate = asyncio.Event()

    async def handle(delivery: Delivery) -> None:
        await gate.wait()

    for id in ("a", "b", "c"):
        await patient_bus.publish(subjects.work_queue(id, QUEUE), b"{}")
    async with Worker(patient_bus, QUEUE, handle, jobs=3):
        await until(lambda: IN_FLIGHT.series() == {(QUEUE,): 3})
        gate.set()
        await until(lambda: IN_FLIGHT.series() == {(QUEUE,): 0})
    assert IN_FLIGHT.series() == {}


@pytest.mark.parametrize("subject", ["wx.1.+49301234567.do.gateway"])
async def test_a_word_of_a_hostile_subject_becomes_no_label(patient_bus: Bus, subject: str) -> None:
    before = sum(DEAD_LETTERS.series().values())

    async def handle(delivery: Delivery) -> None:
        raise AssertionError("nothing to handle")

    async with Worker(patient_bus, QUEUE, handle, jobs=1):
        await patient_bus._connection.client.publish(subject, b"{}")
        await until(lambda: sum(DEAD_LETTERS.series().values()) == before + 1)
    values = {value for key in DEAD_LETTERS.series() for value in key}
    allowed = {value for label in DEAD_LETTERS.labels for value in (*label.values, OTHER)}
    assert values <= allowed
