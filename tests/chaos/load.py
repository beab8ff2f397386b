"""F2, F18: every worker killed with many transfers under way, and a flood of requests with poison in it."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from unittest.mock import patch

from tests.e2e.stack_fixture import READY, Call
from warmxfer.bus import Subscription, subjects, subscriptions
from warmxfer.cli.local_stack.stack import ROLES, PlacedCall
from warmxfer.schemas import WarmTransferPhase as Phase
from warmxfer.schemas import decode_phase

from .report_row import Row
from .scenario import ACK_WAIT_S, TIME_SCALE, Scene, scene
from .stage_barrier import RINGING_S, SLOW_TO_ANSWER, SLOW_TO_SAY_YES

CALLERS_A_PRIMARY = 50
TWO_OF_EACH = dict.fromkeys(ROLES, 2)
PATIENCE = {"command_timeout_s": 60, "summary_timeout_s": 60}

AS_IN_LIFE = 1.0
THINKING_S = 240.0
"""So long most supervisors think it over: longer than all the others take to get as far."""
LONG_BRIEFING = {**PATIENCE, "briefing_timeout_s": 600}
AT_ONCE = 50
"""Transfers that are on their way to their supervisors at the same time, while a crowd gathers."""
GATHERED_S = 140.0
HEAR_S = 0.25
PHASES, MAX_HEARD = "warmxfer.*.phase", 20_000
TENTH = 10
RECOVERY_S = 3.0
"""What recovery may take beyond `ack_wait`; whether it did is told beside the figure."""
QUEUES = ("coordinator", "summarizer", "gateway")
ORDER = tuple(Phase)

FLOOD = 200
FLOOD_S = 1.0
POISON = b'{"type": "no such thing"'


async def f2(in_flight: int) -> AsyncIterator[Row]:
    """kill -9 of every worker at once, and as many new ones. Most supervisors think it over at that moment,
    the phones of a tenth of them ring, and another tenth of the transfers has just been asked for."""
    row = Row("F2", f"kill -9 all workers, {in_flight} in flight")
    async with _roomy(in_flight, AS_IN_LIFE) as here, _all_phases(here) as heard:
        await here.stage.person(SLOW_TO_SAY_YES, script="ready", replyS=THINKING_S)
        await here.stage.person(SLOW_TO_ANSWER, script="ready", ringS=RINGING_S)
        crowd = Crowd(here, heard, await _many_callers(here, in_flight))
        tenth = in_flight // TENTH
        await crowd.gather(in_flight - 2 * tenth, SLOW_TO_SAY_YES, Phase.BRIEFING_STARTED)
        await crowd.gather(tenth, SLOW_TO_ANSWER, Phase.SUPERVISOR_DIALED)
        await crowd.begin(tenth, READY)
        await crowd.hear()
        met = crowd.met()
        row.cells = len(met)
        row.facts.append("at the blow: " + ", ".join(f"{count} {name}" for name, count in met.most_common()))
        await _all_killed(here, row)
        await here.judge(row, crowd.calls)
    yield row


async def _all_killed(here: Scene, row: Row) -> None:
    """The blow, and what is measured of it: from the blow on, and from when the new workers are at work."""
    struck_at = time.monotonic()
    await asyncio.gather(*(here.house.kill(role) for role in ROLES))
    worked_off = {role: asyncio.create_task(here.recovery(struck_at, role)) for role in QUEUES}
    at_work_s = dict(await asyncio.gather(*(_replaced(here, role, struck_at) for role in ROLES)))
    row.recovered(recovery_s := await worked_off["coordinator"])
    bound_s = ACK_WAIT_S + RECOVERY_S
    row.facts += [
        "new workers were at work " + _after(at_work_s),
        f"what was in the stream was worked off {_after({role: await worked_off[role] for role in QUEUES})}",
        f"`ack_wait` + {RECOVERY_S:g} s is {bound_s:g} s, which "
        f"{'holds' if recovery_s <= bound_s else 'does not hold'}; load {os.getloadavg()[0]:.1f}",
    ]


async def _replaced(here: Scene, role: str, struck_at: float) -> tuple[str, float]:
    """When the last new worker of `role` was at work, in seconds from `struck_at`."""
    await asyncio.gather(*(here.house.start(role) for _ in range(TWO_OF_EACH[role])))
    return role, time.monotonic() - struck_at


def _after(times_s: Mapping[str, float]) -> str:
    return ", ".join(f"{time_s:.1f} s ({role})" for role, time_s in times_s.items()) + " after the blow"


class Crowd:
    """Transfers of many callers, begun no faster than they get ahead: so that what is measured is the blow,
    and not how long a machine takes to carry everybody to their supervisor at once."""

    def __init__(self, here: Scene, heard: Subscription, callers: Sequence[PlacedCall]) -> None:
        self.calls: list[Call] = []
        self._here = here
        self._heard = heard
        self._waiting = deque(callers)
        self._said: dict[str, Phase] = {}

    async def gather(self, count: int, supervisor: str, phase: Phase) -> None:
        """Return when `count` more have come to `phase`, or have taken too long."""
        until = time.monotonic() + GATHERED_S
        begun: list[Call] = []
        while time.monotonic() < until:
            on_their_way = sum(not self._has_reached(call, phase) for call in begun)
            if len(begun) == count and not on_their_way:
                return
            begun += await self.begin(min(AT_ONCE - on_their_way, count - len(begun)), supervisor)
            await self.hear()

    async def begin(self, count: int, supervisor: str) -> list[Call]:
        """Ask for `count` more."""
        callers = [self._waiting.popleft() for _ in range(count)]
        calls = await asyncio.gather(
            *(self._here.stage.begin(caller, supervisor, **LONG_BRIEFING) for caller in callers)
        )
        self.calls += calls
        return calls

    async def hear(self) -> None:
        """Keep the last phase of each transfer, of those that are told of within `HEAR_S`."""
        until = time.monotonic() + HEAR_S
        while (left_s := until - time.monotonic()) > 0:
            if message := await self._heard.next(left_s):
                self._said[subjects.parse(message.subject).id] = decode_phase(message.data).phase

    def met(self) -> Counter[str]:
        """How many stand at which phase, by its word."""
        phases = [self._said.get(call.transfer.id) for call in self.calls]
        return Counter(phase.value if phase else "just asked for" for phase in phases)

    def _has_reached(self, call: Call, phase: Phase) -> bool:
        said = self._said.get(call.transfer.id)
        return said is not None and ORDER.index(said) >= ORDER.index(phase)


async def f18() -> AsyncIterator[Row]:
    """Many requests in one second, and messages nobody can read among them."""
    row = Row("F18", f"{FLOOD} requests in {FLOOD_S:g} s, one poisoned", cells=1)
    async with _roomy(FLOOD, TIME_SCALE) as here:
        callers = await _many_callers(here, FLOOD)
        began = time.monotonic()

        async def asked(place: int, caller: PlacedCall) -> Call:
            await asyncio.sleep(place * FLOOD_S / FLOOD)
            return await here.stage.begin(caller, READY, **PATIENCE)

        poisoned = here.bus.publish("warmxfer.poisoned.event", POISON)
        calls, _ = await asyncio.gather(
            asyncio.gather(*(asked(place, caller) for place, caller in enumerate(callers))), poisoned
        )
        row.notes.append(f"asked within {time.monotonic() - began:.1f} s")
        await here.judge(row, calls)
        row.notes.append(f"all ended and looked at after {time.monotonic() - began:.1f} s")
        letter = await here.bus.get_last(subjects.dead_letter("poisoned"))
        if letter is None or not json.loads(letter.data)["cause"]:
            row.problems.append("I22: the poison was not parked with its cause")
    yield row


def _all_phases(here: Scene) -> Subscription:
    """The phases of all transfers, more of them pending than a `Listener` keeps elsewhere."""
    with patch.object(subscriptions, "MAX_PENDING", MAX_HEARD):
        return here.bus.subscribe(PHASES)


def _roomy(transfers: int, time_scale: float) -> AbstractAsyncContextManager[Scene]:
    """A scene with two of every worker, of whom one could hold all the consultations."""
    jobs = {"WARMXFER_BRIEFING_JOBS": str(transfers)}
    return scene(counts=TWO_OF_EACH, time_scale=time_scale, env=jobs)


async def _many_callers(here: Scene, count: int) -> list[PlacedCall]:
    callers: list[PlacedCall] = []
    while len(callers) < count:
        callers += await here.stage.callers(min(CALLERS_A_PRIMARY, count - len(callers)))
    return callers
