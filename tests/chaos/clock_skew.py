"""F11: the wall clock of workers is wrong by an hour, differs between them, and jumps while they work.

Transfers use only the broker's clock, so every transfer must complete.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from warmxfer.cli.local_stack.stack import ROLES

from .report_row import Row
from .scenario import Scenario, open_scenario
from .stage_barrier import at_every_phase

HOUR_S = 3_600.0
WRONG_CLOCK = Path(__file__).with_name("wrong_clock")
WRONG_S = {"an hour ahead": (HOUR_S, HOUR_S), "an hour behind": (-HOUR_S, -HOUR_S)}
WRONG_S["an hour ahead beside an hour behind"] = (HOUR_S, -HOUR_S)


async def f11() -> AsyncIterator[Row]:
    """Run with all clocks ahead, all behind, and half of each; then jump with transfers at every phase."""
    for struck, wrong_s in WRONG_S.items():
        async with _workers(wrong_s) as (scenario, _):
            row = Row("F11", f"clocks {struck}")
            async with at_every_phase(scenario, row) as calls:
                await scenario.check_transfers(row, calls)
            row.all_complete()
            yield row
    async with _workers((0.0, 0.0)) as (scenario, clocks):
        row = Row("F11", "clocks jump an hour back, then ahead")
        for jump_s in (-HOUR_S, HOUR_S):
            async with at_every_phase(scenario, row) as calls:
                for clock in clocks:
                    clock.write_text(str(jump_s))
                await scenario.check_transfers(row, calls)
            await scenario.stack.stop("primary")
        row.all_complete()
        yield row


@asynccontextmanager
async def _workers(wrong_s: tuple[float, float]) -> AsyncIterator[tuple[Scenario, list[Path]]]:
    """Start one worker of every role on each of two wrong clocks. Yields also their clock files."""
    with tempfile.TemporaryDirectory(prefix="warmxfer-chaos-") as directory:
        clocks = [Path(directory, str(place)) for place in range(len(wrong_s))]
        for clock, by_s in zip(clocks, wrong_s, strict=True):
            clock.write_text(str(by_s))
        async with open_scenario(counts=dict.fromkeys(ROLES, 0)) as scenario:
            for clock in clocks:
                path = os.pathsep.join((str(WRONG_CLOCK), os.environ.get("PYTHONPATH", "")))
                env = {"PYTHONPATH": path, "CHAOS_CLOCK": str(clock)}
                for role in ROLES:
                    await scenario.stack.start(role, env=env)
            yield scenario, clocks
