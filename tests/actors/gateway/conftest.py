"""Fixtures of the gateway tests: one broker and one cloud for the folder, gateways for each test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from tests.testkit.provider_sandbox import API_KEY, SECRET, TIME_SCALE, Cloud
from warmxfer.bus import Bus, BusSettings, EmbeddedServer, subjects
from warmxfer.bus.consumer_table import CONSUMERS
from warmxfer.sandbox import Settings, serve

from .gateway_fixture import ACK_WAIT_S, Bridge, GatewayHarness, build_bridge

SESSION = {"scope": "session", "loop_scope": "session"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests in the event loop of the shared broker and cloud."""
    for item in items:
        if "idle_harness" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(**SESSION)
async def broker() -> AsyncIterator[Bus]:
    """A broker that only this folder uses."""
    async with EmbeddedServer() as server:
        settings = BusSettings(url=server.url, ack_wait_s=ACK_WAIT_S)
        async with await Bus.connect(settings, name="test") as bus:
            await bus.ensure()
            yield bus


@pytest_asyncio.fixture(**SESSION)
async def clouds() -> AsyncIterator[Cloud]:
    """The shared sandbox, in the state that the last test left."""
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    settings = Settings(api_key=API_KEY, secret=SECRET, time_scale=TIME_SCALE)
    serving = asyncio.create_task(serve(settings, ready=ready.set_result, handle_signals=False))
    try:
        async with asyncio.timeout(5):
            url = await ready
        async with httpx.AsyncClient(base_url=url, timeout=5, trust_env=False) as http:
            yield Cloud(url, http)
    finally:
        serving.cancel()
        await asyncio.wait((serving,), timeout=5)


@pytest_asyncio.fixture(loop_scope="session")
async def idle_harness(clouds: Cloud, broker: Bus, transfer_id: str) -> AsyncIterator[GatewayHarness]:
    """A harness without a gateway; the cloud is reset, and no command of an earlier test is left."""
    (await clouds.http.post("/sandbox/reset")).raise_for_status()
    left = {"filter": CONSUMERS["gateway"].filter}
    await broker._connection.api(f"STREAM.PURGE.{subjects.CORE}", left)
    harness = GatewayHarness(clouds, broker, broker.settings.url, transfer_id)
    try:
        yield harness
    finally:
        await harness.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def harness(idle_harness: GatewayHarness) -> GatewayHarness:
    """A harness with one gateway."""
    idle_harness.start()
    return idle_harness


@pytest_asyncio.fixture(loop_scope="session")
async def bridge(idle_harness: GatewayHarness) -> Bridge:
    """A caller and a supervisor, both on the phone."""
    return await build_bridge(idle_harness)
