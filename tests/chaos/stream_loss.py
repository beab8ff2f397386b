"""F5: the broker's disk put back from an old copy, or lost.

What the stream forgets cannot be finished: nothing here waits for results, the ledger of the cloud alone
counts. No caller stays on hold, for their sessions let them go; no supervisor stays on the phone, for
the gateways of this house look for those it forgot. Where an old copy is put back, what was done since may
be done again: that is shown, and not promised.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from warmxfer.cli.local_stack.stack import ROLES

from .report_row import CUT_OFF, LEFT_ALONE, Row
from .scenario import Scene, scene
from .stage_barrier import at_every_phase

LEASE_S = 4.0
RECONCILE_S = 2.0
OLD_COPY = "an old copy of the stream put back"
STRUCK = {
    OLD_COPY: frozenset(("2nd dials", "2nd switches", LEFT_ALONE, CUT_OFF)),
    "the stream deleted": frozenset[str](),
}
"""What is not promised of each."""


async def f5() -> AsyncIterator[Row]:
    """Some transfers know a copy that was made while they ran, others began after it."""
    for struck, unpromised in STRUCK.items():
        with tempfile.TemporaryDirectory(prefix="warmxfer-chaos-") as directory:
            env = {
                "WARMXFER_HOLD_LEASE_S": f"{LEASE_S:g}",
                "WARMXFER_DEPLOYMENT": "chaos",
                "WARMXFER_RECONCILE_S": f"{RECONCILE_S:g}",
            }
            async with scene(directory=Path(directory), env=env) as here:
                row = Row("F5", struck, unpromised=unpromised)
                async with at_every_phase(here, row) as known:
                    copy = await _copied(here)
                    async with at_every_phase(here, row) as unknown:
                        await _put_back(here, copy if struck is OLD_COPY else None)
                        await here.judge(row, [*known, *unknown], forgotten=True)
                row.facts.append(f"{row.happened[CUT_OFF]} callers were hung up on")
                yield row


def _store(here: Scene) -> Path:
    return here.house.directory / "stream"


async def _copied(here: Scene) -> Path:
    copy = here.house.directory / "copy"
    await here.house.nats.stop()
    await asyncio.to_thread(shutil.copytree, _store(here), copy)
    await here.house.nats.start()
    return copy


async def _put_back(here: Scene, copy: Path | None) -> None:
    """What an operator does: put the disk in order, start the broker, then the workers again."""
    await here.house.nats.stop(kill=True)
    await asyncio.to_thread(shutil.rmtree, _store(here))
    if copy:
        await asyncio.to_thread(shutil.copytree, copy, _store(here))
    await here.house.nats.start()
    await asyncio.gather(*(here.house.stop(role) for role in ROLES))
    await asyncio.gather(*(here.house.start(role) for role in ROLES))
