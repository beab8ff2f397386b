"""Transfers that stand still, one at every phase, so that one blow hits a transfer in each.

People who are slow and answers of the cloud that are late keep them where they are, for longer than a blow
takes; two phases pass in a moment, and are caught by striking as soon as they are heard of.
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
from .scenario import Scene

PARKED_S = 90.0
LATE_S = 60.0
RINGING_S = 55.0
"""Simulated seconds. An answer is late for less than the gateway waits for one; a phone rings for less
than the cloud lets it."""

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
PARKED = 7
"""Transfers that `parked` needs a caller for."""


async def parked(scene: Scene, callers: list[PlacedCall]) -> list[Call]:
    """One transfer at each phase at which it is possible to stand still."""
    stage = scene.stage
    await stage.person(SLOW_TO_ANSWER, script="ready", ringS=RINGING_S)
    await stage.person(SLOW_TO_SAY_YES, script="ready", replyS=PARKED_S)
    await stage.fault("arrives_late", {"switch": True}, delayS=PARKED_S)
    briefing, switched = await asyncio.gather(
        _at(scene, callers[0], Phase.BRIEFING_STARTED, SLOW_TO_SAY_YES),
        _at(scene, callers[1], Phase.CALL_SWITCHED),
    )
    calls = [briefing, switched]
    for caller, (phase, (method, path)) in zip(callers[2:], LATE_ANSWERS.items(), strict=False):
        await stage.fault("delay", {"method": method, "path": path}, delayS=LATE_S)
        calls.append(await _at(scene, caller, phase))
    calls.append(await _at(scene, callers[PARKED - 1], Phase.SUPERVISOR_DIALED, SLOW_TO_ANSWER))
    return calls


@asynccontextmanager
async def at_every_phase(scene: Scene, row: Row) -> AsyncIterator[list[Call]]:
    """Strike inside: transfers stand at every phase, another has this moment come to one that passes."""
    callers = await scene.stage.callers(PARKED + 1)
    calls = await parked(scene, callers)
    met = {phase.value for phase in [await scene.phase_of(call) for call in calls] if phase}
    calls.append(await _at(scene, callers[-1], MOMENTS[0]))
    row.cells += len(met | {MOMENTS[0].value})
    row.notes.append(", ".join(sorted(met | {MOMENTS[0].value})))
    yield calls


@asynccontextmanager
async def at_first_words(scene: Scene, row: Row) -> AsyncIterator[list[Call]]:
    """Strike inside: one transfer has begun this moment, another's supervisor is heard for the first time."""
    callers = await scene.stage.callers(2)
    joined = await _at(scene, callers[0], MOMENTS[1])
    calls = [joined, await _at(scene, callers[1], Phase.STARTED)]
    row.cells += 2
    yield calls


async def _at(scene: Scene, caller: PlacedCall, phase: Phase, supervisor: str = READY) -> Call:
    call = await scene.stage.begin(caller, supervisor, **PATIENCE)
    await call.until(phase)
    return call
