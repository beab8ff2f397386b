"""Supervisors who hang up right before and right after completion, and no webhook that says so."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.chaos.pause import frozen
from tests.testkit.transfer_history import TransferHistory, read_history
from warmxfer.actors.coordinator.state_machine import Stage
from warmxfer.bus import Bus
from warmxfer.cli.local_stack.stack import ROOT
from warmxfer.schemas import LegsChecked, NoticeKind, Outcome, SpokenLines, WarmTransferPhase

from .stack_fixture import Call, TransferDriver

pytestmark = pytest.mark.asyncio(loop_scope="session")

PATIENCE_S = 30.0


async def without_webhooks(driver: TransferDriver) -> None:
    await driver.fault("drop", {"webhook": "*"}, times=0)


async def supervisor_hangs_up(call: Call) -> None:
    await call.stack.post(f"/sandbox/people/wxs-{call.transfer.id}-1/hangup", {})


async def history_of(call: Call) -> TransferHistory:
    async with await Bus.connect(call.stack.settings(ROOT), name="test") as bus:
        return await read_history(bus, call.transfer.id)


async def until_over(call: Call) -> TransferHistory:
    """Return the history once the guard has ended."""
    async with asyncio.timeout(PATIENCE_S):
        while (history := await history_of(call)).over_at is None:
            await asyncio.sleep(0.1)
    return history


async def until_stage(call: Call, stage: Stage) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while (await history_of(call)).records[-1][1].state.stage is not stage:
            await asyncio.sleep(0.02)


async def until_reported(call: Call, **expected: Any) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not expected.items() <= (await call.report()).items():
            await asyncio.sleep(0.05)


async def until_spoken(call: Call, line: str) -> None:
    """Return once the AI has said `line` in its room."""
    async with asyncio.timeout(PATIENCE_S):
        while line not in [
            each["text"] for each in await call.stack.ledger(room=call.caller.room_id, kind="speech")
        ]:
            await asyncio.sleep(0.05)


async def test_a_caller_left_alone_in_the_guard_is_back_with_the_ai(driver: TransferDriver) -> None:
    await without_webhooks(driver)
    (caller,) = await driver.callers(1)
    call = await driver.begin(caller, bridge_guard_s=4)
    assert (await call.result()).outcome is Outcome.COMPLETE
    assert (await call.report())["callerHeld"], "the AI stays, muted"
    await supervisor_hangs_up(call)
    await until_reported(call, callerRoom=caller.room_id, callerAlone=False, callerHeld=False)
    history = await until_over(call)
    assert history.notice_kinds == [NoticeKind.CALLER_RETURNED]
    checks = [record for _, record in history.transitions if isinstance(record.event, LegsChecked)]
    assert checks[-1].state.stage is Stage.GUARDING, "a leg check found it"
    await until_spoken(call, SpokenLines().supervisor_left)
    assert (await call.result()).outcome is Outcome.COMPLETE
    await call.assert_clean_end()


async def test_a_guard_that_finds_both_ends_with_the_leave_of_the_ai(driver: TransferDriver) -> None:
    (caller,) = await driver.callers(1)
    call = await driver.begin(caller, bridge_guard_s=1)
    assert (await call.result()).outcome is Outcome.COMPLETE
    await until_reported(call, callerHeld=False)
    history = await until_over(call)
    assert history.notice_kinds == []
    report = await call.assert_clean_end()
    assert (report["supervisorLegsUp"], report["callerAlone"]) == (1, False)


async def test_no_transfer_completes_after_its_supervisor_hung_up(driver: TransferDriver) -> None:
    """Regression: webhooks lost and the briefing agent frozen; it completed 9.6 s after the hang-up."""
    await without_webhooks(driver)
    (caller,) = await driver.callers(1)
    call = await driver.begin(caller, command_timeout_s=3)
    await call.until(WarmTransferPhase.BRIEFING_COMPLETE)
    with frozen(driver.stack.running("briefing")):
        await until_stage(call, Stage.HANDING_OVER)
        await supervisor_hangs_up(call)
        result = await call.result()
    assert result.outcome is Outcome.SUPERVISOR_DISCONNECTED
    assert result.evidence["source"] == "provider"
    await call.assert_clean_end()
