"""F1, F3, F4: an actor killed or frozen, the broker killed or restarted, with transfers at every phase."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from warmxfer.bus.stream import CONSUMERS

from ..whole.stage import Call
from .parking import at_every_phase, at_first_words
from .row import Row
from .scene import ACK_WAIT_S, Scene, rooms, scene
from .still import stopped

ROLES = ("coordinator", "gateway", "summarizer", "briefing", "primary")
FROZEN_ACK_WAITS = 2
LEASE_S = 4.0
QUEUES_THAT_EMPTY = frozenset(CONSUMERS) - {"briefing"}
"""A briefing holds its message for as long as it lasts: when that is worked off says nothing."""

Blow = Callable[[Scene, list[Call]], Awaitable[None]]


async def f1() -> AsyncIterator[Row]:
    """kill -9 of each actor, and a new one started."""
    async with scene() as here:
        for role in ROLES:

            async def killed(here: Scene, calls: list[Call], role: str = role) -> None:
                await here.house.kill(role)
                await here.house.start(role, rooms=rooms(calls) if role == "primary" else [])

            yield await _struck(here, Row("F1", f"kill -9 {role}"), killed, role)


async def f3() -> AsyncIterator[Row]:
    """SIGSTOP of each actor for twice `ack_wait` while another of its kind works, then SIGCONT."""
    async with scene() as here:
        for role in ROLES:

            async def frozen(here: Scene, calls: list[Call], role: str = role) -> None:
                with stopped(here.house.running(role)):
                    if role != "primary":
                        await here.house.start(role)
                    await asyncio.sleep(FROZEN_ACK_WAITS * ACK_WAIT_S)

            yield await _struck(here, Row("F3", f"SIGSTOP {role}"), frozen, role)
    async with scene(env={"WARMXFER_HOLD_LEASE_S": f"{LEASE_S:g}"}) as here:
        yield await _struck(here, Row("F3", "SIGSTOP primary, longer than its lease"), _outslept, "primary")


async def _outslept(here: Scene, calls: list[Call]) -> None:
    """Sessions that sleep longer than their lease must not let go of who is still being transferred, and find
    late commands of transfers that have ended: every other one is called off meanwhile."""
    with stopped(here.house.running("primary")):
        for call in calls[::2]:
            await call.transfer.cancel("the caller changed their mind")
        await asyncio.sleep(2 * LEASE_S)


async def f4() -> AsyncIterator[Row]:
    """The only broker restarted, and killed."""
    async with scene() as here:
        for how in ("SIGTERM", "kill -9"):

            async def restarted(here: Scene, calls: list[Call], how: str = how) -> None:
                await here.house.nats.restart(kill=how == "kill -9")

            yield await _struck(here, Row("F4", f"{how} broker"), restarted, "coordinator")


async def _struck(here: Scene, row: Row, blow: Blow, role: str) -> Row:
    for moment in (at_every_phase, at_first_words):
        async with moment(here, row) as calls:
            began = time.monotonic()
            await blow(here, calls)
            if role in QUEUES_THAT_EMPTY:
                row.recovered(await here.recovery(began, role))
            await here.judge(row, calls)
        await here.calm()
    return row
