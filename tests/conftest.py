"""What every test may ask for: a broker, a bus on it, an id nobody used before.

The broker is real, one for the whole session (`broker.py` says which). Tests share it and keep apart by fresh
ids; whoever needs the stream for itself, or kills the broker, asks for `fresh_server` or `fresh_bus`, which
are embedded.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator

import hypothesis
import pytest
import pytest_asyncio

from warmxfer.bus import Bus, BusSettings, EmbeddedServer

from .testkit.broker import broker
from .testkit.provider_sandbox import cloud as cloud

# The same examples every time and no stop-watch on them: a busy machine is no reason to fail.
hypothesis.settings.register_profile(
    "same-everywhere",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("same-everywhere")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def nats_url() -> AsyncIterator[str]:
    """The address of the broker all tests share."""
    async with broker(os.environ) as url:
        yield url


@pytest.fixture
def transfer_id() -> str:
    """An id no other test uses."""
    return f"t-{secrets.token_hex(8)}"


@pytest.fixture
def settings(nats_url: str) -> BusSettings:
    """Settings for the shared broker."""
    return BusSettings(url=nats_url)


@pytest_asyncio.fixture
async def bus(settings: BusSettings) -> AsyncIterator[Bus]:
    """A bus on the shared broker, with the stream there."""
    async with await Bus.connect(settings, name="test") as bus:
        await bus.ensure()
        yield bus


@pytest_asyncio.fixture
async def fresh_server() -> AsyncIterator[EmbeddedServer]:
    """A broker for one test alone."""
    async with EmbeddedServer() as server:
        yield server


@pytest_asyncio.fixture
async def fresh_bus(fresh_server: EmbeddedServer) -> AsyncIterator[Bus]:
    """A bus on a broker for one test alone, with an empty stream and a short `ack_wait`."""
    async with await Bus.connect(BusSettings(url=fresh_server.url, ack_wait_s=0.5), name="test") as bus:
        await bus.ensure()
        yield bus
