"""F2, F18: every worker killed with many transfers under way, and a flood of requests with poison in it."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager

from warmxfer.actors.house import ROLES, Caller
from warmxfer.bus import Listener, subjects
from warmxfer.schemas import WarmTransferPhase as Phase
from warmxfer.schemas import decode_phase

from ..whole.stage import READY, Call
from .parking import SLOW_TO_SAY_YES
from .row import Row
from .scene import Scene, scene

CALLERS_A_PRIMARY = 50
TWO_OF_EACH = dict.fromkeys(ROLES, 2)
PATIENCE = {"command_timeout_s": 60, "summary_timeout_s": 60}
TENTH = 10
ASKED_AT_ONCE = 50
THINKING_S = 600.0
"""Simulated. Long enough for all to be under way at once."""
UNDER_WAY_S = 90.0
HEAR_S = 0.5
PHASES, MAX_HEARD = "warmxfer.*.phase", 20_000
BRIEFED = tuple(Phase)[tuple(Phase).index(Phase.BRIEFING_STARTED) :]
FLOOD = 200
FLOOD_S = 1.0
POISON = b'{"type": "no such thing"'


async def f2(in_flight: int) -> AsyncIterator[Row]:
    """kill -9 of every worker at once, and as many new ones. Most supervisors think it over at that moment,
    and every tenth transfer has just been asked for."""
    row = Row("F2", f"kill -9 all workers, {in_flight} in flight")
    async with _roomy(in_flight) as here, here.bus.listen(PHASES, max_pending=MAX_HEARD) as heard:
        await here.stage.person(SLOW_TO_SAY_YES, script="ready", replyS=THINKING_S)
        callers = await _many_callers(here, in_flight)
        calls = await _begun(here, callers[: -in_flight // TENTH])
        said: dict[str, Phase] = {}
        until = time.monotonic() + UNDER_WAY_S
        while time.monotonic() < until and not all(said.get(each.transfer.id) in BRIEFED for each in calls):
            await _hear(heard, said)
        calls += await _begun(here, callers[len(calls) :])
        await _hear(heard, said)
        phases = [said.get(each.transfer.id) for each in calls]
        met = Counter(phase.value if phase else "just asked for" for phase in phases)
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
    turns = asyncio.Semaphore(ASKED_AT_ONCE)

    async def begun(caller: Caller) -> Call:
        async with turns:
            return await here.stage.begin(caller, SLOW_TO_SAY_YES, **PATIENCE)

    return await asyncio.gather(*(begun(caller) for caller in callers))


async def _hear(heard: Listener, said: dict[str, Phase]) -> None:
    """Keep the last phase of each transfer, of those that are told of within `HEAR_S`."""
    until = time.monotonic() + HEAR_S
    while (left_s := until - time.monotonic()) > 0:
        if message := await heard.next(left_s):
            said[subjects.parse(message.subject).id] = decode_phase(message.data).phase


async def f18() -> AsyncIterator[Row]:
    """Many requests in one second, and messages nobody can read among them."""
    row = Row("F18", f"{FLOOD} requests in {FLOOD_S:g} s, one poisoned", cells=1)
    async with _roomy(FLOOD) as here:
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


def _roomy(transfers: int) -> AbstractAsyncContextManager[Scene]:
    """A scene with two of every worker, of whom one could hold all the consultations."""
    return scene(counts=TWO_OF_EACH, env={"WARMXFER_BRIEFING_JOBS": str(transfers)})


async def _many_callers(here: Scene, count: int) -> list[Caller]:
    callers: list[Caller] = []
    while len(callers) < count:
        callers += await here.stage.callers(min(CALLERS_A_PRIMARY, count - len(callers)))
    return callers
