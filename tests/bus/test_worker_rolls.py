"""A worker that stops loses no message: another one handles the next message at once.

The time after which the broker would deliver a lost message again is 30 s here. So a loss is unmistakable.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from tests.testkit.secured_cluster import SERVERS, secured_cluster
from warmxfer.bus import Bus, BusSettings, Delivery, EmbeddedServer, Worker, subjects

ACK_WAIT_S = 30.0
SOON_S = 10.0
STOPS = 6

Connect = Callable[[str, int], Awaitable[Bus]]


class Roll:
    """Two workers of the gateway's role. One of them is replaced again and again."""

    def __init__(self, connect: Connect, consumer: str = "gateway") -> None:
        self._connect = connect
        self._consumer = consumer
        self.handled: asyncio.Queue[str] = asyncio.Queue()

    async def handle(self, delivery: Delivery) -> None:
        self.handled.put_nowait(delivery.transfer_id)

    @asynccontextmanager
    async def process(self, server: int) -> AsyncIterator[Worker]:
        """Run a worker on a connection of its own, as a process does."""
        async with (
            await self._connect("gateway", server) as bus,
            Worker(bus, self._consumer, self.handle, jobs=8) as worker,
        ):
            yield worker

    async def expect(self, id: str) -> None:
        """Wait until `id` is handled. Fails if that takes longer than `SOON_S`."""
        async with asyncio.timeout(SOON_S):
            while await self.handled.get() != id:
                pass


@asynccontextmanager
async def one_server() -> AsyncIterator[Connect]:
    async with EmbeddedServer() as server:

        async def connect(user: str, at: int) -> Bus:
            return await Bus.connect(BusSettings(url=server.url, ack_wait_s=ACK_WAIT_S), name=user)

        async with await connect("deploy", 0) as bus:
            await bus.ensure()
        yield connect


@asynccontextmanager
async def three_servers() -> AsyncIterator[Connect]:
    async with secured_cluster(ack_wait_s=ACK_WAIT_S) as cluster:
        yield cluster.connect


@pytest.mark.parametrize("brokers", [one_server, three_servers])
async def test_a_command_after_a_stop_is_handled_at_once(
    brokers: Callable[[], AsyncIterator[Connect]],
) -> None:
    async with brokers() as connect, AsyncExitStack() as stack:
        roll = Roll(connect)
        coordinator = await stack.enter_async_context(await connect("coordinator", 0))
        await stack.enter_async_context(roll.process(0))
        for stop in range(STOPS):
            async with roll.process(stop % SERVERS):
                await coordinator.publish(subjects.work_queue(f"t-{stop}-before", "gateway"), b"{}")
                await roll.expect(f"t-{stop}-before")
            for at in range(3):
                await coordinator.publish(subjects.work_queue(f"t-{stop}-{at}", "gateway"), b"{}")
                await roll.expect(f"t-{stop}-{at}")
