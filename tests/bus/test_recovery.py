"""Streams and consumers that vanish come back while the workers live, and no message is lost or replayed.

Before recovery existed, a deleted consumer or stream stopped all work until a worker was restarted. Without
`StreamRecovery.ensure`, each test here that waits for a message times out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.testkit.nats_server import ConfiguredServer
from warmxfer.bus import (
    Bus,
    BusSettings,
    Delivery,
    EmbeddedServer,
    LiveMessage,
    Worker,
    subjects,
)
from warmxfer.bus import stream as stream_module
from warmxfer.bus.messages import ConsumerMessage
from warmxfer.bus.pull_consumer import PullConsumer
from warmxfer.bus.subjects import CORE, EVENTS, stored_filters

from .losses import (
    SOME_CONSUMERS,
    WORK_GOES_ON_S,
    Received,
    api,
    delete_consumer,
    delete_stream,
    delete_streams,
    empty_disk,
    purge_stream,
    role_of,
    subject_for,
    until,
)

LOSSES: dict[str, Callable[[Bus, str], Awaitable[None]]] = {
    "its consumer deleted": delete_consumer,
    "its stream deleted": delete_stream,
    "every stream deleted": delete_streams,
    "its stream purged": purge_stream,
}


@pytest.mark.parametrize("consumer", SOME_CONSUMERS)
@pytest.mark.parametrize("loss", LOSSES)
async def test_a_worker_goes_on_after(fresh_bus: Bus, consumer: str, loss: str) -> None:
    """A coordinator runs beside each worker, because only it creates a lost stream."""
    received, coordinated = Received(), Received()
    await fresh_bus.publish(subject_for(consumer, "before"), b"")
    async with (
        await Bus.connect(fresh_bus.settings, name="coordinator") as second,
        Worker(second, "coordinator", coordinated, jobs=1),
        Worker(fresh_bus, role_of(consumer), received, jobs=2),
    ):
        both = received.ids, coordinated.ids
        await until(lambda: any(ids["before"] for ids in both))
        await LOSSES[loss](fresh_bus, consumer)
        await fresh_bus.publish(subject_for(consumer, "after"), b"", deadline_s=WORK_GOES_ON_S)
        await until(lambda: any(ids["after"] for ids in both))
        await until(lambda: not fresh_bus.readiness.failing())


@pytest.mark.parametrize("consumer", SOME_CONSUMERS)
async def test_a_worker_goes_on_after_the_broker_lost_its_disk(consumer: str, tmp_path: Path) -> None:
    received, coordinated = Received(), Received()
    store = tmp_path / "store"
    async with EmbeddedServer(store_dir=store) as server:
        settings = BusSettings(url=server.url, ack_wait_s=0.5)
        async with (
            await Bus.connect(settings, name="worker") as bus,
            await Bus.connect(settings, name="coordinator") as second,
        ):
            await second.ensure()
            async with (
                Worker(second, "coordinator", coordinated, jobs=1),
                Worker(bus, role_of(consumer), received, jobs=2),
            ):
                both = received.ids, coordinated.ids
                await bus.publish(subject_for(consumer, "before"), b"")
                await until(lambda: any(ids["before"] for ids in both))
                await empty_disk(server, store)
                await bus.publish(subject_for(consumer, "after"), b"", deadline_s=WORK_GOES_ON_S)
                await until(lambda: any(ids["after"] for ids in both))
                await until(lambda: not bus.readiness.failing())


class CountingRecovery:
    """A recovery that finds everything in order, and counts how often it was asked to look."""

    def __init__(self) -> None:
        self.looked = 0
        self.problem: str | None = None

    async def ensure(self, consumer: str) -> str | None:
        self.looked += 1
        return None

    async def remember_floor(self, consumer: str) -> str | None:
        problem, self.problem = self.problem, None
        return problem

    def is_refused(self, consumer: str) -> bool:
        return False


async def test_a_consumer_that_is_missing_is_found_although_the_broker_dropped_the_pull(
    fresh_bus: Bus,
) -> None:
    """nats-server answers no pull that is in the queue of a consumer while that is deleted."""
    recovery = CountingRecovery()
    recovery.problem = "stream WARMXFER_CORE has no consumer gateway"
    consumer = PullConsumer(fresh_bus._connection, recovery, "gateway", NoMessages(), 1)
    await consumer.start()
    await until(lambda: recovery.looked == 1)
    await consumer.stop()


class NoMessages:
    in_flight = 0

    def accept(self, message: ConsumerMessage) -> None:
        raise AssertionError("no message was published")

    def holds(self, message: ConsumerMessage) -> bool:
        return False


async def test_a_failed_write_and_a_reconnect_are_reasons_to_look_after_the_consumer(fresh_bus: Bus) -> None:
    recovery = CountingRecovery()
    consumer = PullConsumer(fresh_bus._connection, recovery, "gateway", NoMessages(), 1)
    await consumer.start()
    await asyncio.sleep(0.5)
    assert recovery.looked == 0
    fresh_bus._connection.missing_reports += 1
    await until(lambda: recovery.looked == 1)
    await fresh_bus._connection._on_reconnect()
    await until(lambda: recovery.looked == 2)
    await asyncio.sleep(0.5)
    await consumer.stop()
    assert recovery.looked == 2


async def test_a_busy_coordinator_whose_window_is_full_creates_the_stream_again(fresh_bus: Bus) -> None:
    """It has no open pull, so only its own publish learns that the stream is gone.

    Without the reading of the floor and without `missing_reports` the publish fails at its deadline.
    """
    begun, gone = asyncio.Event(), asyncio.Event()
    stored: list[int] = []

    async def handle(delivery: Delivery) -> None:
        begun.set()
        await gone.wait()
        stored.append(await fresh_bus.publish(subjects.log("t1"), b"", deadline_s=WORK_GOES_ON_S))

    await fresh_bus.publish(subjects.event("t1", "gateway"), b"")
    async with Worker(fresh_bus, "coordinator", handle, jobs=1):
        await asyncio.wait_for(begun.wait(), 5)
        await delete_stream(fresh_bus, "timeouts-0")
        gone.set()
        await until(lambda: bool(stored))


async def test_a_worker_without_a_coordinator_waits_for_the_stream_and_says_so(
    fresh_server: EmbeddedServer,
) -> None:
    """Only a coordinator creates a lost stream. The other roles may lack the right."""
    received = Received()
    settings = BusSettings(url=fresh_server.url)
    with capture_logs() as logs:
        async with (
            await Bus.connect(settings, name="worker") as bus,
            Worker(bus, "gateway", received, jobs=1),
        ):
            missing = f"The broker at {fresh_server.url} has no stream {CORE}; start a coordinator, "
            await until(lambda: any(missing in line for line in bus.readiness.failing()))
            async with (
                await Bus.connect(settings, name="coordinator") as second,
                Worker(second, "coordinator", Received(), jobs=1),
            ):
                await second.publish(subjects.work_queue("t1", "gateway"), b"", deadline_s=WORK_GOES_ON_S)
                await until(lambda: received.ids["t1"] == 1)
                await until(lambda: not bus.readiness.failing())
    awaited = [entry for entry in logs if entry["event"] == "consumer_awaited"]
    assert {(entry["consumer"], entry["log_level"]) for entry in awaited} == {("gateway", "warning")}


async def change_stream(bus: Bus, **fields: object) -> None:
    """Change the stream as an operator does, past the checks of warmxfer."""
    info = await bus._connection.api(f"STREAM.INFO.{EVENTS}")
    await api(bus, f"STREAM.UPDATE.{EVENTS}", info["config"] | fields)


async def reconnect(bus: Bus, server: EmbeddedServer) -> None:
    """Restart the broker on its disk, and wait until `bus` is connected again."""
    await server.stop()
    await until(lambda: not bus.connected)
    await server.start()
    await until(lambda: bus.connected)


@pytest.mark.parametrize("lost", [False, True], ids=["its consumer there", "its consumer deleted"])
@pytest.mark.parametrize(
    ("field", "remedy"),
    [("max_bytes", "--max-bytes=-1"), ("max_msgs", "--max-msgs=-1")],
)
async def test_a_limit_that_is_set_on_the_live_stream_stops_no_coordinator(
    field: str, remedy: str, lost: bool, tmp_path: Path
) -> None:
    """The stream and its consumer exist, so running transfers go on. The readiness says what is wrong.

    If the limit counts as a missing consumer, no message is handled until an operator removes it.
    """
    received = Received()
    async with EmbeddedServer(store_dir=tmp_path / "store") as server:
        settings = BusSettings(url=server.url)
        with capture_logs() as logs:
            async with await Bus.connect(settings, name="coordinator") as bus:
                await bus.ensure()
                async with Worker(bus, "coordinator", received, jobs=1):
                    await bus.publish(subjects.event("before", "gateway"), b"")
                    await until(lambda: received.ids["before"] == 1)
                    await change_stream(bus, **{field: 50_000_000})
                    if lost:
                        await delete_consumer(bus, "events-0")
                    await reconnect(bus, server)
                    await until(lambda: bool(refusals(bus)))
                    assert f"{field} of stream {EVENTS} is 50000000" in refusals(bus)[0]
                    assert remedy in refusals(bus)[0]
                    for n in range(3):
                        await bus.publish(
                            subjects.event(f"after{n}", "gateway"), b"", deadline_s=WORK_GOES_ON_S
                        )
                        await until(lambda n=n: received.ids[f"after{n}"] == 1)
                    await until(lambda: len(bus.readiness.failing()) == 1)
                    await change_stream(bus, **{field: -1})
                    await until(lambda: not bus.readiness.failing())
    assert [entry["event"] for entry in logs].count("stream_refused") == 1


def refusals(bus: Bus) -> list[str]:
    return [line for line in bus.readiness.failing() if line.startswith("stream: ")]


async def test_a_stream_that_cannot_be_updated_stops_no_coordinator(
    fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The storage of a stream cannot be changed in place, so this update is refused."""
    received = Received()
    define = stream_module.stream_definition

    def in_memory(name: str, settings: BusSettings) -> dict[str, Any]:
        return define(name, settings) | ({"storage": "memory"} if name == EVENTS else {})

    async with Worker(fresh_bus, "coordinator", received, jobs=1):
        monkeypatch.setattr(stream_module, "stream_definition", in_memory)
        await fresh_bus._connection._on_reconnect()
        await until(lambda: bool(refusals(fresh_bus)))
        assert "storage='file'" in refusals(fresh_bus)[0]
        await fresh_bus.publish(subjects.event("after", "gateway"), b"")
        await until(lambda: received.ids["after"] == 1)
        await until(lambda: len(fresh_bus.readiness.failing()) == 1)


