"""F2, F18: every worker killed with many transfers under way, and a flood of requests with poison in it."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence

from warmxfer.actors.house import ROLES, Caller
from warmxfer.bus import subjects
from warmxfer.schemas import WarmTransferPhase as Phase

from ..whole.stage import READY, Call
from .parking import SLOW_TO_SAY_YES
from .row import Row
from .scene import Scene, scene

CALLERS_A_PRIMARY = 50
TWO_OF_EACH = dict.fromkeys(ROLES, 2)
PATIENCE = {"command_timeout_s": 60, "summary_timeout_s": 60}
TENTH = 10
THINKING_S = 400.0
"""Simulated. Long enough for all to be under way at once."""
UNDER_WAY_S = 60.0
LOOK_EVERY_S = 0.5
BRIEFED = tuple(Phase)[tuple(Phase).index(Phase.BRIEFING_STARTED) :]
FLOOD = 200
FLOOD_S = 1.0
POISON = b'{"type": "no such thing"'


async def f2(in_flight: int) -> AsyncIterator[Row]:
    """kill -9 of every worker at once, and as many new ones. Most supervisors think it over at that moment,
    and every tenth transfer has just been asked for."""
    row = Row("F2", f"kill -9 all workers, {in_flight} in flight")
    async with scene(counts=TWO_OF_EACH) as here:
        await here.stage.person(SLOW_TO_SAY_YES, script="ready", replyS=THINKING_S)
        callers = await _many_callers(here, in_flight)
        calls = await _begun(here, callers[: -in_flight // TENTH])
        await _under_way(here, calls)
        calls += await _begun(here, callers[len(calls) :])
        met = Counter([phase.value if phase else "not heard of" for phase in await _phases(here, calls)])
        row.cells = len(met)
        row.facts.append("at the blow: " + ", ".join(f"{count} {name}" for name, count in met.most_common()))
        struck_at = time.monotonic()
        await asyncio.gather(*(here.house.kill(role) for role in ROLES))
        recovering = asyncio.create_task(here.recovery(struck_at, "coordinator", "summarizer"))
        in_doubt = asyncio.create_task(here.recovery(struck_at, "gateway"))
        await asyncio.gather(*(here.house.start(role) for role in ROLES for _ in range(TWO_OF_EACH[role])))
        row.facts.append(f"new workers were at work {time.monotonic() - struck_at:.1f} s after the blow")
        row.recovered(await recovering)
        row.facts.append(f"the gateways had settled what was in doubt {await in_doubt:.1f} s after the blow")
        await here.judge(row, calls)
    yield row


async def _begun(here: Scene, callers: Sequence[Caller]) -> list[Call]:
    begun = (here.stage.begin(caller, SLOW_TO_SAY_YES, **PATIENCE) for caller in callers)
    return await asyncio.gather(*begun)


async def _phases(here: Scene, calls: Sequence[Call]) -> list[Phase | None]:
    return await asyncio.gather(*(here.phase_of(call) for call in calls))


async def _under_way(here: Scene, calls: Sequence[Call]) -> None:
    """Return when every supervisor is being briefed, or when that has taken too long."""
    until = time.monotonic() + UNDER_WAY_S
    while time.monotonic() < until:
        if all(phase in BRIEFED for phase in await _phases(here, calls)):
            return
        await asyncio.sleep(LOOK_EVERY_S)


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
