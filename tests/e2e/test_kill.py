"""kill -9 of an actor's only process, or of the broker, while transfers hold, ring and brief."""

from __future__ import annotations

import asyncio

import pytest

from tests.testkit.nats_server import restart
from warmxfer.schemas import Outcome, WarmTransferPhase

from .stack_fixture import READY, Call, TransferDriver

pytestmark = pytest.mark.asyncio(loop_scope="session")

SLOW_TO_ANSWER, SLOW_TO_SAY_YES = "+14155550122", "+14155550123"
TIMEOUTS = {"command_timeout_s": 20, "supervisor_join_timeout_s": 60, "briefing_timeout_s": 60}


async def three_transfers(driver: TransferDriver) -> list[Call]:
    """Start three transfers: one is briefing, one is ringing, one has just held its caller."""
    await driver.person(SLOW_TO_ANSWER, script="ready", ringS=30)
    await driver.person(SLOW_TO_SAY_YES, script="ready", replyS=20)
    callers = await driver.callers(3)
    briefing = await driver.begin(callers[0], SLOW_TO_SAY_YES, **TIMEOUTS)
    await briefing.until(WarmTransferPhase.BRIEFING_STARTED)
    ringing = await driver.begin(callers[1], SLOW_TO_ANSWER, **TIMEOUTS)
    await ringing.until(WarmTransferPhase.SUPERVISOR_DIALED)
    holding = await driver.begin(callers[2], READY, **TIMEOUTS)
    await holding.until(WarmTransferPhase.CALLER_ON_HOLD)
    return [briefing, ringing, holding]


async def assert_all_complete(calls: list[Call]) -> None:
    results = await asyncio.gather(*(call.result() for call in calls))
    assert [result.outcome for result in results] == [Outcome.COMPLETE] * len(calls)
    for call in calls:
        report = await call.assert_clean_end()
        assert report["switches"] == {"forward": 1, "back": 0}
        assert [phase.seq for phase in await call.phases()] == list(range(1, 12))


@pytest.mark.parametrize("role", ["coordinator", "gateway", "summarizer", "briefing", "primary"])
async def test_h22_a_killed_actor_strands_no_caller_and_dials_no_supervisor_twice(
    driver: TransferDriver, role: str
) -> None:
    calls = await three_transfers(driver)
    await driver.stack.kill(role)
    rooms = [call.caller.room_id for call in calls] if role == "primary" else []
    await driver.stack.start(role, rooms=rooms)
    await assert_all_complete(calls)


@pytest.mark.parametrize("how", ["kill -9", "restart"])
async def test_a_broker_that_dies_loses_no_transfer(driver: TransferDriver, how: str) -> None:
    calls = await three_transfers(driver)
    await restart(driver.stack.nats, kill=how == "kill -9")
    await assert_all_complete(calls)
