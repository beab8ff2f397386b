"""F7: the broker cut off from every actor, and healed: through a proxy that can let go of the wire."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

from .parking import at_every_phase
from .row import Row
from .scene import Scene, scene
from .wire import Wire

CUT_S = (1.0, 5.0)
FLAPS = 5


async def f7() -> AsyncIterator[Row]:
    """Cut off for a moment, for longer, and again and again."""
    async with AsyncExitStack() as stack:
        wire = await stack.enter_async_context(Wire())
        here = await stack.enter_async_context(scene(wire=wire))
        for cut_s in CUT_S:
            yield await _struck(here, wire, Row("F7", f"broker cut off for {cut_s:g} s"), [cut_s])
        yield await _struck(here, wire, Row("F7", f"cut off {FLAPS} times for 1 s"), [1.0] * FLAPS)


async def _struck(here: Scene, wire: Wire, row: Row, cuts_s: list[float]) -> Row:
    async with at_every_phase(here, row) as calls:
        began = time.monotonic()
        for cut_s in cuts_s:
            wire.cut()
            await asyncio.sleep(cut_s)
            wire.heal()
            await asyncio.sleep(1.0)
        row.recovered(await here.recovery(began, "coordinator"))
        await here.judge(row, calls)
    await here.calm()
    return row
