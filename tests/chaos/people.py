"""F14: every kind of supervisor and caller, and people who hang up at each phase, alone or at once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

from tests.e2e.stack_fixture import READY, Call
from warmxfer.cli.local_stack.stack import PlacedCall
from warmxfer.schemas import InvalidRequest
from warmxfer.schemas import WarmTransferPhase as Phase

from .report_row import Row
from .scenario import Scene, scene

SUPERVISORS = tuple(f"+141555501{number:02d}" for number in range(1, 14))
CALLERS = tuple(f"+141555502{number:02d}" for number in range(1, 6))
PATIENT = CALLERS[0]
PHASES = tuple(phase for phase in Phase if not phase.final)
WITH_SUPERVISOR = PHASES[PHASES.index(Phase.SUPERVISOR_DIALED) :]
HANGING_UP = {"the caller": PHASES, "the supervisor": WITH_SUPERVISOR, "both at once": WITH_SUPERVISOR}
CONFIG = {"supervisor_join_timeout_s": 15, "briefing_timeout_s": 8}
MAX_WAIT_S = 0.05
"""How long after a phase was heard of somebody hangs up, at most."""


async def f14(chance: random.Random) -> AsyncIterator[Row]:
    """All the scripts of the sandbox, then hang-ups at each phase."""
    async with scene() as here:
        row = Row("F14", "each supervisor, each caller", cells=len(SUPERVISORS) + len(CALLERS))
        pairs = [(PATIENT, number) for number in SUPERVISORS] + [(number, READY) for number in CALLERS]
        callers = [await here.house.call(number) for number, _ in pairs]
        await here.house.start("primary", rooms=[caller.room_id for caller in callers])
        calls = await asyncio.gather(
            *(here.stage.begin(each, pair[1], **CONFIG) for each, pair in zip(callers, pairs, strict=True))
        )
        await here.judge(row, calls)
        await here.calm()
        yield row
        for who, phases in HANGING_UP.items():
            row = Row("F14", f"{who} hang{'s' * (who != 'both at once')} up at each phase", cells=len(phases))
            callers = await here.stage.callers(len(phases))
            waits_s = [chance.uniform(0, MAX_WAIT_S) for _ in phases]
            calls = await asyncio.gather(
                *(_hung_up(here, who, *each) for each in zip(callers, phases, waits_s, strict=True))
            )
            await here.judge(row, calls)
            await here.calm()
            yield row


async def _hung_up(here: Scene, who: str, caller: PlacedCall, phase: Phase, wait_s: float) -> Call:
    call = await here.stage.begin(caller, READY, **CONFIG)
    try:
        await call.until(phase)
    except AssertionError:
        # It ended before: what became of it is judged all the same, and its outcome is told.
        return call
    await asyncio.sleep(wait_s)
    await gone(here, who, call)
    return call


async def gone(here: Scene, who: str, call: Call) -> None:
    """Who is one of `HANGING_UP`."""
    # A caller who was moved is there under another name.
    legs = {"the caller": [call.caller.participant_id, f"wxc-{call.transfer.id}"]}
    legs["the supervisor"] = [f"wxs-{call.transfer.id}-1"]
    names = legs.get(who, [*legs["the caller"], *legs["the supervisor"]])
    await asyncio.gather(*(_hang_up(here, name) for name in names))


async def _hang_up(here: Scene, name: str) -> None:
    """Whoever is not on the phone under this name, yet or any more, cannot hang up."""
    try:
        await here.house.post(f"/sandbox/people/{name}/hangup", {})
    except InvalidRequest:
        return
