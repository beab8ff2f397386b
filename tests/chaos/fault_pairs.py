"""F19: two faults at once, drawn by chance from all that can be done to a running house."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable

from tests.e2e.stack_fixture import Call
from warmxfer.cli.local_stack.stack import ROLES
from warmxfer.schemas import WarmTransferPhase as Phase

from .cloud import OPERATIONS, PROVIDER
from .pause import stopped
from .people import gone
from .report_row import Row
from .scenario import Scene, rooms, scene

PAIRS = 12
TRANSFERS = 3
DOWN_S = 1.0
FROZEN_S = 4.0
APART_S = 0.5
"""How long after the first the second strikes, at most: the first still lasts by then."""

CONFIG = {"command_timeout_s": 20, "supervisor_join_timeout_s": 30, "briefing_timeout_s": 30}
STRIKES_AT = tuple(phase for phase in Phase if not phase.final)
SEEN = frozenset(PROVIDER) - {"execute_twice", "execute_late by 30 s"}
"""A cloud that itself does things twice would hide that we did; what outlasts its pair is not looked at."""

Blow = Callable[[Scene, list[Call]], Awaitable[None]]


async def f19(chance: random.Random) -> AsyncIterator[Row]:
    """For each pair some transfers, struck when the first of them comes to a phase drawn by chance."""
    async with scene() as here:
        for _ in range(PAIRS):
            # Of two kinds, so that the many ways in which a provider fails do not crowd out the rest.
            first, second = (chance.choice(sorted(kind)) for kind in chance.sample(KINDS, 2))
            phase, apart_s = chance.choice(STRIKES_AT), chance.uniform(0, APART_S)
            row = Row("F19", f"{first}, then {second}, at {phase.value}", cells=1)
            callers = await here.stage.callers(TRANSFERS)
            calls = [await here.stage.begin(caller, **CONFIG) for caller in callers]
            await _reached(calls[0], phase)
            await asyncio.gather(BLOWS[first](here, calls), _later(apart_s, BLOWS[second](here, calls)))
            await here.judge(row, calls)
            await here.calm()
            yield row


def _killed(role: str) -> Blow:
    async def blow(here: Scene, calls: list[Call]) -> None:
        await here.house.kill(role)
        await asyncio.sleep(DOWN_S)
        await here.house.start(role, rooms=rooms(calls) if role == "primary" else [])

    return blow


def _frozen(role: str) -> Blow:
    async def blow(here: Scene, calls: list[Call]) -> None:
        with stopped(here.house.running(role)):
            await asyncio.sleep(FROZEN_S)

    return blow


def _provider(name: str) -> Blow:
    async def blow(here: Scene, calls: list[Call]) -> None:
        kind, more = PROVIDER[name]
        for match in OPERATIONS.values():
            await here.stage.fault(kind, match, **more)

    return blow


def _webhooks(kind: str) -> Blow:
    async def blow(here: Scene, calls: list[Call]) -> None:
        await here.stage.fault(kind, {"webhook": "*"}, times=0)

    return blow


async def _broker_killed(here: Scene, calls: list[Call]) -> None:
    await here.house.nats.stop(kill=True)
    await asyncio.sleep(DOWN_S)
    await here.house.nats.start()


async def _caller_gone(here: Scene, calls: list[Call]) -> None:
    await gone(here, "the caller", calls[0])


async def _supervisor_gone(here: Scene, calls: list[Call]) -> None:
    await gone(here, "the supervisor", calls[0])


KINDS: tuple[dict[str, Blow], ...] = (
    {"broker killed": _broker_killed},
    {"caller hangs up": _caller_gone, "supervisor hangs up": _supervisor_gone},
    {f"{role} killed": _killed(role) for role in (*ROLES, "primary")},
    {f"{role} frozen": _frozen(role) for role in (*ROLES, "primary")},
    {f"provider {name}": _provider(name) for name in SEEN},
    {f"webhooks {kind}": _webhooks(kind) for kind in ("drop", "duplicate", "reorder")},
)
BLOWS = {name: blow for kind in KINDS for name, blow in kind.items()}


async def _later(wait_s: float, blow: Awaitable[None]) -> None:
    await asyncio.sleep(wait_s)
    await blow


async def _reached(call: Call, phase: Phase) -> None:
    try:
        await call.until(phase)
    except AssertionError:
        # It ended before: what is left of the others is struck all the same.
        return
