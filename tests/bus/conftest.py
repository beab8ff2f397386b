"""A bus whose broker redelivers nothing by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from warmxfer.bus import Bus, EmbeddedServer

from .settled import PATIENT_ACK_WAIT_S, open_bus


@pytest_asyncio.fixture
async def patient_bus(fresh_server: EmbeddedServer) -> AsyncIterator[Bus]:
    """A bus on a broker for this test only, with an empty stream and an `ack_wait` that no test lasts."""
    async with open_bus(fresh_server, PATIENT_ACK_WAIT_S) as bus:
        yield bus
