"""F14: every kind of supervisor and caller, and people who hang up at each phase, alone or at once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence

from tests.e2e.stack_fixture import READY, Call
from warmxfer.cli.local_stack.stack import PlacedCall
from warmxfer.schemas import DEFAULT_BRIDGE_GUARD_S, InvalidRequest
from warmxfer.schemas import WarmTransferPhase as Phase

from .report_row import Row
from .scenario import Scenario, open_scenario

SUPERVISORS = tuple(f"+141555501{number:02d}" for number in range(1, 14))
CALLERS = tuple(f"+141555502{number:02d}" for number in range(1, 6))
PATIENT = CALLERS[0]
PHASES = tuple(phase for phase in Phase if not phase.final)
WITH_SUPERVISOR = PHASES[PHASES.index(Phase.SUPERVISOR_DIALED) :]
HANGING_UP = {"the caller": PHASES, "the supervisor": WITH_SUPERVISOR, "both at once": WITH_SUPERVISOR}
CONFIG = {"supervisor_join_timeout_s": 15, "briefing_timeout_s": 8}
MAX_WAIT_S = 0.05
"""Maximum time from receiving a phase to the hang-up."""
HANDOVER_CELLS, HANDOVER_S = 4, 0.6
"""Hang-ups after the caller was moved, spread over the leave of the agent and the leg check."""
GUARD_CELLS = 4
"""Hang-ups after completion, spread over the bridge guard."""


async def f14(chance: random.Random) -> AsyncIterator[Row]:
    """Run all scripts of the sandbox, then hang up at each phase."""
    async with open_scenario() as scenario:
        row = Row("F14", "each supervisor, each caller", cells=len(SUPERVISORS) + len(CALLERS))
        pairs = [(PATIENT, number) for number in SUPERVISORS] + [(number, READY) for number in CALLERS]
        callers = [await scenario.stack.call(number) for number, _ in pairs]
        await scenario.stack.start("primary", rooms=[caller.room_id for caller in callers])
        calls = await asyncio.gather(
            *(
                scenario.driver.begin(each, pair[1], **CONFIG)
                for each, pair in zip(callers, pairs, strict=True)
            )
        )
        await scenario.check_transfers(row, calls)
        await scenario.reset()
        yield row
        for people, phases in HANGING_UP.items():
            moments = _moments(chance, phases)
            row = Row(
                "F14", f"{people} hang{'s' * (people != 'both at once')} up at each phase", cells=len(moments)
            )
            callers = await scenario.driver.callers(len(moments))
            calls = await asyncio.gather(
                *(
                    _request_and_hang_up(scenario, people, caller, *moment)
                    for caller, moment in zip(callers, moments, strict=True)
                )
            )
            await scenario.check_transfers(row, calls)
            await scenario.reset()
            yield row


def _moments(chance: random.Random, phases: Sequence[Phase]) -> list[tuple[Phase, float]]:
    """Return when to hang up: the phase, and the seconds after it."""
    moments = [(phase, chance.uniform(0, MAX_WAIT_S)) for phase in phases]
    moments += [(Phase.CALL_SWITCHED, chance.uniform(0, HANDOVER_S)) for _ in range(HANDOVER_CELLS)]
    guard = [chance.uniform(0, DEFAULT_BRIDGE_GUARD_S) for _ in range(GUARD_CELLS)]
    return moments + [(Phase.TRANSFER_COMPLETE, wait_s) for wait_s in guard]


async def _request_and_hang_up(
    scenario: Scenario, people: str, caller: PlacedCall, phase: Phase, wait_s: float
) -> Call:
    call = await scenario.driver.begin(caller, READY, **CONFIG)
    try:
        await call.until(phase)
    except AssertionError:
        # The transfer ended before that phase. It is checked like the others.
        return call
    await asyncio.sleep(wait_s)
    await hang_up(scenario, people, call)
    return call


async def hang_up(scenario: Scenario, people: str, call: Call) -> None:
    """Let the people named by `people`, a key of `HANGING_UP`, hang up."""
    # A moved caller has another participant id.
    legs = {"the caller": [call.caller.participant_id, f"wxc-{call.transfer.id}"]}
    legs["the supervisor"] = [f"wxs-{call.transfer.id}-1"]
    participant_ids = legs.get(people, [*legs["the caller"], *legs["the supervisor"]])
    await asyncio.gather(
        *(_hang_up_participant(scenario, participant_id) for participant_id in participant_ids)
    )


async def _hang_up_participant(scenario: Scenario, participant_id: str) -> None:
    """Hang up one participant. Does nothing if no such participant is on the phone."""
    try:
        await scenario.stack.post(f"/sandbox/people/{participant_id}/hangup", {})
    except InvalidRequest:
        return
