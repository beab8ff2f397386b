"""A coordinator put to work, one trigger handed to it, and what came of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from warmxfer.actors.coordinator import Coordinator, CoordinatorSettings, run
from warmxfer.actors.coordinator.state_machine import Record, decode_record
from warmxfer.bus import Bus, Delivery, Stored, subjects
from warmxfer.bus.stream import STREAM

SHORT_WINDOW_S = 0.2


def request(room_id: str, **config: object) -> bytes:
    destination = {"routing_rule_id": "rr_1", "sip_call_to": "+14155550101", "sip_call_from": "+14155550100"}
    return json.dumps({"room_id": room_id, "config": {"destination": destination, **config}}).encode()


@asynccontextmanager
async def coordinating(bus: Bus, processes: int = 1) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(run(bus, CoordinatorSettings())) for _ in range(processes)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def records(bus: Bus, id: str) -> list[Record]:
    return [decode_record(each.data) for each in await bus.history(subjects.log(id), 200)]


async def deliver(bus: Bus, coordinator: Coordinator, subject: str, tries: int) -> None:
    """The last message on `subject`, as if it had been delivered so many times."""
    stored = await bus.get_last(subject)
    assert stored is not None
    _, id, kind = subject.split(".")
    await coordinator.handle(
        Delivery(id, kind, "", subject, stored.data, stored.seq, stored.at, tries, stored.headers)
    )


async def until_stored(bus: Bus, subject: str) -> Stored:
    for _ in range(250):
        if (stored := await bus.get_last(subject)) is not None:
            return stored
        await asyncio.sleep(0.02)
    raise AssertionError(f"nothing on {subject}")


async def forget_names_soon(bus: Bus) -> None:
    """The broker knows the names of messages for a moment, as it does for two minutes in life."""
    link = bus._connection
    config = (await link.api(f"STREAM.INFO.{STREAM}"))["config"]
    await link.api(f"STREAM.UPDATE.{STREAM}", {**config, "duplicate_window": int(SHORT_WINDOW_S * 1e9)})
