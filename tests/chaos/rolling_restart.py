"""F17: every worker replaced, one after another, under a steady load of transfers. None may be hurt.

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
from .scenario import Scene, scene

EVERY_S = 0.5
CALLERS = 100


async def f17() -> AsyncIterator[Row]:
    """SIGTERM, drain, start: worker after worker, while transfers begin and end."""
    async with scene(counts=TWO_OF_EACH) as here:
        row = Row("F17", "every worker replaced in turn")
        callers = await here.stage.callers(CALLERS)
        rolled = asyncio.Event()
        load = asyncio.create_task(_steady(here, callers, rolled))
        try:
            began = time.monotonic()
            for role in ROLES:
                for old in here.house.running(role):
                    await old.stop()
                    await here.house.start(role)
                    row.cells += 1
            row.facts.append(f"{row.cells} workers replaced within {time.monotonic() - began:.0f} s")
        finally:
            rolled.set()
        await here.judge(row, await load)
        row.all_complete()
        yield row


async def _steady(here: Scene, callers: list[PlacedCall], over: asyncio.Event) -> list[Call]:
    """One transfer after another is begun until `over`, or until there is no caller left."""
    calls: list[Call] = []
    for caller in callers:
        if over.is_set():
            break
        calls.append(await here.stage.begin(caller, **PATIENCE))
        await asyncio.sleep(EVERY_S)
    return calls
