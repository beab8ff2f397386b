"""DialSupervisor and EndCall: one dial per attempt, whatever the provider does, and none after it was
forbidden.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from msgspec import structs

from tests.testkit.provider_sandbox import TIME_SCALE
from warmxfer.schemas import CallEnded, CommandFailed, FailureKind, SIPDestination, SupervisorDialed

from .gateway_fixture import OUR_NUMBER, SUPERVISOR, GatewayHarness

DIAL = {"method": "POST", "path": "/v2/sip/call"}


async def test_a_dial_carries_our_participant_id_and_metadata(harness: GatewayHarness) -> None:
    room = await harness.cloud.open_room()
    reply = await harness.execute(harness.dial(room), SupervisorDialed)
    [dial] = await harness.executed("dial")
    assert reply.call_id == dial["callId"]
    assert reply.attempt == 1
    assert reply.response["message"] == "Call initiated successfully"
    assert dial["participantId"] == harness.supervisor
    assert dial["roomId"] == room
    assert dial["metadata"] == {"warmxferId": harness.id, "attempt": "1", "attemptKey": f"{harness.id}-1"}


@pytest.mark.parametrize("kind", ["execute_then_reset", "execute_then_timeout", "garbage", "wrong_schema"])
async def test_a_dial_without_a_reply_is_found(harness: GatewayHarness, kind: str) -> None:
    room = await harness.cloud.open_room()
    await harness.cloud.break_once(kind, DIAL, holdS=20.0)
    reply = await harness.execute(harness.dial(room), SupervisorDialed)
    [dial] = await harness.executed("dial")
    assert reply.call_id == dial["callId"]
    assert reply.response["data"]["roomId"] == room


async def test_the_gateway_waits_for_a_dial_that_is_executed_late(idle_harness: GatewayHarness) -> None:
    harness = idle_harness
    harness.start(WARMXFER_SETTLE_S="15")
    room = await harness.cloud.open_room()
    await harness.cloud.break_once("execute_late", DIAL, delayS=3.0)
    reply = await harness.execute(harness.dial(room, within_s=20.0), SupervisorDialed)
    assert [reply.call_id] == [dial["callId"] for dial in await harness.executed("dial")]


@pytest.mark.parametrize(("kind", "status"), [("reset", None), ("status", 500)])
async def test_a_dial_without_a_reply_that_is_not_found_is_unknown(
    harness: GatewayHarness, kind: str, status: int | None
) -> None:
    room = await harness.cloud.open_room()
    await harness.cloud.break_once(kind, DIAL, status=500)
    reply = await harness.execute(harness.dial(room), CommandFailed)
    assert (reply.failure, reply.status) == (FailureKind.UNKNOWN, status)
    assert reply.detail.startswith("POST /v2/sip/call")
    assert reply.detail.endswith("; no leg of it was found.")
    assert await harness.executed("dial") == []


async def test_h9_a_rate_limited_dial_is_retried(harness: GatewayHarness) -> None:
    room = await harness.cloud.open_room()
    await harness.cloud.break_once("status", DIAL, times=2, status=429, retryAfterS=0.05)
    await harness.execute(harness.dial(room), SupervisorDialed)
    assert len(await harness.executed("dial")) == 1


async def test_a_lasting_rate_limit_is_a_refusal(harness: GatewayHarness) -> None:
    room = await harness.cloud.open_room()
    await harness.cloud.break_once("status", DIAL, times=0, status=429)
    reply = await harness.execute(harness.dial(room), CommandFailed)
    assert (reply.failure, reply.status) == (FailureKind.REFUSED, 429)
    assert await harness.executed("dial") == []


async def test_a_refusal_says_why(harness: GatewayHarness) -> None:
    reply = await harness.execute(harness.dial("none-such-room"), CommandFailed)
    assert (reply.failure, reply.status) == (FailureKind.REFUSED, 404)
    assert reply.detail == "POST /v2/sip/call answered 404: Room not found."


async def test_a_number_outside_the_policy_is_never_dialled(idle_harness: GatewayHarness) -> None:
    idle_harness.start(WARMXFER_DIAL_REGIONS="DE")
    room = await idle_harness.cloud.open_room()
    reply = await idle_harness.execute(idle_harness.dial(room), CommandFailed)
    assert reply.failure is FailureKind.REFUSED
    assert "region US" in reply.detail
    assert await idle_harness.executed("dial") == []


async def test_a_name_is_replaced_right_before_the_dial(idle_harness: GatewayHarness, tmp_path: Path) -> None:
    entry = {"routing_rule_id": "rr_7", "sip_call_to": SUPERVISOR, "sip_call_from": OUR_NUMBER}
    (tmp_path / "directory.json").write_text(json.dumps({"billing": entry}))
    idle_harness.start(WARMXFER_DIAL_DIRECTORY=str(tmp_path / "directory.json"), WARMXFER_DIAL_BY="name")
    room = await idle_harness.cloud.open_room()
    order = idle_harness.dial(room)
    named = structs.replace(order, destination=SIPDestination(name="billing"))
    reply = await idle_harness.execute(named, SupervisorDialed)
    assert reply.response == {"data": {"callId": reply.call_id}}
    (call,) = [each for each in await idle_harness.calls() if each["type"] == "outbound"]
    assert (call["to"], call["from"]) == (SUPERVISOR, OUR_NUMBER)


async def test_a_refusal_of_a_dial_by_name_shows_no_number(
    idle_harness: GatewayHarness, tmp_path: Path
) -> None:
    entry = {"routing_rule_id": "rr_7", "sip_call_to": SUPERVISOR, "sip_call_from": OUR_NUMBER}
    (tmp_path / "directory.json").write_text(json.dumps({"billing": entry}))
    idle_harness.start(WARMXFER_DIAL_DIRECTORY=str(tmp_path / "directory.json"))
    room = await idle_harness.cloud.open_room()
    message = f"{SUPERVISOR} cannot be reached from {OUR_NUMBER.lstrip('+')}"
    await idle_harness.cloud.break_once("status", DIAL, status=422, body={"message": message})
    named = structs.replace(idle_harness.dial(room), destination=SIPDestination(name="billing"))
    reply = await idle_harness.execute(named, CommandFailed)
    assert reply.detail.endswith("•••10 cannot be reached from •••76")


async def test_an_unknown_name_is_a_refusal(harness: GatewayHarness) -> None:
    room = await harness.cloud.open_room()
    named = structs.replace(harness.dial(room), destination=SIPDestination(name="billing"))
    reply = await harness.execute(named, CommandFailed)
    assert reply.failure is FailureKind.REFUSED
    assert reply.detail.startswith("config.destination.name is 'billing', which is not in the directory; ")
    assert await harness.executed("dial") == []


async def test_two_gateways_and_five_copies_make_one_dial(harness: GatewayHarness) -> None:
    harness.start()
    room = await harness.cloud.open_room()
    command = harness.dial(room)
    await asyncio.gather(*(harness.send(command) for _ in range(5)))
    await harness.reply(command)
    await harness.all_handled()
    assert len(await harness.executed("dial")) == 1
    answers = [event for event in await harness.events() if isinstance(event, SupervisorDialed)]
    assert len(answers) == 1, "the same answer is stored once"


async def test_a_dial_of_a_killed_gateway_is_found_by_another(idle_harness: GatewayHarness) -> None:
    """The first gateway is killed while the provider holds its reply back; the second one looks the call
    up.
    """
    harness = idle_harness
    room = await harness.cloud.open_room()
    await harness.cloud.break_once("execute_then_timeout", DIAL, holdS=50.0)
    command = harness.dial(room, within_s=20.0)
    async with harness.process(WARMXFER_PROVIDER_TIMEOUT_S="7") as first:
        await harness.send(command)
        await harness.cloud.wait_ledger(room, "dial", 1)
        first.kill()
        await first.wait()
    harness.start()
    reply = await harness.reply(command)
    assert isinstance(reply, SupervisorDialed)
    assert [reply.call_id] == [dial["callId"] for dial in await harness.executed("dial")]


async def test_an_expired_dial_is_called_off(harness: GatewayHarness) -> None:
    room = await harness.cloud.open_room()
    reply = await harness.execute(harness.dial(room, within_s=-1.0), CommandFailed)
    assert reply.failure is FailureKind.CALLED_OFF
    assert await harness.executed("dial") == []


async def test_h15_the_end_before_the_dial_forbids_it(harness: GatewayHarness) -> None:
    room = await harness.cloud.open_room()
    ended = await harness.execute(harness.end(room), CallEnded)
    assert (ended.attempt, ended.existed) == (1, False)
    reply = await harness.execute(harness.dial(room), CommandFailed)
    assert reply.failure is FailureKind.CALLED_OFF
    assert await harness.executed("dial") == []


async def test_end_call_hangs_up(harness: GatewayHarness) -> None:
    room = await harness.cloud.open_room()
    dialed = await harness.execute(harness.dial(room), SupervisorDialed)
    ended = await harness.execute(harness.end(room, dialed.call_id), CallEnded)
    assert ended.existed
    assert await harness.legs_up() == 0
    again = await harness.execute(harness.end(room, dialed.call_id), CallEnded)
    assert again.existed
    assert len(await harness.executed("end")) == 1


async def test_end_call_finds_a_leg_with_an_unknown_id(harness: GatewayHarness) -> None:
    room = await harness.cloud.open_room()
    await harness.cloud.break_once("execute_late", DIAL, delayS=30.0)
    assert (await harness.execute(harness.dial(room), CommandFailed)).failure is FailureKind.UNKNOWN
    await harness.cloud.wait_ledger(room, "dial", 1)
    ended = await harness.execute(harness.end(room), CallEnded)
    assert ended.existed
    assert await harness.legs_up() == 0


async def test_end_call_waits_for_a_dial_with_unknown_outcome(harness: GatewayHarness) -> None:
    room = await harness.cloud.open_room()
    await harness.cloud.break_once("execute_late", DIAL, delayS=6.0, holdS=2.0)
    dial = harness.dial(room)
    await harness.send(dial)
    await harness.claimed("dial-1")
    ended = await harness.execute(harness.end(room), CallEnded)
    assert ended.existed
    assert await harness.legs_up() == 0
    await harness.reply(dial)


async def test_end_call_succeeds_once_the_dial_can_no_longer_happen(harness: GatewayHarness) -> None:
    room = await harness.cloud.open_room()
    await harness.cloud.break_once("reset", DIAL)
    dial = harness.dial(room)
    await harness.send(dial)
    await harness.claimed("dial-1")
    ended = await harness.execute(harness.end(room), CallEnded)
    assert not ended.existed


async def test_a_leg_that_the_provider_made_twice_is_ended_twice(harness: GatewayHarness) -> None:
    room = await harness.cloud.open_room()
    await harness.cloud.break_once("execute_twice", DIAL)
    dialed = await harness.execute(harness.dial(room), SupervisorDialed)
    assert await harness.legs_up() == 2
    await harness.execute(harness.end(room, dialed.call_id), CallEnded)
    assert await harness.legs_up() == 0


async def test_a_leg_that_the_provider_has_no_record_of_is_down(harness: GatewayHarness) -> None:
    """Before, the second read had no time: the command failed however often it was sent."""
    room = await harness.cloud.open_room()
    await harness.execute(harness.dial(room), SupervisorDialed)
    await harness.execute(harness.end(room, "never-there"), CallEnded)
    assert await harness.legs_up() == 0


async def test_end_call_is_retried_while_the_provider_is_unreachable(harness: GatewayHarness) -> None:
    room = await harness.cloud.open_room()
    dialed = await harness.execute(harness.dial(room), SupervisorDialed)
    await harness.cloud.break_once("status", {"method": "POST", "path": "/v2/sip/call/end"}, 4, status=503)
    await harness.execute(harness.end(room, dialed.call_id), CallEnded)
    assert await harness.legs_up() == 0


async def test_end_call_sees_an_ended_leg_at_a_slow_provider(harness: GatewayHarness) -> None:
    """Found by simulation. The one read of a leg that had hung up by itself had too little time, so the
    transfer stayed open for a minute, waiting for a reply that could not come.
    """
    room = await harness.cloud.open_room()
    dialed = await harness.execute(harness.dial(room), SupervisorDialed)
    await harness.execute(harness.end(room, dialed.call_id), CallEnded)
    look_up = {"method": "GET", "path": f"/v2/sip/call/{dialed.call_id}"}
    await harness.cloud.break_once("slow_drip", look_up, 0, delayS=0.2 / TIME_SCALE)
    assert (await harness.execute(harness.end(room, dialed.call_id), CallEnded)).existed
