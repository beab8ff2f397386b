"""F5: the broker's disk put back from an old copy, or lost.

Lost transfers cannot finish, so nothing here waits for results; only the cloud's ledger is checked. No caller
stays on hold, because the sessions release them. No supervisor stays on the phone, because the gateways end
orphan calls. After an old copy is restored, effects executed since may be executed again. The table shows
that, and does not promise otherwise.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from warmxfer.cli.local_stack.stack import ROLES

from .report_row import CUT_OFF, LEFT_ALONE, Row
from .scenario import Scenario, open_scenario
from .stage_barrier import at_every_phase

LEASE_S = 4.0
RECONCILE_S = 2.0
OLD_COPY = "an old copy of the stream put back"
STRUCK = {
    OLD_COPY: frozenset(("2nd dials", "2nd switches", LEFT_ALONE, CUT_OFF)),
    "the stream deleted": frozenset[str](),
}
"""Columns that are not promised for each fault."""


async def f5() -> AsyncIterator[Row]:
    """Run transfers that a copy of the stream knows, and others that began after the copy."""
    for struck, unpromised in STRUCK.items():
        with tempfile.TemporaryDirectory(prefix="warmxfer-chaos-") as directory:
            env = {
                "WARMXFER_HOLD_LEASE_S": f"{LEASE_S:g}",
                "WARMXFER_DEPLOYMENT": "chaos",
                "WARMXFER_RECONCILE_S": f"{RECONCILE_S:g}",
            }
            async with open_scenario(directory=Path(directory), env=env) as scenario:
                row = Row("F5", struck, unpromised=unpromised)
                async with at_every_phase(scenario, row) as known:
                    copy = await _copy_stream(scenario)
                    async with at_every_phase(scenario, row) as unknown:
                        await _restore(scenario, copy if struck is OLD_COPY else None)
                        await scenario.check_transfers(row, [*known, *unknown], lost=True)
                row.facts.append(f"{row.happened[CUT_OFF]} callers were hung up on")
                yield row


def _store(scenario: Scenario) -> Path:
    return scenario.stack.directory / "stream"


async def _copy_stream(scenario: Scenario) -> Path:
    copy = scenario.stack.directory / "copy"
    await scenario.stack.nats.stop()
    await asyncio.to_thread(shutil.copytree, _store(scenario), copy)
    await scenario.stack.nats.start()
    return copy


async def _restore(scenario: Scenario, copy: Path | None) -> None:
    """Do what an operator does: restore the disk, start the broker, then restart the workers."""
    await scenario.stack.nats.stop(kill=True)
    await asyncio.to_thread(shutil.rmtree, _store(scenario))
    if copy:
        await asyncio.to_thread(shutil.copytree, copy, _store(scenario))
    await scenario.stack.nats.start()
    await asyncio.gather(*(scenario.stack.stop(role) for role in ROLES))
    await asyncio.gather(*(scenario.stack.start(role) for role in ROLES))
