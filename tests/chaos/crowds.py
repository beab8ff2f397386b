"""F2, F18: every worker killed with many transfers under way, and a flood of requests with poison in it."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator

from warmxfer.actors.house import ROLES, Caller
from warmxfer.bus import subjects

from ..whole.stage import READY, Call
from .parking import PARKED_S, RINGING_S, SLOW_TO_ANSWER, SLOW_TO_SAY_YES
from .row import Row
from .scene import Scene, scene

CALLERS_A_PRIMARY = 50
TWO_OF_EACH = dict.fromkeys(ROLES, 2)
PATIENCE = {"command_timeout_s": 60, "summary_timeout_s": 60}
SUPERVISORS = (READY, SLOW_TO_ANSWER, SLOW_TO_SAY_YES)
UNDER_WAY_S = 1.0
FLOOD = 200
FLOOD_S = 1.0
POISON = b'{"type": "no such thing"'
WORKERS = ("coordinator", "gateway", "summarizer")


async def f2(in_flight: int) -> AsyncIterator[Row]:
    """kill -9 of every worker at once, and as many new ones."""
    row = Row("F2", f"kill -9 all workers, {in_flight} in flight", cells=1)
    async with scene(counts=TWO_OF_EACH) as here:
        await here.stage.person(SLOW_TO_ANSWER, script="ready", ringS=RINGING_S)
        await here.stage.person(SLOW_TO_SAY_YES, script="ready", replyS=PARKED_S)
        callers = await _many_callers(here, in_flight)
        calls = await asyncio.gather(
            *(
                here.stage.begin(caller, supervisor, **PATIENCE)
                for caller, supervisor in zip(callers, itertools.cycle(SUPERVISORS), strict=False)
            )
        )
        await asyncio.sleep(UNDER_WAY_S)
        under_way = [await here.phase_of(call) for call in calls]
        ended = sum(1 for phase in under_way if phase and phase.final)
        row.facts.append(f"{len(calls) - ended} of {len(calls)} were under way")
        struck_at = time.monotonic()
        await asyncio.gather(*(here.house.kill(role) for role in ROLES))
        recovering = asyncio.create_task(here.recovery(struck_at, *WORKERS))
        await asyncio.gather(*(here.house.start(role) for role in ROLES for _ in range(TWO_OF_EACH[role])))
        row.facts.append(f"new workers were at work {time.monotonic() - struck_at:.1f} s after the blow")
        row.recovered(await recovering)
        await here.judge(row, calls)
    yield row


async def f18() -> AsyncIterator[Row]:
    """Many requests in one second, and messages nobody can read among them."""
    row = Row("F18", f"{FLOOD} requests in {FLOOD_S:g} s, one poisoned", cells=1)
    async with scene(counts=TWO_OF_EACH) as here:
        callers = await _many_callers(here, FLOOD)
        began = time.monotonic()

        async def asked(place: int, caller: Caller) -> Call:
            await asyncio.sleep(place * FLOOD_S / FLOOD)
            return await here.stage.begin(caller, READY, **PATIENCE)

        poisoned = here.bus.publish("warmxfer.poisoned.event", POISON)
        calls, _ = await asyncio.gather(
            asyncio.gather(*(asked(place, caller) for place, caller in enumerate(callers))), poisoned
        )
        row.notes.append(f"asked within {time.monotonic() - began:.1f} s")
        await here.judge(row, calls)
        row.notes.append(f"all ended and looked at after {time.monotonic() - began:.1f} s")
        letter = await here.bus.last(subjects.dead("poisoned"))
        if letter is None or not json.loads(letter.data)["cause"]:
            row.problems.append("I22: the poison was not parked with its cause")
    yield row


async def _many_callers(here: Scene, count: int) -> list[Caller]:
    callers: list[Caller] = []
    while len(callers) < count:
        callers += await here.stage.callers(min(CALLERS_A_PRIMARY, count - len(callers)))
    return callers
