"""What every test may ask for: a broker, a bus on it, an id nobody used before.

The broker is real. `NATS_URL` names one to use, `WARMXFER_TEST_NATS=container` runs one in a container, else
it is an embedded nats-server for the whole session. Tests share it and keep apart by fresh ids; whoever
needs the stream for itself, or kills the broker, asks for `fresh_server` or `fresh_bus`.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator

import hypothesis
import pytest
import pytest_asyncio

from warmxfer.bus import Bus, BusSettings, EmbeddedServer

CONTAINER_IMAGE = "nats:2.14-alpine"
NATS_PORT = 4222

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
    given = os.environ.get("NATS_URL")
    if given:
        yield given
    elif os.environ.get("WARMXFER_TEST_NATS") == "container":
        async for url in _container():
            yield url
    else:
        async with EmbeddedServer() as server:
            yield server.url


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


async def _container() -> AsyncIterator[str]:
    docker = pytest.importorskip("docker")
    container_module = pytest.importorskip("testcontainers.core.container")
    waiting = pytest.importorskip("testcontainers.core.wait_strategies")
    try:
        docker.from_env(timeout=5).ping()
    except docker.errors.DockerException as error:
        pytest.skip(f"no container engine: {error}")
    container = (
        container_module.DockerContainer(CONTAINER_IMAGE)
        .with_command("-js")
        .with_exposed_ports(NATS_PORT)
        .waiting_for(waiting.LogMessageWaitStrategy("Server is ready"))
    )
    with container:
        yield f"nats://{container.get_container_host_ip()}:{container.get_exposed_port(NATS_PORT)}"
