"""Waits until the broker has nothing left for a role. Also the dead letters of a transfer, and a bus."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from tests.testkit import waiting
from warmxfer.bus import Bus, BusSettings, EmbeddedServer, subjects
from warmxfer.bus.consumer_table import CONSUMERS, consumers_of

ACK_WAIT_S = 0.5
PROGRESS_ACK_WAIT_S = 2.5
"""Half of it is time for a busy machine to report progress."""
PATIENT_ACK_WAIT_S = 30.0
"""No test lasts that long: the broker redelivers nothing by itself."""
PATIENCE_S = 30.0
until = partial(waiting.until, within_s=PATIENCE_S)


@asynccontextmanager
async def open_bus(server: EmbeddedServer, ack_wait_s: float) -> AsyncIterator[Bus]:
    """A bus on `server`, with the streams created."""
    settings = BusSettings(url=server.url, ack_wait_s=ack_wait_s)
    async with await Bus.connect(settings, name="test") as bus:
        await bus.ensure()
        yield bus


async def unsettled(bus: Bus, role: str) -> int:
    """Return how many messages the broker still has for `role`, to deliver or to be acknowledged."""
    infos = [
        await bus._connection.api(f"CONSUMER.INFO.{CONSUMERS[consumer].stream}.{consumer}")
        for consumer in consumers_of(role)
    ]
    never_delivered = all(info["delivered"]["consumer_seq"] == 0 for info in infos)
    return sum(info["num_pending"] + info["num_ack_pending"] for info in infos) + never_delivered


async def settled(bus: Bus, role: str, within_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + within_s
    while await unsettled(bus, role):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def dead_letters(bus: Bus, id: str) -> list[dict[str, Any]]:
    return [json.loads(stored.data) for stored in await bus.history(subjects.dead_letter(id), 100)]
