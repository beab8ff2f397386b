"""F7: brokers cut off: one from every actor, and three from each other; healed after a while.

Through wires that can be cut. An actor of the minority stays with its broker, as a real one would: nothing of
its own connection is broken.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AsyncExitStack

from .cluster import REPLICATED, three_brokers
from .report_row import Row
from .scenario import Scene, scene
from .stage_barrier import at_every_phase
from .tcp_proxy import Wire

CUT_S = (1.0, 5.0)
FLAPS = 5
APART_S = 5.0


async def f7() -> AsyncIterator[Row]:
    """One broker for a moment, for longer, and again and again; three that lose sight of each other."""
    async with AsyncExitStack() as stack:
        wire = await stack.enter_async_context(Wire())
        here = await stack.enter_async_context(scene(wire=wire))
        for cut_s in CUT_S:
            yield await _struck(here, [wire], Row("F7", f"broker cut off for {cut_s:g} s"), [cut_s])
        yield await _struck(here, [wire], Row("F7", f"cut off {FLAPS} times for 1 s"), [1.0] * FLAPS)
    async with three_brokers() as cluster, scene(url=cluster.url, env=REPLICATED) as here:
        await cluster.whole()
        leader = await cluster.leader()
        of_leader = [wire for pair, wire in cluster.wires.items() if leader in pair]
        row = Row("F7", f"the leader of 3 cut off from the others for {APART_S:g} s")
        yield await _struck(here, of_leader, row, [APART_S])
        await cluster.whole()
        row = Row("F7", f"each of 3 cut off from the others for {APART_S:g} s")
        yield await _struck(here, cluster.wires.values(), row, [APART_S])


async def _struck(here: Scene, wires: Collection[Wire], row: Row, cuts_s: Sequence[float]) -> Row:
    async with at_every_phase(here, row) as calls:
        began = time.monotonic()
        for cut_s in cuts_s:
            for wire in wires:
                wire.cut()
            await asyncio.sleep(cut_s)
            for wire in wires:
                wire.heal()
            await asyncio.sleep(1.0)
        row.recovered(await here.recovery(began, "coordinator"))
        await here.judge(row, calls)
    await here.calm()
    return row
