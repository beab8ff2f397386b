"""One transfer stopped at every phase, so that one fault strikes a transfer in each of them.

Slow people and late replies of the cloud keep each transfer in its phase for longer than a fault takes. Two
phases are very short: there the fault starts as soon as the phase is received.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.e2e.stack_fixture import READY, Call
from warmxfer.cli.local_stack.stack import PlacedCall
from warmxfer.schemas import WarmTransferPhase as Phase

from .report_row import Row
from .scenario import Scenario

SLOW_S = 90.0
LATE_S = 60.0
RINGING_S = 55.0
"""Simulated seconds. A late reply comes before the gateway's time-out. A phone rings for less time than the
cloud allows."""

SLOW_TO_ANSWER, SLOW_TO_SAY_YES = "+14155550122", "+14155550123"
PATIENCE: dict[str, Any] = {
    "pacing": "sequential",
    "command_timeout_s": 30,
    "summary_timeout_s": 30,
    "supervisor_join_timeout_s": 60,
    "briefing_timeout_s": 60,
    "caller_arrival_timeout_s": 60,
}
MOMENTS = (Phase.SUMMARY_READY, Phase.SUPERVISOR_JOINED)
LATE_ANSWERS = {
    Phase.BRIEFING_COMPLETE: ("POST", "/v2/sip/call/switch-room"),
    Phase.CONSULTATION_ROOM_CREATED: ("POST", "/v2/sip/call"),
    Phase.CALLER_ON_HOLD: ("POST", "/v2/rooms"),
    Phase.SUMMARY_GENERATING: ("POST", "/v1/chat/completions"),
}
STARTED_COUNT = 7
"""Number of callers that `start_at_each_phase` needs."""


async def start_at_each_phase(scenario: Scenario, callers: list[PlacedCall]) -> list[Call]:
    """Start one transfer for each phase in which it can be stopped, and wait until each is there."""
    driver = scenario.driver
    await driver.person(SLOW_TO_ANSWER, script="ready", ringS=RINGING_S)
    await driver.person(SLOW_TO_SAY_YES, script="ready", replyS=SLOW_S)
    await driver.fault("arrives_late", {"switch": True}, delayS=SLOW_S)
    briefing, switched = await asyncio.gather(
        _start_at(scenario, callers[0], Phase.BRIEFING_STARTED, SLOW_TO_SAY_YES),
        _start_at(scenario, callers[1], Phase.CALL_SWITCHED),
    )
    calls = [briefing, switched]
    for caller, (phase, (method, path)) in zip(callers[2:], LATE_ANSWERS.items(), strict=False):
        await driver.fault("delay", {"method": method, "path": path}, delayS=LATE_S)
        calls.append(await _start_at(scenario, caller, phase))
    calls.append(
        await _start_at(scenario, callers[STARTED_COUNT - 1], Phase.SUPERVISOR_DIALED, SLOW_TO_ANSWER)
    )
    return calls


@asynccontextmanager
async def at_every_phase(scenario: Scenario, row: Row) -> AsyncIterator[list[Call]]:
    """Yield transfers at every phase, one of them in a short phase that it has just reached."""
    callers = await scenario.driver.callers(STARTED_COUNT + 1)
    calls = await start_at_each_phase(scenario, callers)
    phases = {phase.value for phase in [await scenario.phase_of(call) for call in calls] if phase}
    calls.append(await _start_at(scenario, callers[-1], MOMENTS[0]))
    row.cells += len(phases | {MOMENTS[0].value})
    row.notes.append(", ".join(sorted(phases | {MOMENTS[0].value})))
    yield calls


@asynccontextmanager
async def at_start_and_join(scenario: Scenario, row: Row) -> AsyncIterator[list[Call]]:
    """Yield two transfers: one has just begun, and the supervisor of the other has just joined."""
    callers = await scenario.driver.callers(2)
    joined = await _start_at(scenario, callers[0], MOMENTS[1])
    calls = [joined, await _start_at(scenario, callers[1], Phase.STARTED)]
    row.cells += 2
    yield calls


async def _start_at(scenario: Scenario, caller: PlacedCall, phase: Phase, supervisor: str = READY) -> Call:
    call = await scenario.driver.begin(caller, supervisor, **PATIENCE)
    await call.until(phase)
    return call
