"""Messages whose handler fails: redelivered after a delay, or dead-lettered. They delay no others."""

from __future__ import annotations

import asyncio
import itertools
import time

import pytest
from structlog.testing import capture_logs

from tests.testkit.counting import CountingHandler
from warmxfer.bus import (
    Bus,
    BusSettings,
    DeadLetter,
    Delivery,
    EmbeddedServer,
    InternalError,
    InvalidRequest,
    Outgoing,
    RetryableError,
    Worker,
    failed_messages,
    subjects,
)

from .settled import PATIENT_ACK_WAIT_S, dead_letters, settled, until

DEATH_ACK_WAIT_S = 1.5
"""Longer than a worker on a busy machine needs from its first message to its death."""


async def test_a_retryable_error_is_redelivered_after_its_delay(patient_bus: Bus) -> None:
    at: list[float] = []

    async def handle(delivery: Delivery) -> None:
        at.append(time.monotonic())
        if delivery.delivery_count < 3:
            raise RetryableError("not yet", after_s=0.3)

    await patient_bus.publish(subjects.event("t1", "gateway"), b"")
    counting = CountingHandler(handle)
    async with Worker(patient_bus, "coordinator", counting, jobs=1):
        await settled(patient_bus, "coordinator")
    assert (counting.done, counting.failed) == (1, 2)
    pauses = [later - earlier for earlier, later in itertools.pairwise(at)]
    assert all(0.3 <= pause < PATIENT_ACK_WAIT_S / 2 for pause in pauses)
    assert await dead_letters(patient_bus, "t1") == []


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (
            InvalidRequest("number is '+1…23'; name another"),
            "InvalidRequest: number is '+1…23'; name another",
        ),
        (InternalError("two states at once"), "InternalError: two states at once"),
        (ValueError("the caller said: my pin is 1234"), "ValueError at test_failed_messages.py:"),
        (asyncio.CancelledError(), "CancelledError at test_failed_messages.py:"),
    ],
)
async def test_a_message_that_always_fails_is_dead_lettered_with_its_cause(
    fresh_server: EmbeddedServer, error: BaseException, cause: str
) -> None:
    notified: list[tuple[str, str]] = []
    tries: list[int] = []

    async def handle(delivery: Delivery) -> None:
        tries.append(delivery.delivery_count)
        raise error

    async def on_dead(delivery: Delivery, cause: str) -> None:
        notified.append((delivery.transfer_id, cause))

    settings = BusSettings(url=fresh_server.url, max_deliver=3)
    with capture_logs() as logs:
        async with await Bus.connect(settings, name="test") as bus:
            await bus.ensure()
            seq = await bus.publish(subjects.work_queue("t1", "gateway"), b"secret payload")
            async with Worker(bus, "gateway", handle, jobs=1, on_dead_letter=on_dead):
                await settled(bus, "gateway")
            (dead,) = await dead_letters(bus, "t1")
    assert tries == [1, 2, 3]
    assert dead.pop("cause").startswith(cause)
    assert dead == {
        "subject": subjects.work_queue("t1", "gateway"),
        "seq": seq,
        "tries": 3,
        "consumer": "gateway",
        "stream": "WARMXFER_CORE",
    }
    ((notified_id, notified_cause),) = notified
    assert notified_id == "t1"
    assert notified_cause.startswith(cause)
    assert "my pin" not in notified_cause + repr(logs)
    assert "secret payload" not in repr(logs)


async def test_dead_letter_skips_retries(patient_bus: Bus) -> None:
    tries: list[int] = []

    async def handle(delivery: Delivery) -> None:
        tries.append(delivery.delivery_count)
        raise DeadLetter("not JSON")

    await patient_bus.publish(subjects.event("t1", "gateway"), b"\xff")
    async with Worker(patient_bus, "coordinator", handle, jobs=1):
        await settled(patient_bus, "coordinator")
    assert tries == [1]
    (dead,) = await dead_letters(patient_bus, "t1")
    assert dead["cause"] == "not JSON"