async def test_a_subject_that_the_live_stream_lacks_is_added_again(fresh_bus: Bus) -> None:
    """The consumer is there, and a publish fails. So the check of the stream also updates it."""
    received = Received()
    async with Worker(fresh_bus, "coordinator", received, jobs=1):
        await change_stream(fresh_bus, subjects=list(stored_filters(EVENTS)[1:]))
        await fresh_bus._connection._on_reconnect()
        await until(lambda: not fresh_bus.readiness.failing())

        async def stored() -> list[str]:
            return (await fresh_bus._connection.api(f"STREAM.INFO.{EVENTS}"))["config"]["subjects"]

        async with asyncio.timeout(WORK_GOES_ON_S):
            while set(await stored()) != set(stored_filters(EVENTS)):
                await asyncio.sleep(0.02)


async def test_readiness_is_false_while_nothing_answers_a_pull(fresh_bus: Bus) -> None:
    """The socket is up all the time: readiness comes from what the consumer received."""
    async with Worker(fresh_bus, "gateway", Received(), jobs=1):
        await until(lambda: not fresh_bus.readiness.failing())
        await delete_stream(fresh_bus, "gateway")
        await until(lambda: bool(fresh_bus.readiness.failing()))
        assert fresh_bus.connected
        # On a busy machine the silence may be noticed before the reason is known.
        await until(lambda: fresh_bus.readiness.failing()[0].startswith("consumer gateway: The broker at "))
        await fresh_bus.ensure()
        await until(lambda: not fresh_bus.readiness.failing())
    assert fresh_bus.readiness.failing() == []


