"""SwitchCaller: both legs are checked, one switch is requested, an unknown outcome is looked up, not
repeated.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from warmxfer.actors.gateway.handlers.switch import LEGS_UNKNOWN
from warmxfer.schemas import CallerReturned, CallerSwitched, CommandFailed, FailureKind

from .gateway_fixture import Bridge, GatewayHarness

LOOK_UP = {"method": "GET", "path": "/v2/sip/call/*"}
SWITCH = {"method": "POST", "path": "/v2/sip/call/switch-room"}


async def switch(harness: GatewayHarness, bridge: Bridge, kind: type[Any]) -> Any:
    return await harness.execute(harness.switch(bridge.caller, bridge.supervisor, bridge.consult), kind)


async def test_the_caller_is_moved_with_our_participant_id(harness: GatewayHarness, bridge: Bridge) -> None:
    reply = await switch(harness, bridge, CallerSwitched)
    assert reply.response["data"]["callId"] == bridge.caller
    joined = await harness.cloud.wait_ledger(bridge.consult, "joined", 2)
    assert joined[-1]["participantId"] == f"wxc-{harness.id}"
    assert len(await harness.executed("switch")) == 1


async def test_a_caller_who_hung_up_is_not_moved(harness: GatewayHarness, bridge: Bridge) -> None:
    await harness.cloud.hang_up("caller-14155550201")
    reply = await switch(harness, bridge, CommandFailed)
    assert reply.failure is FailureKind.CALLER_GONE
    assert await harness.executed("switch") == []


async def test_no_caller_is_moved_to_a_supervisor_who_hung_up(
    harness: GatewayHarness, bridge: Bridge
) -> None:
    await harness.cloud.hang_up(harness.supervisor)
    reply = await switch(harness, bridge, CommandFailed)
    assert reply.failure is FailureKind.SUPERVISOR_GONE
    assert await harness.executed("switch") == []


async def test_a_switch_refused_for_a_missing_supervisor_is_not_made_by_a_slower_delivery(
    harness: GatewayHarness, bridge: Bridge
) -> None:
    """The slower delivery had read the supervisor's leg while it was up. It used to move the caller to an
    empty room, after the refusal.
    """
    await harness.cloud.hang_up(harness.supervisor)
    await switch(harness, bridge, CommandFailed)
    live_call = bridge.caller
    slower = harness.switch(bridge.caller, live_call, bridge.consult)
    assert (await harness.execute(slower, CommandFailed)).failure is FailureKind.CALLED_OFF
    assert await harness.executed("switch") == []


@pytest.mark.parametrize("kind", ["execute_then_reset", "execute_then_timeout", "garbage", "wrong_schema"])
async def test_a_switch_without_a_reply_is_found(harness: GatewayHarness, bridge: Bridge, kind: str) -> None:
    await harness.cloud.break_once(kind, SWITCH, holdS=20.0)
    reply = await switch(harness, bridge, CallerSwitched)
    assert reply.response["data"]["roomId"] == bridge.consult
    assert len(await harness.executed("switch")) == 1


async def test_an_error_with_the_caller_in_the_old_room_is_a_refusal(
    harness: GatewayHarness, bridge: Bridge
) -> None:
    await harness.cloud.break_once("status", SWITCH, status=500)
    reply = await switch(harness, bridge, CommandFailed)
    assert (reply.failure, reply.status) == (FailureKind.REFUSED, 500)
    assert reply.detail == (
        "POST /v2/sip/call/switch-room answered 500: Fault 500.; the caller was not moved."
    )


async def test_an_error_is_no_refusal_while_the_switch_may_still_happen(
    idle_harness: GatewayHarness, bridge: Bridge
) -> None:
    """Found by simulation. The reply's deadline ended the search early, and the switch happened after that.

    The caller had been released.
    """
    idle_harness.start(WARMXFER_SETTLE_S="60")
    await idle_harness.cloud.break_once("status", SWITCH, status=500)
    reply = await switch(idle_harness, bridge, CommandFailed)
    assert (reply.failure, reply.status) == (FailureKind.UNKNOWN, 500)
    assert reply.detail.endswith("Fault 500.; the provider did not say where the caller is.")


@pytest.mark.parametrize("fault", [{"kind": "reset"}, {"kind": "status", "status": 504}])
async def test_a_request_that_may_still_be_executed_is_unknown(
    harness: GatewayHarness, bridge: Bridge, fault: dict[str, Any]
) -> None:
    await harness.cloud.break_once(match=SWITCH, **fault)
    reply = await switch(harness, bridge, CommandFailed)
    assert reply.failure is FailureKind.UNKNOWN


async def test_a_refused_switch_is_reported_with_its_status(harness: GatewayHarness, bridge: Bridge) -> None:
    await harness.cloud.break_once("status", SWITCH, status=400, body={"message": "Room is not active."})
    reply = await switch(harness, bridge, CommandFailed)
    assert (reply.failure, reply.status) == (FailureKind.REFUSED, 400)
    assert reply.detail.endswith("answered 400: Room is not active.")


async def test_a_switch_without_a_reply_that_failed_is_refused(
    harness: GatewayHarness, bridge: Bridge
) -> None:
    await harness.cloud.break_once("execute_then_reset", SWITCH)
    await harness.cloud.break_once("fails", {"switch": True})
    reply = await switch(harness, bridge, CommandFailed)
    assert (reply.failure, reply.detail) == (FailureKind.REFUSED, "The provider could not move the caller.")


async def test_two_gateways_and_five_copies_make_one_switch(harness: GatewayHarness, bridge: Bridge) -> None:
    harness.start()
    command = harness.switch(bridge.caller, bridge.supervisor, bridge.consult)
    await asyncio.gather(*(harness.send(command) for _ in range(5)))
    await harness.event(CallerSwitched)
    await harness.all_handled()
    assert len(await harness.executed("switch")) == 1
    failed = [event for event in await harness.events() if isinstance(event, CommandFailed)]
    assert failed == []


async def test_an_expired_switch_is_called_off(harness: GatewayHarness, bridge: Bridge) -> None:
    command = harness.switch(bridge.caller, bridge.supervisor, bridge.consult, within_s=-1.0)
    reply = await harness.execute(command, CommandFailed)
    assert reply.failure is FailureKind.CALLED_OFF
    assert await harness.executed("switch") == []


async def test_a_caller_is_switched_after_a_short_outage_of_the_provider(
    harness: GatewayHarness, bridge: Bridge
) -> None:
    """The supervisor had accepted, and one request without a reply used to end the transfer."""
    await harness.cloud.break_once("status", LOOK_UP, 6, status=503)
    await switch(harness, bridge, CallerSwitched)


async def test_a_switch_whose_check_is_forbidden_is_refused_with_the_status(
    harness: GatewayHarness, bridge: Bridge
) -> None:
    await harness.cloud.break_once("status", LOOK_UP, times=0, status=403)
    reply = await switch(harness, bridge, CommandFailed)
    assert (reply.failure, reply.status) == (FailureKind.REFUSED, 403)
    assert await harness.executed("switch") == []


async def test_a_switch_that_could_not_be_checked_never_happens_later(
    harness: GatewayHarness, bridge: Bridge
) -> None:
    await harness.cloud.break_once("status", LOOK_UP, times=0, status=503)
    command = harness.switch(bridge.caller, bridge.supervisor, bridge.consult, within_s=3.0)
    reply = await harness.execute(command, CommandFailed)
    assert (reply.failure, reply.detail) == (FailureKind.REFUSED, LEGS_UNKNOWN)
    await harness.cloud.http.delete("/sandbox/faults")
    again = await switch(harness, bridge, CommandFailed)
    assert again.failure is FailureKind.CALLED_OFF


async def test_a_second_transfer_is_not_fooled_by_earlier_moves(
    harness: GatewayHarness, bridge: Bridge
) -> None:
    """The caller's record still says `switch-room-completed`, from the return in an earlier transfer."""
    await switch(harness, bridge, CallerSwitched)
    await harness.cloud.wait_ledger(bridge.consult, "joined", 2)
    back = harness.bring_back(bridge.caller, bridge.primary, bridge.consult)
    assert (await harness.execute(back, CallerReturned)).caller_up
    harness.id += "-second"
    await harness.cloud.break_once("status", SWITCH, status=500)
    reply = await switch(harness, bridge, CommandFailed)
    assert reply.failure is FailureKind.REFUSED
