"""A killed broker costs time, and never an acknowledged message."""

from __future__ import annotations

import asyncio
import time

import pytest
from structlog.testing import capture_logs

from tests.testkit.nats_server import restart
from warmxfer.bus import (
    Bus,
    EmbeddedServer,
    Outgoing,
    Unavailable,
    subjects,
)


async def test_publishing_waits_for_a_killed_broker_and_stores_once(
    fresh_server: EmbeddedServer, fresh_bus: Bus, transfer_id: str
) -> None:
    reconnects: list[float] = []

    async def count_reconnect() -> None:
        reconnects.append(time.monotonic())

    fresh_bus.on_reconnect(count_reconnect)
    events = [Outgoing(subjects.event(transfer_id, "gateway"), b"%d" % n) for n in range(5)]
    await fresh_server.stop(kill=True)
    writing = asyncio.create_task(
        fresh_bus.publish(subjects.log(transfer_id), b"one", msg_id="m", expect_last=0, deadline_s=10)
    )
    together = asyncio.create_task(fresh_bus.publish_all(events, deadline_s=10))
    await asyncio.sleep(0.4)
    assert not fresh_bus.connected
    await fresh_server.start()
    await writing
    await together
    assert len(await fresh_bus.history(subjects.log(transfer_id), 10)) == 1
    stored = await fresh_bus.history(subjects.event(transfer_id, "gateway"), 10)
    assert [event.data for event in stored] == [event.data for event in events]
    assert len(reconnects) == 1


async def test_an_unreachable_broker_is_unavailable_at_the_deadline(
    fresh_server: EmbeddedServer, fresh_bus: Bus
) -> None:
    await fresh_server.stop(kill=True)
    started = time.monotonic()
    with pytest.raises(Unavailable):
        await fresh_bus.publish(subjects.log("a"), b"", deadline_s=0.5)
    with pytest.raises(Unavailable):
        await fresh_bus.get_last(subjects.log("a"), deadline_s=0.5)
    assert 0.9 < time.monotonic() - started < 3


async def test_nothing_acknowledged_is_lost_when_the_broker_is_killed_under_load(
    fresh_server: EmbeddedServer, fresh_bus: Bus
) -> None:
    acknowledged: list[str] = []
    stop = asyncio.Event()

    async def write(writer: int) -> None:
        n = 0
        while not stop.is_set():
            id = f"w{writer}-{n}"
            await fresh_bus.publish(subjects.request(id), id.encode(), msg_id=id, deadline_s=15)
            acknowledged.append(id)
            n += 1

    async with asyncio.TaskGroup() as group:
        for writer in range(8):
            group.create_task(write(writer))
        for _ in range(2):
            await asyncio.sleep(0.4)
            await restart(fresh_server, kill=True)
        await asyncio.sleep(0.6)
        stop.set()
    stored = [s.data.decode() for s in await fresh_bus.history("warmxfer.*.request", 100_000, deadline_s=20)]
    assert len(acknowledged) > 100
    assert set(acknowledged) <= set(stored)
    assert len(stored) == len(set(stored))


async def test_a_hook_that_fails_or_hangs_does_not_delay_other_hooks(
    fresh_server: EmbeddedServer, fresh_bus: Bus
) -> None:
    called: list[str] = []

    async def fail() -> None:
        called.append("fail")
        raise ValueError("the caller said: my pin is 1234")

    async def hang() -> None:
        called.append("hang")
        await asyncio.Event().wait()

    async def work() -> None:
        called.append("work")
        await fresh_bus.publish(subjects.log("hook"), b"")

    for hook in (fail, hang, work):
        fresh_bus.on_reconnect(hook)
    unregister = fresh_bus.on_reconnect(fail)
    unregister()
    with capture_logs() as logs:
        await restart(fresh_server, kill=True)
        deadline = time.monotonic() + 5
        while await fresh_bus.get_last(subjects.log("hook")) is None:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
    assert sorted(called) == ["fail", "hang", "work"]
    assert len(fresh_bus._connection._running_hooks) == 1, "Python may remove a task that is not referred to"
    assert [entry["event"] for entry in logs].count("bus_reconnect_hook_failed") == 1
    assert "my pin" not in repr(logs)