async def test_a_worker_with_a_full_window_is_ready(fresh_bus: Bus) -> None:
    """It has no open pull, so it receives no heartbeat. It works all the same."""
    begun, release = asyncio.Event(), asyncio.Event()

    async def handle(_: Delivery) -> None:
        begun.set()
        await release.wait()

    await fresh_bus.publish(subjects.work_queue("t1", "briefing"), b"")
    worker = Worker(fresh_bus, "briefing", handle, jobs=1, progress=True)
    async with worker:
        await asyncio.wait_for(begun.wait(), 5)
        worker._consumers._pullers["briefing"]._last_seen_at -= 3_600
        assert fresh_bus.readiness.failing() == []
        release.set()


async def test_a_handler_whose_message_is_gone_ends_without_an_error(fresh_bus: Bus) -> None:
    """Its acknowledgement, rejection or dead letter goes to a consumer that does not exist."""
    begun: list[str] = []
    release = asyncio.Event()

    async def handle(delivery: Delivery) -> None:
        begun.append(delivery.transfer_id)
        await release.wait()
        if delivery.transfer_id == "raises":
            raise ValueError("boom")

    for id in ("returns", "raises"):
        await fresh_bus.publish(subjects.work_queue(id, "gateway"), b"")
    async with (
        Worker(fresh_bus, "coordinator", Received(), jobs=1),
        Worker(fresh_bus, "gateway", handle, jobs=3) as worker,
    ):
        await until(lambda: len(begun) == 2)
        await delete_stream(fresh_bus, "gateway")
        release.set()
        await until(lambda: worker.in_flight == 0)
        await fresh_bus.publish(subjects.work_queue("after", "gateway"), b"", deadline_s=WORK_GOES_ON_S)
        await until(lambda: "after" in begun)


