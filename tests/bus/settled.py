"""Waits until the broker has nothing left for a role. And the dead letters of a transfer."""

from __future__ import annotations

import asyncio
import json
import time
from functools import partial
from typing import Any

from tests.testkit import waiting
from warmxfer.bus import Bus, subjects
from warmxfer.bus.consumer_table import CONSUMERS, consumers_of

ACK_WAIT_S = 0.5
until = partial(waiting.until, within_s=5.0)


async def unsettled(bus: Bus, role: str) -> int:
    """Return how many messages the broker still has for `role`, to deliver or to be acknowledged."""
    infos = [
        await bus._connection.api(f"CONSUMER.INFO.{CONSUMERS[consumer].stream}.{consumer}")
        for consumer in consumers_of(role)
    ]
    never_delivered = all(info["delivered"]["consumer_seq"] == 0 for info in infos)
    return sum(info["num_pending"] + info["num_ack_pending"] for info in infos) + never_delivered


async def settled(bus: Bus, role: str, within_s: float = 5.0) -> None:
    deadline = time.monotonic() + within_s
    while await unsettled(bus, role):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def dead_letters(bus: Bus, id: str) -> list[dict[str, Any]]:
    return [json.loads(stored.data) for stored in await bus.history(subjects.dead_letter(id), 100)]
