"""The same id twice is one transfer; a second transfer of the same caller is refused."""

from __future__ import annotations

import asyncio

import pytest

from warmxfer.schemas import Outcome, WarmTransferPhase

from .stack_fixture import TransferDriver

SLOW_TO_ANSWER = "+14155550122"

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_same_request_id_twice_is_one_transfer(driver: TransferDriver) -> None:
    (caller,) = await driver.callers(1)
    first = await driver.begin(caller)
    again = await driver.begin(caller, id=first.transfer.id)
    results = await asyncio.gather(first.result(), again.result())
    assert results[0] == results[1]
    report = await first.assert_clean_end()
    assert list(report["dials"].values()) == [1]


async def test_a_second_transfer_of_a_caller_is_refused_while_the_first_runs(driver: TransferDriver) -> None:
    await driver.person(SLOW_TO_ANSWER, script="ready", ringS=50)
    (caller,) = await driver.callers(1)
    first = await driver.begin(caller, SLOW_TO_ANSWER)
    await first.until(WarmTransferPhase.CALLER_ON_HOLD)
    second = await (await driver.begin(caller)).result()
    assert second.outcome is Outcome.CALLER_IN_TRANSFER
    assert second.detail == (
        f"session {caller.room_id} is already being transferred by {first.transfer.id}; "
        "wait for that transfer to end, or cancel it."
    )
    assert (await first.result()).outcome is Outcome.COMPLETE
    await first.assert_clean_end()