async def test_live_subscriptions_requests_and_replies_go_on_after_the_broker_lost_its_disk(
    tmp_path: Path,
) -> None:
    store = tmp_path / "store"
    async with EmbeddedServer(store_dir=store) as server:
        settings = BusSettings(url=server.url)

        async def echo(message: LiveMessage) -> bytes:
            return message.data

        async with (
            await Bus.connect(settings, name="one") as bus,
            await Bus.connect(settings, name="two") as other,
            bus.serve("warmxfer.ask.echo", echo),
            bus.subscribe(subjects.phase("t1")) as phases,
        ):
            await other.ensure()
            await empty_disk(server, store)
            await until(lambda: bus.connected and other.connected)
            await other.ensure()
            await other.publish(subjects.phase("t1"), b"after")
            message = await phases.next(WORK_GOES_ON_S)
            assert message is not None
            assert message.data == b"after"
            assert await other.request("warmxfer.ask.echo", b"hello", WORK_GOES_ON_S) == b"hello"


DENIED = """
accounts {{
  APP {{ jetstream: enabled, users: [
    {{ user: all, password: all }}
    {{ user: limited, password: limited, permissions: {{
      publish: {{ deny: ["$JS.API.STREAM.>", "$JS.API.CONSUMER.CREATE.>", "$JS.API.CONSUMER.INFO.>"] }} }} }}
  ] }}
}}
""".replace("{{", "{").replace("}}", "}")


async def test_a_worker_that_may_not_create_its_consumer_uses_one_that_appears() -> None:
    """It may not even look at it. So after a refusal it pulls, and the answer shows whether there is one."""
    received = Received()
    async with ConfiguredServer(extra=DENIED) as server:
        everything = BusSettings(url=server.url, user="all", password="all")
        limited = BusSettings(url=server.url, user="limited", password="limited")
        async with await Bus.connect(everything, name="all") as bus:
            await bus.ensure()
            async with (
                await Bus.connect(limited, name="limited") as restricted,
                Worker(restricted, "gateway", received, jobs=1),
            ):
                await until(lambda: not restricted.readiness.failing())
                await delete_consumer(bus, "gateway")
                await until(lambda: bool(restricted.readiness.failing()))
                await bus.ensure()
                await bus.publish(subjects.work_queue("t1", "gateway"), b"")
                await until(lambda: received.ids["t1"] == 1)
