"""The caller's move: both legs first, one switch, and a doubt is looked at, never repeated."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from warmxfer.actors.gateway.handlers.switch import LEGS_UNKNOWN
from warmxfer.schemas import CallerReturned, CallerSwitched, CommandFailed, FailureKind

from .gateway_fixture import Bridge, Office

LOOK_UP = {"method": "GET", "path": "/v2/sip/call/*"}
SWITCH = {"method": "POST", "path": "/v2/sip/call/switch-room"}


async def switch(office: Office, bridge: Bridge, kind: type[Any]) -> Any:
    return await office.ask(office.switch(bridge.caller, bridge.supervisor, bridge.consult), kind)


async def test_the_caller_is_moved_under_our_name(office: Office, bridge: Bridge) -> None:
    answer = await switch(office, bridge, CallerSwitched)
    assert answer.response["data"]["callId"] == bridge.caller
    joined = await office.cloud.wait_ledger(bridge.consult, "joined", 2)
    assert joined[-1]["participantId"] == f"wxc-{office.id}"
    assert len(await office.executed("switch")) == 1


async def test_a_caller_who_hung_up_is_not_moved(office: Office, bridge: Bridge) -> None:
    await office.cloud.hang_up("caller-14155550201")
    answer = await switch(office, bridge, CommandFailed)
    assert answer.failure is FailureKind.CALLER_GONE
    assert await office.executed("switch") == []


async def test_a_supervisor_who_hung_up_gets_no_caller(office: Office, bridge: Bridge) -> None:
    await office.cloud.hang_up(office.supervisor)
    answer = await switch(office, bridge, CommandFailed)
    assert answer.failure is FailureKind.SUPERVISOR_GONE
    assert await office.executed("switch") == []


async def test_a_move_refused_because_the_supervisor_is_gone_is_not_made_by_a_slower_delivery(
    office: Office, bridge: Bridge
) -> None:
    """It had looked while they were there: the caller was moved to nobody, after all was said."""
    await office.cloud.hang_up(office.supervisor)
    await switch(office, bridge, CommandFailed)
    somebody_up = bridge.caller
    slower = office.switch(bridge.caller, somebody_up, bridge.consult)
    assert (await office.ask(slower, CommandFailed)).failure is FailureKind.CALLED_OFF
    assert await office.executed("switch") == []


@pytest.mark.parametrize("kind", ["execute_then_reset", "execute_then_timeout", "garbage", "wrong_schema"])
async def test_a_move_that_happened_unseen_is_seen(office: Office, bridge: Bridge, kind: str) -> None:
    await office.cloud.break_once(kind, SWITCH, holdS=20.0)
    answer = await switch(office, bridge, CallerSwitched)
    assert answer.response["data"]["roomId"] == bridge.consult
    assert len(await office.executed("switch")) == 1


async def test_an_error_with_the_caller_seen_in_place_is_a_refusal(office: Office, bridge: Bridge) -> None:
    await office.cloud.break_once("status", SWITCH, status=500)
    answer = await switch(office, bridge, CommandFailed)
    assert (answer.failure, answer.status) == (FailureKind.REFUSED, 500)
    assert answer.detail == (
        "POST /v2/sip/call/switch-room answered 500: Fault 500.; the caller was not moved."
    )


@pytest.mark.parametrize("fault", [{"kind": "reset"}, {"kind": "status", "status": 504}])
async def test_a_request_that_may_still_be_at_work_is_unknown(
    office: Office, bridge: Bridge, fault: dict[str, Any]
) -> None:
    await office.cloud.break_once(match=SWITCH, **fault)
    answer = await switch(office, bridge, CommandFailed)
    assert answer.failure is FailureKind.UNKNOWN


async def test_a_refusal_is_final(office: Office, bridge: Bridge) -> None:
    await office.cloud.break_once("status", SWITCH, status=400, body={"message": "Room is not active."})
    answer = await switch(office, bridge, CommandFailed)
    assert (answer.failure, answer.status) == (FailureKind.REFUSED, 400)
    assert answer.detail.endswith("answered 400: Room is not active.")


async def test_a_move_the_provider_fails_in_doubt_is_a_refusal(office: Office, bridge: Bridge) -> None:
    await office.cloud.break_once("execute_then_reset", SWITCH)
    await office.cloud.break_once("fails", {"switch": True})
    answer = await switch(office, bridge, CommandFailed)
    assert (answer.failure, answer.detail) == (FailureKind.REFUSED, "The provider could not move the caller.")


async def test_copies_and_two_gateways_make_one_move(office: Office, bridge: Bridge) -> None:
    office.start()
    command = office.switch(bridge.caller, bridge.supervisor, bridge.consult)
    await asyncio.gather(*(office.tell(command) for _ in range(5)))
    await office.event(CallerSwitched)
    await office.all_handled()
    assert len(await office.executed("switch")) == 1
    failed = [event for event in await office.events() if isinstance(event, CommandFailed)]
    assert failed == []


async def test_a_move_nobody_waits_for_is_called_off(office: Office, bridge: Bridge) -> None:
    command = office.switch(bridge.caller, bridge.supervisor, bridge.consult, within_s=-1.0)
    answer = await office.ask(command, CommandFailed)
    assert answer.failure is FailureKind.CALLED_OFF
    assert await office.executed("switch") == []


async def test_a_caller_is_put_through_though_the_provider_was_away_for_a_moment(
    office: Office, bridge: Bridge
) -> None:
    """The supervisor had said yes, and one question without an answer ended it all."""
    await office.cloud.break_once("status", LOOK_UP, 6, status=503)
    await switch(office, bridge, CallerSwitched)


async def test_a_provider_that_is_away_moves_nobody_later(office: Office, bridge: Bridge) -> None:
    await office.cloud.break_once("status", LOOK_UP, times=0, status=503)
    command = office.switch(bridge.caller, bridge.supervisor, bridge.consult, within_s=3.0)
    answer = await office.ask(command, CommandFailed)
    assert (answer.failure, answer.detail) == (FailureKind.REFUSED, LEGS_UNKNOWN)
    await office.cloud.http.delete("/sandbox/faults")
    again = await switch(office, bridge, CommandFailed)
    assert again.failure is FailureKind.CALLED_OFF


async def test_a_second_transfer_is_not_fooled_by_earlier_moves(office: Office, bridge: Bridge) -> None:
    """The caller's record still says `switch-room-completed`, from being brought back an hour ago."""
    await switch(office, bridge, CallerSwitched)
    await office.cloud.wait_ledger(bridge.consult, "joined", 2)
    back = office.bring_back(bridge.caller, bridge.primary, bridge.consult)
    assert (await office.ask(back, CallerReturned)).caller_up
    office.id += "-second"
    await office.cloud.break_once("status", SWITCH, status=500)
    answer = await switch(office, bridge, CommandFailed)
    assert answer.failure is FailureKind.REFUSED
