"""F20: a rolling upgrade to a newer version, and a rollback from it, with transfers in flight.

The newer version is this build with `newer_version/sitecustomize.py`. docs/operations.md states the order of
the roles. The sessions of the callers stay of this version: a call keeps its process.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

from tests.e2e.stack_fixture import DECLINES, READY, Call
from warmxfer.cli.local_stack.stack import ROLES, PlacedCall

from .load import PATIENCE, TWO_OF_EACH
from .report_row import Row
from .scenario import Scenario, open_scenario
from .stage_barrier import at_every_phase

NEWER_VERSION = Path(__file__).with_name("newer_version")
UPGRADE_ORDER = ("summarizer", "gateway", "briefing", "coordinator")
ROLLBACK_ORDER = tuple(reversed(UPGRADE_ORDER))
EVERY_S = 0.5
CALLERS = 120
DECLINES_EVERY = 5
MIXED_S = 8.0
"""How long one worker of each version runs of every role."""
DECLINED = ("declined", "supervisor_declined")
"""The outcome in the words of both versions."""
EITHER_END = ("complete", "broken")


async def f20() -> AsyncIterator[Row]:
    """Upgrade under a steady load; then roll back with transfers at every phase."""
    async with open_scenario(counts=TWO_OF_EACH) as scenario:
        row = Row("F20", "every worker upgraded in turn")
        await _upgrade(scenario, row)
        yield row
    async with open_scenario(counts=dict.fromkeys(ROLES, 0)) as scenario:
        row = Row("F20", "rollback of every worker")
        await _roll_back(scenario, row)
        yield row


async def _upgrade(scenario: Scenario, row: Row) -> None:
    """Replace one worker of each role by a newer one, let both work for a while, then replace the others."""
    callers = await scenario.driver.callers(CALLERS)
    upgraded = asyncio.Event()
    load = asyncio.create_task(_request_steadily(scenario, callers, upgraded))
    try:
        older = {role: scenario.stack.running(role) for role in UPGRADE_ORDER}
        for half in range(2):
            for role in UPGRADE_ORDER:
                await older[role][half].stop()
                await scenario.stack.start(role, env=newer_version())
                row.cells += 1
            await asyncio.sleep(MIXED_S)
    finally:
        upgraded.set()
    calls = await load
    await scenario.check_transfers(row, calls)
    declined = sum(row.outcomes[word] for word in DECLINED)
    if row.outcomes["complete"] + declined != row.transfers or not row.outcomes[DECLINED[1]]:
        row.problems.append(f"F20 {row.struck}: the outcomes are {dict(row.outcomes)}")
    row.facts.append(f"{declined} supervisors declined, as asked; every other transfer is complete")


async def _roll_back(scenario: Scenario, row: Row) -> None:
    """Replace a newer fleet by this version. It gives up transfers in a stage that it does not know."""
    for role in UPGRADE_ORDER:
        await scenario.stack.start(role, env=newer_version())
    async with at_every_phase(scenario, row) as calls:
        for role in ROLLBACK_ORDER:
            await scenario.stack.stop(role)
            await scenario.stack.start(role)
        await scenario.check_transfers(row, calls, given_up=True)
    if set(row.outcomes) != set(EITHER_END):
        row.problems.append(f"F20 {row.struck}: the outcomes are {dict(row.outcomes)}")
    row.facts.append(f"{row.outcomes['broken']} of {row.transfers} transfers were given up")


def newer_version() -> dict[str, str]:
    """Return the environment of a process of the pretended newer version."""
    return {"PYTHONPATH": os.pathsep.join((str(NEWER_VERSION), os.environ.get("PYTHONPATH", "")))}


async def _request_steadily(scenario: Scenario, callers: list[PlacedCall], over: asyncio.Event) -> list[Call]:
    """Request one transfer after another until `over` is set or no caller is left."""
    calls: list[Call] = []
    for number, caller in enumerate(callers, 1):
        if over.is_set():
            break
        supervisor = READY if number % DECLINES_EVERY else DECLINES
        calls.append(await scenario.driver.begin(caller, supervisor, **PATIENCE))
        await asyncio.sleep(EVERY_S)
    return calls
