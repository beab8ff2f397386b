"""F17: every worker replaced, one after another, under a steady load. Every transfer must complete.

The primary is not replaced: it is the process of a call, and ends with it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from tests.e2e.stack_fixture import Call
from warmxfer.cli.local_stack.stack import ROLES, PlacedCall

from .load import PATIENCE, TWO_OF_EACH
from .report_row import Row
from .scenario import Scenario, open_scenario

EVERY_S = 0.5
CALLERS = 100


async def f17() -> AsyncIterator[Row]:
    """Stop each worker with SIGTERM, let it drain, and start a new one, while transfers run."""
    async with open_scenario(counts=TWO_OF_EACH) as scenario:
        row = Row("F17", "every worker replaced in turn")
        callers = await scenario.driver.callers(CALLERS)
        rolled = asyncio.Event()
        load = asyncio.create_task(_request_steadily(scenario, callers, rolled))
        try:
            began = time.monotonic()
            for role in ROLES:
                for old in scenario.stack.running(role):
                    await old.stop()
                    await scenario.stack.start(role)
                    row.cells += 1
            row.facts.append(f"{row.cells} workers replaced within {time.monotonic() - began:.0f} s")
        finally:
            rolled.set()
        await scenario.check_transfers(row, await load)
        row.all_complete()
        yield row


async def _request_steadily(scenario: Scenario, callers: list[PlacedCall], over: asyncio.Event) -> list[Call]:
    """Request one transfer after another until `over` is set or no caller is left."""
    calls: list[Call] = []
    for caller in callers:
        if over.is_set():
            break
        calls.append(await scenario.driver.begin(caller, **PATIENCE))
        await asyncio.sleep(EVERY_S)
    return calls
