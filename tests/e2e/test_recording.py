"""Recorded as the original records, and further: nobody's leaving cuts it short."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from warmxfer.schemas import WarmTransferResult

from .stack_fixture import Call, Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")

LEAVE_TIMEOUT_S = 20.0


async def test_both_are_recorded_for_as_long_as_they_talk(stage: Stage) -> None:
    (caller,) = await stage.callers(1)
    call = await stage.begin(caller, record=True)
    result = await call.result()
    assert (result.success, result.evidence) == (True, {"recording": "started"})
    await _agents_have_left(call, result)
    ledger = await stage.house.ledger(room=result.consultation_room_id or "")
    supervisor, other = result.supervisor_participant_id, result.caller_participant_id
    assert [each["participantId"] for each in _of(ledger, "recording_started")] == [supervisor, other]
    arrived = next(each["n"] for each in _of(ledger, "joined") if each["participantId"] == other)
    assert _of(ledger, "recording_started")[1]["n"] > arrived
    assert _of(ledger, "recording_stopped") == []
    await stage.house.post(f"/sandbox/people/{other}/hangup", {})
    ledger = await stage.house.ledger(room=result.consultation_room_id or "")
    assert [each["participantId"] for each in _of(ledger, "recording_stopped")] == [other]


async def test_a_provider_that_does_not_record_costs_nobody_the_call(stage: Stage) -> None:
    start = {"method": "POST", "path": "/v2/recordings/participant/start"}
    await stage.fault("status", start, times=0, status=422, body={"message": "out of storage"})
    (caller,) = await stage.callers(1)
    call = await stage.begin(caller, record=True)
    result = await call.result()
    assert result.success
    assert result.evidence["recording"] == (
        "not started: POST /v2/recordings/participant/start answered 422: out of storage"
    )
    await call.assert_nobody_stranded()


async def test_nobody_is_recorded_who_was_not_to_be(stage: Stage) -> None:
    (caller,) = await stage.callers(1)
    result = await (await stage.begin(caller)).result()
    assert (result.success, result.evidence) == (True, {})
    assert await stage.house.ledger(kind="recording_started") == []


async def _agents_have_left(call: Call, result: WarmTransferResult) -> None:
    """Return once neither room has an agent of ours in it."""
    rooms = {call.caller.room_id, result.consultation_room_id}
    async with asyncio.timeout(LEAVE_TIMEOUT_S):
        while True:
            ledger = await call.house.ledger()
            agents = {each["participantId"] for each in _of(ledger, "joined") if each["agent"]}
            left = {each["participantId"] for each in _of(ledger, "left") if each["roomId"] in rooms}
            if len(agents) == 2 and agents <= left:
                return
            await asyncio.sleep(0.05)


def _of(ledger: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [each for each in ledger if each["kind"] == kind]
