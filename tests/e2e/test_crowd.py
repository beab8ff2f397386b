"""Two processes of every role at once, and fifty transfers."""

from __future__ import annotations

import asyncio

from tests.testkit.invariants import HISTORY_CHECKS
from tests.testkit.transfer_history import read_history
from warmxfer.bus import Bus
from warmxfer.cli.local_stack.stack import ROOT, LocalStack
from warmxfer.schemas import Outcome, participant_ids

from .stack_fixture import Call, running_stack

TRANSFERS = 50
TWO_OF_EACH = {"coordinator": 2, "gateway": 2, "summarizer": 2, "briefing": 2}


async def test_two_of_every_role_move_fifty_transfers_once_each() -> None:
    async with running_stack(time_scale=0.1, counts=TWO_OF_EACH) as driver:
        callers = [*await driver.callers(TRANSFERS // 2), *await driver.callers(TRANSFERS // 2)]
        config = {"command_timeout_s": 30, "summary_timeout_s": 30}
        calls = await asyncio.gather(*(driver.begin(caller, **config) for caller in callers))
        results = await asyncio.gather(*(call.result() for call in calls))
        assert [result.outcome for result in results] == [Outcome.COMPLETE] * TRANSFERS
        for call in calls:
            report = await call.assert_clean_end()
            assert list(report["dials"].values()) == [1]
            assert report["switches"] == {"forward": 1, "back": 0}
            assert [phase.seq for phase in await call.phases()] == list(range(1, 12))
            await assert_heard_apart(call)
        assert await broken_histories(driver.stack, calls) == []


async def assert_heard_apart(call: Call) -> None:
    """Assert that the supervisor alone heard the briefing, and heard nothing of the call before the move."""
    result = await call.result()
    supervisor = participant_ids.supervisor(call.transfer.id, 1)
    agent, caller = participant_ids.agent(call.transfer.id), participant_ids.caller_consult(call.transfer.id)
    spoken = await call.stack.ledger(room=result.consultation_room_id or "", kind="speech")
    briefing = [
        each for each in spoken if each["participantId"] == agent and each["text"] in (result.summary or "")
    ]
    assert any(supervisor in each["heardBy"] for each in briefing)
    assert [each["text"] for each in briefing if caller in each["heardBy"]] == []
    with_the_ai = await call.stack.ledger(room=call.caller.room_id, kind="speech")
    assert with_the_ai
    assert [each["text"] for each in with_the_ai if supervisor in each["heardBy"]] == []


async def broken_histories(stack: LocalStack, calls: list[Call]) -> list[str]:
    """Return what the streams show broken: two ends, a gap, a forbidden step, a log that does not replay."""
    async with await Bus.connect(stack.settings(ROOT), name="test") as bus:
        histories = [await read_history(bus, call.transfer.id) for call in calls]
    return [
        f"{history.id}: {violation}"
        for history in histories
        for check in HISTORY_CHECKS
        for violation in check(history)
    ]
