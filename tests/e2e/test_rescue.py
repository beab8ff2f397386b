"""kill -9 of the process of a caller's AI, which no operator starts again.

With `config.rescue` a person is dialled, or an agent dispatched, once, to a caller whom no session answers
for. Without it, the result says that the caller may be alone. A supervisor who says yes gets the caller.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from warmxfer.schemas import Outcome, WarmTransferPhase

from .stack_fixture import OUR_NUMBER, RESULT_TIMEOUT_S, Call, TransferDriver

pytestmark = pytest.mark.asyncio(loop_scope="session")

SUPERVISOR, RESCUER = "+14155550121", "+14155550114"
DIAL = {"by": "dial", "routing_rule_id": "rr_1", "sip_call_to": RESCUER, "sip_call_from": OUR_NUMBER}
AGENT = {"by": "agent", "agent_id": "sandbox-agent"}
RESCUES: dict[str, dict[str, str] | None] = {"dial": DIAL, "agent": AGENT, "none": None}
RESCUED_BY = {"dial": "dialled", "agent": "agent dispatched"}
SLOW_S = 15.0
"""Simulated seconds that a supervisor rings and thinks: long enough to kill a process meanwhile."""

KILLED_AT = [WarmTransferPhase.SUPERVISOR_DIALED, WarmTransferPhase.BRIEFING_STARTED]
NO_ANSWER = "no session answered the release"


async def killed(
    driver: TransferDriver, script: str, phase: WarmTransferPhase, rescue: dict[str, Any] | None
) -> Call:
    """Start a transfer to a supervisor of this script, and kill the AI's process at `phase`."""
    await driver.person(SUPERVISOR, script=script, ringS=SLOW_S, replyS=SLOW_S)
    (caller,) = await driver.callers(1)
    config: dict[str, Any] = {
        "command_timeout_s": 6,
        "briefing_timeout_s": 8,
        **({"rescue": rescue} if rescue else {}),
    }
    call = await driver.begin(caller, SUPERVISOR, **config)
    await call.until(phase)
    await driver.stack.kill("primary")
    return call


async def company(call: Call) -> dict[str, Any]:
    """Return the transfer report once the caller is not alone."""
    async with asyncio.timeout(RESULT_TIMEOUT_S):
        while (report := await call.report())["callerAlone"]:
            await asyncio.sleep(0.05)
    return report


@pytest.mark.parametrize("phase", KILLED_AT)
@pytest.mark.parametrize("rescue", RESCUES)
@pytest.mark.parametrize(
    ("script", "outcome"), [("declines", Outcome.DECLINED), ("silent", Outcome.BRIEFING_TIMEOUT)]
)
async def test_h22_a_caller_whose_ai_died_is_rescued_or_the_result_says_that_they_may_be_alone(
    driver: TransferDriver, phase: WarmTransferPhase, rescue: str, script: str, outcome: Outcome
) -> None:
    call = await killed(driver, script, phase, RESCUES[rescue])
    result = await call.result()
    assert result.outcome is outcome
    if rescue == "none":
        assert result.evidence["caller"] == f"may be alone: {NO_ANSWER}"
        report = await call.assert_clean_end(ai_killed=True)
        assert (report["rescues"], report["callerAlone"]) == (0, True)
        return
    assert result.evidence["caller"] == f"rescued: {NO_ANSWER}"
    assert result.evidence["caller_rescued"] == RESCUED_BY[rescue]
    await company(call)
    report = await call.assert_clean_end()
    assert (report["rescues"], report["callerRoom"]) == (1, call.caller.room_id)


@pytest.mark.parametrize("phase", KILLED_AT)
async def test_h22_a_supervisor_who_says_yes_gets_the_caller_and_there_is_no_rescue(
    driver: TransferDriver, phase: WarmTransferPhase
) -> None:
    call = await killed(driver, "ready", phase, DIAL)
    result = await call.result()
    assert result.outcome is Outcome.COMPLETE
    report = await call.assert_clean_end(ai_killed=True)
    assert (report["rescues"], report["callerAlone"]) == (0, False)


async def test_h22_a_caller_who_cannot_be_returned_to_a_dead_ai_is_returned_to_the_rescue(
    driver: TransferDriver,
) -> None:
    """The supervisor says yes and hangs up. The cloud moves no call into a room where no agent is."""
    call = await killed(driver, "yes_then_gone", WarmTransferPhase.BRIEFING_STARTED, DIAL)
    result = await call.result()
    assert not result.success
    async with asyncio.timeout(RESULT_TIMEOUT_S):
        while (report := await call.report())["callerAlone"] or report["callerRoom"] != call.caller.room_id:
            await asyncio.sleep(0.05)
    assert report["rescues"] == 1
    assert report["supervisorLegsUp"] == 0


async def test_a_caller_who_hung_up_with_their_ai_is_not_rescued(driver: TransferDriver) -> None:
    call = await killed(driver, "declines", WarmTransferPhase.SUPERVISOR_DIALED, DIAL)
    await driver.stack.post(f"/sandbox/people/{call.caller.participant_id}/hangup", {})
    await call.result()
    assert (await call.assert_clean_end(ai_killed=True))["rescues"] == 0


async def test_a_session_that_answers_within_the_time_prevents_the_rescue(driver: TransferDriver) -> None:
    """A process of the same session takes over: the release waited for it in the stream."""
    await driver.person(SUPERVISOR, script="declines", ringS=SLOW_S)
    (caller,) = await driver.callers(1)
    call = await driver.begin(caller, SUPERVISOR, command_timeout_s=30, rescue=DIAL)
    await call.until(WarmTransferPhase.SUPERVISOR_DIALED)
    await driver.stack.kill("primary")
    await driver.stack.start("primary", rooms=[caller.room_id])
    result = await call.result()
    assert result.outcome is Outcome.DECLINED
    assert "caller" not in result.evidence
    assert (await call.assert_clean_end())["rescues"] == 0
