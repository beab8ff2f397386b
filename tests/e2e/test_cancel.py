"""A cancel at each phase: the caller is back with the AI, and no leg is left."""

from __future__ import annotations

import asyncio

import pytest

from warmxfer.schemas import Outcome, WarmTransferPhase

from .stack_fixture import Call, TransferDriver

pytestmark = pytest.mark.asyncio(loop_scope="session")

EARLY = [
    WarmTransferPhase.STARTED,
    WarmTransferPhase.SUMMARY_GENERATING,
    WarmTransferPhase.SUMMARY_READY,
    WarmTransferPhase.CALLER_ON_HOLD,
    WarmTransferPhase.CONSULTATION_ROOM_CREATED,
    WarmTransferPhase.SUPERVISOR_DIALED,
    WarmTransferPhase.SUPERVISOR_JOINED,
    WarmTransferPhase.BRIEFING_STARTED,
]
LATE = [WarmTransferPhase.BRIEFING_COMPLETE, WarmTransferPhase.CALL_SWITCHED]


async def test_a_cancel_at_each_phase_brings_the_caller_back(driver: TransferDriver) -> None:
    # A caller who takes six seconds to arrive leaves time to cancel between the switch and its end.
    await driver.fault("arrives_late", {"switch": True}, times=0, delayS=60)
    callers = await driver.callers(len(EARLY) + len(LATE))
    await asyncio.gather(*(driver.conversation(caller, lines=1) for caller in callers))

    async def cancelled_at(call: Call, phase: WarmTransferPhase) -> None:
        await call.until(phase)
        await call.transfer.cancel("changed their mind")

    calls = [await driver.begin(caller, command_timeout_s=30) for caller in callers]
    at = dict(zip([*EARLY, *LATE], calls, strict=True))
    await asyncio.gather(*(cancelled_at(call, phase) for phase, call in at.items()))
    results = await asyncio.gather(*(call.result() for call in calls))
    assert {result.outcome for result in results} == {Outcome.CANCELLED}
    assert {result.phase for result in results} == {WarmTransferPhase.TRANSFER_CANCELLED}
    assert {result.detail for result in results} == {"changed their mind"}
    for call in calls:
        report = await call.assert_clean_end()
        assert report["callerLegUp"]
        assert report["supervisorLegsUp"] == 0
