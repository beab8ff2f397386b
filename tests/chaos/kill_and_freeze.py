"""F1, F3, F4: an actor killed or frozen, the broker killed or restarted, with transfers at every phase."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from tests.e2e.stack_fixture import Call
from tests.testkit.nats_server import restart
from warmxfer.bus.stream import CONSUMERS

from .pause import stopped
from .people import gone
from .report_row import Row
from .scenario import ACK_WAIT_S, Scene, rooms, scene
from .stage_barrier import at_every_phase, at_first_words

ROLES = ("coordinator", "gateway", "summarizer", "briefing", "primary")
FROZEN_ACK_WAITS, LONG_FROZEN_ACK_WAITS = 2, 10
FROZEN_LONG = ("coordinator", "gateway")
AWAY_S = (30.0, 60.0)
"""Longer than the lease of a session, 20 s unless set, with all that it takes to let go."""
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
    """SIGSTOP of each actor for two `ack_wait`s, of some for ten, while another works; then SIGCONT."""
    async with scene() as here:
        for role in ROLES:
            yield await _struck(here, Row("F3", f"SIGSTOP {role}"), _frozen(role, FROZEN_ACK_WAITS), role)
        for role in FROZEN_LONG:
            row = Row("F3", f"SIGSTOP {role} for {LONG_FROZEN_ACK_WAITS} ack_waits")
            yield await _struck(here, row, _frozen(role, LONG_FROZEN_ACK_WAITS), role)
    async with scene(env={"WARMXFER_HOLD_LEASE_S": f"{LEASE_S:g}"}) as here:
        yield await _struck(here, Row("F3", "SIGSTOP primary, longer than its lease"), _outslept, "primary")


def _frozen(role: str, ack_waits: int) -> Blow:
    async def frozen(here: Scene, calls: list[Call]) -> None:
        with stopped(here.house.running(role)):
            if role != "primary":
                await here.house.start(role)
            await asyncio.sleep(ack_waits * ACK_WAIT_S)

    return frozen


async def _outslept(here: Scene, calls: list[Call]) -> None:
    """Sessions that sleep longer than their lease must not let go of who is still being transferred, and find
    late commands of transfers that have ended: every other one is called off meanwhile."""
    with stopped(here.house.running("primary")):
        for call in calls[::2]:
            await call.transfer.cancel("the caller changed their mind")
        await asyncio.sleep(2 * LEASE_S)


async def f4() -> AsyncIterator[Row]:
    """The only broker restarted, and killed; then killed, and away for longer than any hold lasts."""
    async with scene() as here:
        for how in ("SIGTERM", "kill -9"):

            async def restarted(here: Scene, calls: list[Call], how: str = how) -> None:
                await restart(here.house.nats, kill=how == "kill -9")

            yield await _struck(here, Row("F4", f"{how} broker"), restarted, "coordinator")
        for away_s in AWAY_S:
            yield await _away(here, Row("F4", f"broker down for {away_s:g} s"), away_s)
        row = Row("F4", f"broker down for {AWAY_S[0]:g} s, and every supervisor hangs up meanwhile")
        yield await _away(here, row, AWAY_S[0], deserted=True)


async def _away(here: Scene, row: Row, away_s: float, *, deserted: bool = False) -> Row:
    """`deserted`: whoever has answered hangs up halfway; a caller moved to them has to come back."""
    async with at_every_phase(here, row) as calls:
        await here.house.nats.stop(kill=True)
        await asyncio.sleep(away_s / 2)
        if deserted:
            await asyncio.gather(*(gone(here, "the supervisor", call) for call in calls))
        await asyncio.sleep(away_s / 2)
        await here.house.nats.start()
        row.recovered(await here.recovery(time.monotonic(), "coordinator"))
        await here.judge(row, calls)
    await here.calm()
    return row


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
