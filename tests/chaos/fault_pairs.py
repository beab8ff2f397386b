"""F19: two faults at once, drawn at random from all faults of a running stack."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable

from tests.e2e.stack_fixture import Call
from warmxfer.cli.local_stack.stack import ROLES
from warmxfer.schemas import WarmTransferPhase as Phase

from .cloud import OPERATIONS, PROVIDER
from .pause import frozen
from .people import hang_up
from .report_row import Row
from .scenario import Scenario, open_scenario, rooms

PAIRS = 12
TRANSFERS = 3
DOWN_S = 1.0
FROZEN_S = 4.0
APART_S = 0.5
"""Maximum time between the two faults. The first one still lasts then."""

CONFIG = {"command_timeout_s": 20, "supervisor_join_timeout_s": 30, "briefing_timeout_s": 30}
STRIKES_AT = tuple(phase for phase in Phase if not phase.final)
SEEN = frozenset(PROVIDER) - {"execute_twice", "execute_late by 30 s"}
"""Without a cloud that executes twice, which would hide a second order of ours, and without one that outlasts
its pair."""

FaultAction = Callable[[Scenario, list[Call]], Awaitable[None]]


async def f19(chance: random.Random) -> AsyncIterator[Row]:
    """Run some transfers for each pair. The faults start when the first transfer reaches a random phase."""
    async with open_scenario() as scenario:
        for _ in range(PAIRS):
            # Two different kinds, because the provider alone has more faults than all other kinds together.
            first, second = (chance.choice(sorted(kind)) for kind in chance.sample(KINDS, 2))
            phase, apart_s = chance.choice(STRIKES_AT), chance.uniform(0, APART_S)
            row = Row("F19", f"{first}, then {second}, at {phase.value}", cells=1)
            callers = await scenario.driver.callers(TRANSFERS)
            calls = [await scenario.driver.begin(caller, **CONFIG) for caller in callers]
            await _wait_for_phase(calls[0], phase)
            await asyncio.gather(
                ACTIONS[first](scenario, calls), _later(apart_s, ACTIONS[second](scenario, calls))
            )
            await scenario.check_transfers(row, calls)
            await scenario.reset()
            yield row


def _kill(role: str) -> FaultAction:
    async def act(scenario: Scenario, calls: list[Call]) -> None:
        await scenario.stack.kill(role)
        await asyncio.sleep(DOWN_S)
        await scenario.stack.start(role, rooms=rooms(calls) if role == "primary" else [])

    return act


def _freeze(role: str) -> FaultAction:
    async def act(scenario: Scenario, calls: list[Call]) -> None:
        with frozen(scenario.stack.running(role)):
            await asyncio.sleep(FROZEN_S)

    return act


def _provider(name: str) -> FaultAction:
    async def act(scenario: Scenario, calls: list[Call]) -> None:
        kind, more = PROVIDER[name]
        for match in OPERATIONS.values():
            await scenario.driver.fault(kind, match, **more)

    return act


def _webhooks(kind: str) -> FaultAction:
    async def act(scenario: Scenario, calls: list[Call]) -> None:
        await scenario.driver.fault(kind, {"webhook": "*"}, times=0)

    return act


async def _broker_killed(scenario: Scenario, calls: list[Call]) -> None:
    await scenario.stack.nats.stop(kill=True)
    await asyncio.sleep(DOWN_S)
    await scenario.stack.nats.start()


async def _caller_hangs_up(scenario: Scenario, calls: list[Call]) -> None:
    await hang_up(scenario, "the caller", calls[0])


async def _supervisor_hangs_up(scenario: Scenario, calls: list[Call]) -> None:
    await hang_up(scenario, "the supervisor", calls[0])


KINDS: tuple[dict[str, FaultAction], ...] = (
    {"broker killed": _broker_killed},
    {"caller hangs up": _caller_hangs_up, "supervisor hangs up": _supervisor_hangs_up},
    {f"{role} killed": _kill(role) for role in (*ROLES, "primary")},
    {f"{role} frozen": _freeze(role) for role in (*ROLES, "primary")},
    {f"provider {name}": _provider(name) for name in SEEN},
    {f"webhooks {kind}": _webhooks(kind) for kind in ("drop", "duplicate", "reorder")},
)
ACTIONS = {name: act for kind in KINDS for name, act in kind.items()}


async def _later(wait_s: float, act: Awaitable[None]) -> None:
    await asyncio.sleep(wait_s)
    await act


async def _wait_for_phase(call: Call, phase: Phase) -> None:
    try:
        await call.until(phase)
    except AssertionError:
        # The transfer ended before that phase. The other transfers get the faults.
        return