async def test_a_poison_message_does_not_block_others(
    patient_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failed_messages, "RETRY_MIN_S", 1.0)
    done: list[bytes] = []

    async def handle(delivery: Delivery) -> None:
        if delivery.data == b"poison":
            raise ValueError("boom")
        done.append(delivery.data)

    bodies = [b"poison" if n % 50 == 0 else b"%d" % n for n in range(200)]
    await patient_bus.publish_all([Outgoing(subjects.event("t1", "gateway"), body) for body in bodies])
    async with Worker(patient_bus, "coordinator", handle, jobs=1, keyed=True):
        await until(lambda: len(done) == 196)
        assert await dead_letters(patient_bus, "t1") == [], "the others waited for a poison message to end"
        monkeypatch.setattr(failed_messages, "RETRY_MIN_S", 0.05)
        await settled(patient_bus, "coordinator")
    assert len(await dead_letters(patient_bus, "t1")) == 4


async def test_a_message_on_a_hostile_subject_is_dead_lettered(patient_bus: Bus) -> None:
    done: list[str] = []

    async def handle(delivery: Delivery) -> None:
        done.append(delivery.transfer_id)

    transport = patient_bus._connection.client._transport
    assert transport is not None
    for id in (b"\xff\xfe", b"a\xc2\xa0b", b"x" * 100, b"+14155550123"):
        transport.write(b"PUB warmxfer." + id + b".cancel 0\r\n\r\n")
    await patient_bus.publish(subjects.event("good", "gateway"), b"")
    notified: list[Delivery] = []
    not_called: list[Delivery] = []

    async def on_invalid_subject(delivery: Delivery, cause: str) -> None:
        assert cause.startswith("id is ")
        notified.append(delivery)

    async def on_dead(delivery: Delivery, _: str) -> None:
        not_called.append(delivery)

    async with Worker(
        patient_bus,
        "coordinator",
        handle,
        jobs=1,
        on_dead_letter=on_dead,
        on_invalid_subject=on_invalid_subject,
    ):
        await settled(patient_bus, "coordinator")
    assert done == ["good"]
    assert ([delivery.transfer_id for delivery in notified], not_called) == ([subjects.INVALID_ID] * 4, [])
    found = await dead_letters(patient_bus, subjects.INVALID_ID)
    assert len(found) == 4
    assert all(dead["cause"].startswith("id is ") for dead in found)


async def test_a_message_that_crashes_its_worker_is_dead_lettered(fresh_server: EmbeddedServer) -> None:
    settings = BusSettings(url=fresh_server.url, ack_wait_s=DEATH_ACK_WAIT_S, max_deliver=1)
    begun: list[int] = []

    async def die(delivery: Delivery) -> None:
        begun.append(delivery.delivery_count)
        await asyncio.Event().wait()

    async with await Bus.connect(settings, name="test") as bus:
        await bus.ensure()
        await bus.publish(subjects.event("t1", "gateway"), b"")
        for tries in range(1, 5):
            dying = await Bus.connect(settings, name="dying")
            worker = Worker(dying, "coordinator", die, jobs=1)
            await worker.start()
            await until(lambda tries=tries: len(begun) == tries)
            await dying.close()
            await worker.stop(0)
        async with Worker(bus, "coordinator", die, jobs=1):
            await settled(bus, "coordinator")
        (dead,) = await dead_letters(bus, "t1")
    assert begun == [1, 2, 3, 4]
    assert dead["cause"] == "was started 4 times and never finished; it may crash its worker"


async def test_a_failed_dead_letter_callback_is_repeated(patient_bus: Bus) -> None:
    notified: list[int] = []

    async def handle(_: Delivery) -> None:
        raise DeadLetter("no")

    async def on_dead(delivery: Delivery, _: str) -> None:
        notified.append(delivery.delivery_count)
        if len(notified) == 1:
            raise RetryableError("later")

    await patient_bus.publish(subjects.event("t1", "gateway"), b"")
    async with Worker(patient_bus, "coordinator", handle, jobs=1, on_dead_letter=on_dead):
        await settled(patient_bus, "coordinator")
    assert notified == [1, 2]
    assert len(await dead_letters(patient_bus, "t1")) == 1
