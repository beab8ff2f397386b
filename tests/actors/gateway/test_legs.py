"""Call records: the caller is found among many calls, and both legs are reported."""

from __future__ import annotations

from warmxfer.actors.gateway.handlers.legs import UNANSWERED
from warmxfer.schemas import (
    CallCause,
    CallerCallFound,
    CheckLegs,
    CommandFailed,
    FailureKind,
    FindCallerCall,
    LegsChecked,
)

from .gateway_fixture import Office

BUSY = "+14155550102"


async def test_the_caller_is_found_in_the_room(office: Office) -> None:
    arrived = await office.caller()
    command = FindCallerCall(room_id=arrived["roomId"], call_id=None, **office.within())
    assert (await office.ask(command, CallerCallFound)).call_id == arrived["callId"]


async def test_h10_the_caller_is_found_behind_sixty_calls_that_are_over(office: Office) -> None:
    arrived = await office.caller()
    room = arrived["roomId"]
    for number in range(60):
        await office.cloud.dial(room, f"earlier-{number}")
        await office.cloud.hang_up(f"earlier-{number}")
    command = FindCallerCall(room_id=room, call_id=None, **office.within())
    assert (await office.ask(command, CallerCallFound)).call_id == arrived["callId"]


async def test_a_leg_of_ours_is_no_caller(office: Office) -> None:
    room = await office.cloud.open_room()
    await office.tell(office.dial(room))
    await office.cloud.wait_ledger(room, "dial", 1)
    command = FindCallerCall(room_id=room, call_id=None, **office.within())
    answer = await office.ask(command, CommandFailed)
    assert answer.failure is FailureKind.REFUSED
    assert answer.detail == (
        f"Caller is not a SIP participant in room {room}; a warm transfer needs a live phone call."
    )


async def test_a_known_call_must_be_up(office: Office) -> None:
    arrived = await office.caller()
    known = FindCallerCall(room_id=arrived["roomId"], call_id=arrived["callId"], **office.within())
    assert (await office.ask(known, CallerCallFound)).call_id == arrived["callId"]
    await office.cloud.hang_up(arrived["participantId"])
    gone = FindCallerCall(room_id=arrived["roomId"], call_id=arrived["callId"], **office.within())
    assert (await office.ask(gone, CommandFailed)).failure is FailureKind.REFUSED


async def test_a_caller_is_found_though_the_provider_was_away_for_a_moment(office: Office) -> None:
    arrived = await office.caller()
    await office.cloud.break_once("status", {"method": "GET", "path": "/v2/sip/call"}, 6, status=503)
    command = FindCallerCall(room_id=arrived["roomId"], call_id=None, **office.within())
    assert (await office.ask(command, CallerCallFound)).call_id == arrived["callId"]


async def test_of_a_provider_that_stays_away_nobody_says_that_there_is_no_caller(office: Office) -> None:
    arrived = await office.caller()
    await office.cloud.break_once("status", {"method": "GET", "path": "/v2/sip/call"}, 0, status=503)
    command = FindCallerCall(room_id=arrived["roomId"], call_id=None, **office.within(2.0))
    answer = await office.ask(command, CommandFailed)
    assert (answer.failure, answer.detail) == (FailureKind.REFUSED, UNANSWERED)


async def test_both_legs_are_seen(office: Office) -> None:
    arrived = await office.caller()
    room = await office.cloud.open_room()
    busy = await office.cloud.dial(room, office.supervisor, BUSY)
    await office.cloud.wait_ledger(room, "hangup", 1)
    command = CheckLegs(caller_call_id=arrived["callId"], supervisor_call_id=busy, **office.within())
    answer = await office.ask(command, LegsChecked)
    assert answer.caller is not None
    assert (answer.caller.up, answer.caller.room_id) == (True, arrived["roomId"])
    assert answer.supervisor is not None
    assert (answer.supervisor.up, answer.supervisor.cause, answer.supervisor.sip_code) == (
        False,
        CallCause.BUSY,
        486,
    )


async def test_a_leg_that_cannot_be_seen_is_left_open(office: Office) -> None:
    await office.cloud.break_once("status", {"method": "GET", "path": "/v2/sip/call/one"}, 0, status=503)
    command = CheckLegs(caller_call_id="one", supervisor_call_id="../two?x=1", **office.within())
    answer = await office.ask(command, LegsChecked)
    assert answer.caller is None
    assert answer.supervisor is not None
    assert (answer.supervisor.up, answer.supervisor.status) == (False, "gone")


async def test_a_leg_that_is_missing_once_is_not_gone(office: Office) -> None:
    """One wrong word of the provider, and the caller was taken for gone and brought home by nobody."""
    arrived = await office.caller()
    one = {"method": "GET", "path": f"/v2/sip/call/{arrived['callId']}"}
    await office.cloud.break_once("status", one, status=404)
    command = CheckLegs(caller_call_id=arrived["callId"], supervisor_call_id=None, **office.within())
    answer = await office.ask(command, LegsChecked)
    assert answer.caller is not None
    assert answer.caller.up
