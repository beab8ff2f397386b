"""F16: every worker gets very little processor time, for longer than `ack_wait`."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from warmxfer.cli.local_stack.managed_process import ManagedProcess
from warmxfer.cli.local_stack.stack import ROLES

from .pause import frozen
from .report_row import Row
from .scenario import Scenario, open_scenario
from .stage_barrier import at_every_phase

STARVED_S = 20.0
TURN_S = 1.0
SHARE = 0.1
NICEST = 19
LOOPS_PER_CORE = 2
BUSY = "import sys, time\nuntil = time.monotonic() + float(sys.argv[1])\nwhile time.monotonic() < until: pass"


async def f16() -> AsyncIterator[Row]:
    """Stop the workers for nine tenths of every second; then run busy programs at higher priority."""
    async with open_scenario() as scenario:
        row = Row("F16", f"every worker stopped for {1 - SHARE:.0%} of {STARVED_S:g} s")
        async with at_every_phase(scenario, row) as calls:
            await _throttle(_workers(scenario))
            await scenario.check_transfers(row, calls)
        yield row
        await scenario.reset()
        row = Row("F16", f"every worker niced behind busy programs for {STARVED_S:g} s")
        async with at_every_phase(scenario, row) as calls:
            for worker in _workers(scenario):
                os.setpriority(os.PRIO_PROCESS, worker.pid, NICEST)
            async with _busy():
                await scenario.check_transfers(row, calls)
        yield row


def _workers(scenario: Scenario) -> list[ManagedProcess]:
    return [child for role in (*ROLES, "primary") for child in scenario.stack.running(role)]


async def _throttle(workers: list[ManagedProcess]) -> None:
    until = time.monotonic() + STARVED_S
    while time.monotonic() < until:
        with frozen(workers):
            await asyncio.sleep(TURN_S * (1 - SHARE))
        await asyncio.sleep(TURN_S * SHARE)


@asynccontextmanager
async def _busy() -> AsyncIterator[None]:
    """Run programs that keep every core busy for `STARVED_S`. They end by themselves."""
    loops = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", BUSY, str(STARVED_S))
        for _ in range(LOOPS_PER_CORE * (os.cpu_count() or 1))
    ]
    try:
        yield
    finally:
        for loop in loops:
            if loop.returncode is None:
                loop.kill()
            await loop.wait()
