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

from .gateway_fixture import GatewayHarness

BUSY = "+14155550102"


async def test_the_caller_is_found_in_the_room(harness: GatewayHarness) -> None:
    arrived = await harness.caller()
    command = FindCallerCall(room_id=arrived["roomId"], call_id=None, **harness.within())
    assert (await harness.execute(command, CallerCallFound)).call_id == arrived["callId"]


async def test_h10_the_caller_is_found_behind_sixty_calls_that_are_over(harness: GatewayHarness) -> None:
    arrived = await harness.caller()
    room = arrived["roomId"]
    for number in range(60):
        await harness.cloud.dial(room, f"earlier-{number}")
        await harness.cloud.hang_up(f"earlier-{number}")
    command = FindCallerCall(room_id=room, call_id=None, **harness.within())
    assert (await harness.execute(command, CallerCallFound)).call_id == arrived["callId"]


async def test_a_room_that_does_not_exist_is_named(harness: GatewayHarness) -> None:
    command = FindCallerCall(room_id="no-such-room", call_id=None, **harness.within())
    reply = await harness.execute(command, CommandFailed)
    assert (reply.failure, reply.room_missing) == (FailureKind.REFUSED, True)
    assert reply.detail == (
        "room_id is 'no-such-room', but the provider has no such room; "
        "give the room in which the caller and the AI talk."
    )


async def test_refused_credentials_say_nothing_about_the_caller(idle_harness: GatewayHarness) -> None:
    idle_harness.start(VIDEOSDK_SECRET="another-secret-of-at-least-thirty-two-bytes")
    command = FindCallerCall(room_id="no-such-room", call_id=None, **idle_harness.within())
    reply = await idle_harness.execute(command, CommandFailed)
    assert (reply.failure, reply.status) == (FailureKind.BROKEN, 401)
    assert reply.detail.endswith("; check VIDEOSDK_API_KEY and VIDEOSDK_SECRET")


async def test_a_forbidden_read_says_nothing_about_the_caller(harness: GatewayHarness) -> None:
    await harness.cloud.break_once("status", {"method": "GET", "path": "/v2/sip/call"}, times=0, status=403)
    command = FindCallerCall(room_id="no-such-room", call_id=None, **harness.within())
    reply = await harness.execute(command, CommandFailed)
    assert (reply.failure, reply.status) == (FailureKind.BROKEN, 403)


async def test_a_dialled_leg_is_not_taken_for_the_caller(harness: GatewayHarness) -> None:
    room = await harness.cloud.open_room()
    await harness.send(harness.dial(room))
    await harness.cloud.wait_ledger(room, "dial", 1)
    command = FindCallerCall(room_id=room, call_id=None, **harness.within())
    reply = await harness.execute(command, CommandFailed)
    assert (reply.failure, reply.room_missing) == (FailureKind.REFUSED, False)
    assert reply.detail == (
        f"Caller is not a SIP participant in room {room}; a warm transfer needs a live phone call."
    )


async def test_a_known_call_must_be_up(harness: GatewayHarness) -> None:
    arrived = await harness.caller()
    known = FindCallerCall(room_id=arrived["roomId"], call_id=arrived["callId"], **harness.within())
    assert (await harness.execute(known, CallerCallFound)).call_id == arrived["callId"]
    await harness.cloud.hang_up(arrived["participantId"])
    gone = FindCallerCall(room_id=arrived["roomId"], call_id=arrived["callId"], **harness.within())
    assert (await harness.execute(gone, CommandFailed)).failure is FailureKind.REFUSED


async def test_a_caller_is_found_after_a_short_outage_of_the_provider(harness: GatewayHarness) -> None:
    arrived = await harness.caller()
    await harness.cloud.break_once("status", {"method": "GET", "path": "/v2/sip/call"}, 6, status=503)
    command = FindCallerCall(room_id=arrived["roomId"], call_id=None, **harness.within())
    assert (await harness.execute(command, CallerCallFound)).call_id == arrived["callId"]


async def test_an_unreachable_provider_is_not_reported_as_a_missing_caller(harness: GatewayHarness) -> None:
    arrived = await harness.caller()
    await harness.cloud.break_once("status", {"method": "GET", "path": "/v2/sip/call"}, 0, status=503)
    command = FindCallerCall(room_id=arrived["roomId"], call_id=None, **harness.within(2.0))
    reply = await harness.execute(command, CommandFailed)
    assert (reply.failure, reply.detail) == (FailureKind.REFUSED, UNANSWERED)


async def test_both_legs_are_reported(harness: GatewayHarness) -> None:
    arrived = await harness.caller()
    room = await harness.cloud.open_room()
    busy = await harness.cloud.dial(room, harness.supervisor, BUSY)
    await harness.cloud.wait_ledger(room, "hangup", 1)
    command = CheckLegs(caller_call_id=arrived["callId"], supervisor_call_id=busy, **harness.within())
    reply = await harness.execute(command, LegsChecked)
    assert reply.caller is not None
    assert (reply.caller.up, reply.caller.room_id) == (True, arrived["roomId"])
    assert reply.supervisor is not None
    assert (reply.supervisor.up, reply.supervisor.cause, reply.supervisor.sip_code) == (
        False,
        CallCause.BUSY,
        486,
    )


async def test_a_leg_without_a_readable_record_is_not_reported(harness: GatewayHarness) -> None:
    await harness.cloud.break_once("status", {"method": "GET", "path": "/v2/sip/call/one"}, 0, status=503)
    command = CheckLegs(caller_call_id="one", supervisor_call_id="../two?x=1", **harness.within())
    reply = await harness.execute(command, LegsChecked)
    assert reply.caller is None
    assert reply.supervisor is not None
    assert (reply.supervisor.up, reply.supervisor.status) == (False, "gone")


async def test_a_leg_that_is_missing_once_is_not_gone(harness: GatewayHarness) -> None:
    """One wrong reply of the provider used to make the caller count as gone, so the caller was not
    returned.
    """
    arrived = await harness.caller()
    one = {"method": "GET", "path": f"/v2/sip/call/{arrived['callId']}"}
    await harness.cloud.break_once("status", one, status=404)
    command = CheckLegs(caller_call_id=arrived["callId"], supervisor_call_id=None, **harness.within())
    reply = await harness.execute(command, LegsChecked)
    assert reply.caller is not None
    assert reply.caller.up
