"""Fixtures for every test: a broker, a bus on it, and a transfer id that no other test uses.

The broker is real. All tests of a session share it (`testkit/broker.py` chooses it) and use ids of their own.
A test that needs an empty stream, or kills the broker, uses `fresh_server` or `fresh_bus`, which are
embedded.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import pytest_asyncio
import structlog

from warmxfer.bus import Bus, BusSettings, EmbeddedServer

from .testkit.broker import broker
from .testkit.file_order import spread
from .testkit.provider_sandbox import cloud as cloud

# The same examples on every run and no deadline: a busy machine must not fail a test.
hypothesis.settings.register_profile(
    "same-everywhere",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("same-everywhere")

TESTS = Path(__file__).resolve().parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files into the order in which they are handed out."""
    order = {
        path: at for at, path in enumerate(spread(list(dict.fromkeys(each.path for each in items)), TESTS))
    }
    items.sort(key=lambda each: order[each.path])


@pytest.fixture(scope="session", autouse=True)
def uncached_loggers() -> Iterator[None]:
    """A logger that keeps its output would write into the closed output of the test that set logging up."""
    configure = structlog.configure

    def without_cache(**settings: Any) -> None:
        configure(**{**settings, "cache_logger_on_first_use": False})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(structlog, "configure", without_cache)
        yield


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def nats_url() -> AsyncIterator[str]:
    """The address of the broker that all tests share."""
    async with broker(os.environ) as url:
        yield url


@pytest.fixture
def transfer_id() -> str:
    """A transfer id that no other test uses."""
    return f"t-{secrets.token_hex(8)}"


@pytest.fixture
def settings(nats_url: str) -> BusSettings:
    """Settings for the shared broker."""
    return BusSettings(url=nats_url)


@pytest_asyncio.fixture
async def bus(settings: BusSettings) -> AsyncIterator[Bus]:
    """A bus on the shared broker, with the stream created."""
    async with await Bus.connect(settings, name="test") as bus:
        await bus.ensure()
        yield bus


@pytest_asyncio.fixture
async def fresh_server() -> AsyncIterator[EmbeddedServer]:
    """A broker for this test only."""
    async with EmbeddedServer() as server:
        yield server


@pytest_asyncio.fixture
async def fresh_bus(fresh_server: EmbeddedServer) -> AsyncIterator[Bus]:
    """A bus on a broker for this test only, with an empty stream and a short `ack_wait`."""
    async with await Bus.connect(BusSettings(url=fresh_server.url, ack_wait_s=0.5), name="test") as bus:
        await bus.ensure()
        yield bus
