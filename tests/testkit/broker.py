"""The broker that the tests share: a running one, one in a container, or the embedded binary.

`NATS_URL` names a running one. Otherwise it runs in a container if a container engine replies, and embedded
if not. `WARMXFER_TEST_NATS=container` or `=embedded` decides it.
"""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from typing import Literal

import docker
import pytest
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from warmxfer.bus import EmbeddedServer

CONTAINER_IMAGE = "nats:2.14.3-alpine"
NATS_PORT = 4222
ENGINE_TIMEOUT_S = 2
"""Time for a container engine to reply. A missing engine is known at once."""

Kind = Literal["given", "container", "embedded"]


def kind_of_broker(env: Mapping[str, str]) -> Kind:
    """Return which broker the tests share. Raises UsageError for an invalid choice."""
    if env.get("NATS_URL"):
        return "given"
    match env.get("WARMXFER_TEST_NATS", ""):
        case "":
            return "container" if engine_answers(env) else "embedded"
        case "container" | "embedded" as chosen:
            return chosen
        case other:
            raise pytest.UsageError(f"WARMXFER_TEST_NATS is {other!r}; use container or embedded")


def engine_answers(env: Mapping[str, str]) -> bool:
    """Return True if a container engine replies, found as testcontainers finds it."""
    try:
        client = docker.from_env(timeout=ENGINE_TIMEOUT_S, environment=dict(env))
    except docker.errors.DockerException:
        return False
    try:
        return client.ping()
    except (docker.errors.DockerException, OSError):
        return False
    finally:
        client.close()


@asynccontextmanager
async def broker(env: Mapping[str, str]) -> AsyncIterator[str]:
    """Yield the address of the broker."""
    kind = kind_of_broker(env)
    with ExitStack() as stack:
        container = _started(stack, must=bool(env.get("WARMXFER_TEST_NATS"))) if kind == "container" else None
        if kind == "given":
            yield env["NATS_URL"]
        elif container is not None:
            yield f"nats://{container.get_container_host_ip()}:{container.get_exposed_port(NATS_PORT)}"
        else:
            async with EmbeddedServer() as server:
                yield server.url


def _started(stack: ExitStack, *, must: bool) -> DockerContainer | None:
    """Start the container.

    Returns None, with a warning, if the engine cannot run the image, unless it `must`.
    """
    container = DockerContainer(CONTAINER_IMAGE).with_command("-js").with_exposed_ports(NATS_PORT)
    container = container.waiting_for(LogMessageWaitStrategy("Server is ready"))
    try:
        return stack.enter_context(container)
    except (docker.errors.DockerException, OSError) as error:
        if must:
            raise
        warnings.warn(f"{CONTAINER_IMAGE} does not run here, so nats is embedded: {error}", stacklevel=1)
        return None
