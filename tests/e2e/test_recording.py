"""Recording as in VideoSDK's WarmTransferRunner; in addition, an agent that leaves does not end it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from warmxfer.schemas import WarmTransferResult

from .stack_fixture import Call, TransferDriver

pytestmark = pytest.mark.asyncio(loop_scope="session")

LEAVE_TIMEOUT_S = 20.0


async def test_both_are_recorded_for_as_long_as_they_talk(driver: TransferDriver) -> None:
    (caller,) = await driver.callers(1)
    call = await driver.begin(caller, record=True)
    result = await call.result()
    assert (result.success, result.evidence["recording"]) == (True, "started")
    await _agents_have_left(call, result)
    ledger = await driver.stack.ledger(room=result.consultation_room_id or "")
    supervisor, other = result.supervisor_participant_id, result.caller_participant_id
    assert [each["participantId"] for each in _of(ledger, "recording_started")] == [supervisor, other]
    arrived = next(each["n"] for each in _of(ledger, "joined") if each["participantId"] == other)
    assert _of(ledger, "recording_started")[1]["n"] > arrived
    assert _of(ledger, "recording_stopped") == []
    await driver.stack.post(f"/sandbox/people/{other}/hangup", {})
    ledger = await driver.stack.ledger(room=result.consultation_room_id or "")
    assert [each["participantId"] for each in _of(ledger, "recording_stopped")] == [other]


async def test_a_failed_recording_does_not_end_the_transfer(driver: TransferDriver) -> None:
    start = {"method": "POST", "path": "/v2/recordings/participant/start"}
    await driver.fault("status", start, times=0, status=422, body={"message": "out of storage"})
    (caller,) = await driver.callers(1)
    call = await driver.begin(caller, record=True)
    result = await call.result()
    assert result.success
    assert result.evidence["recording"] == (
        "not started: POST /v2/recordings/participant/start answered 422: out of storage"
    )
    await call.assert_clean_end()


async def test_nothing_is_recorded_by_default(driver: TransferDriver) -> None:
    (caller,) = await driver.callers(1)
    result = await (await driver.begin(caller)).result()
    assert (result.success, "recording" in result.evidence) == (True, False)
    assert await driver.stack.ledger(kind="recording_started") == []


async def _agents_have_left(call: Call, result: WarmTransferResult) -> None:
    """Return once neither room has an agent of ours."""
    rooms = {call.caller.room_id, result.consultation_room_id}
    async with asyncio.timeout(LEAVE_TIMEOUT_S):
        while True:
            ledger = await call.stack.ledger()
            agents = {each["participantId"] for each in _of(ledger, "joined") if each["agent"]}
            left = {each["participantId"] for each in _of(ledger, "left") if each["roomId"] in rooms}
            if len(agents) == 2 and agents <= left:
                return
            await asyncio.sleep(0.05)


def _of(ledger: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [each for each in ledger if each["kind"] == kind]
