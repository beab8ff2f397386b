"""Injected faults: what is executed, what the client receives, and how often a fault applies."""

import asyncio
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from .client import DEADLINE_S, SCALE, Sandbox, supervisor

DIAL = {"method": "POST", "path": "/v2/sip/call"}
ROOMS = {"method": "POST", "path": "/v2/rooms"}


async def dials(sandbox: Sandbox) -> int:
    return len(await sandbox.ledger(kind="dial"))


async def test_delay_executes_late(sandbox: Sandbox) -> None:
    await sandbox.fault(ROOMS, "delay", delayS=4.0)
    loop = asyncio.get_running_loop()
    began = loop.time()
    await sandbox.room()
    assert loop.time() - began >= 4.0 * SCALE


async def test_status_executes_nothing(sandbox: Sandbox) -> None:
    await sandbox.fault(ROOMS, "status", status=429, body={"message": "slow down"}, retryAfterS=2)
    answer = await sandbox.http.post("/v2/rooms")
    assert (answer.status_code, answer.json()) == (429, {"message": "slow down"})
    assert answer.headers["retry-after"] == "2"
    assert await sandbox.ledger() == []
    await sandbox.room()


async def test_reset_executes_nothing(sandbox: Sandbox) -> None:
    room_id = await sandbox.room()
    await sandbox.fault(DIAL, "reset")
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        await sandbox.dial(room_id, supervisor("0101"))
    assert await dials(sandbox) == 0


async def test_execute_then_reset_leaves_one_entry(sandbox: Sandbox) -> None:
    room_id = await sandbox.room()
    await sandbox.fault(DIAL, "execute_then_reset")
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        await sandbox.dial(room_id, supervisor("0101"), metadata={"attemptKey": "a1"})
    [dial] = await sandbox.ledger(kind="dial")
    assert dial["metadata"] == {"attemptKey": "a1"}
    [found] = (await sandbox.ok("GET", "/v2/sip/call", params={"roomId": room_id}))["data"]
    assert found["callId"] == dial["callId"]


async def test_execute_then_timeout_executes_once_without_a_response(sandbox: Sandbox) -> None:
    room_id = await sandbox.room()
    await sandbox.fault(DIAL, "execute_then_timeout", holdS=60)
    body = {"routingRuleId": "r", "sipCallFrom": "+14155550100", "sipCallTo": supervisor("0103")}
    with pytest.raises(httpx.ReadTimeout):
        await sandbox.http.post(
            "/v2/sip/call",
            json={**body, "destinationRoomId": room_id},
            timeout=httpx.Timeout(DEADLINE_S, read=0.1),
        )
    await sandbox.wait_for_entry("dial")
    assert await dials(sandbox) == 1


async def test_execute_late_executes_after_the_error_response(sandbox: Sandbox) -> None:
    room_id = await sandbox.room()
    await sandbox.fault(DIAL, "execute_late", delayS=60)
    body = {"routingRuleId": "r", "sipCallFrom": "+14155550100", "sipCallTo": supervisor("0103")}
    answer = await sandbox.http.post("/v2/sip/call", json={**body, "destinationRoomId": room_id})
    assert answer.status_code == 504
    assert await dials(sandbox) == 0
    assert (await sandbox.wait_for_entry("dial"))["roomId"] == room_id


async def test_execute_twice_makes_two_calls_and_returns_the_first(sandbox: Sandbox) -> None:
    room_id = await sandbox.room()
    await sandbox.fault(DIAL, "execute_twice")
    call_id = await sandbox.dial(room_id, supervisor("0103"))
    executed = [entry["callId"] for entry in await sandbox.ledger(kind="dial")]
    assert (len(set(executed)), executed[0]) == (2, call_id)


async def test_two_legs_of_one_dial_replace_each_other_as_one_participant(sandbox: Sandbox) -> None:
    room_id = await sandbox.room()
    await sandbox.fault(DIAL, "execute_twice")
    first = await sandbox.dial(room_id, supervisor("0111"), participant={"id": "sup"})
    replaced = await sandbox.wait_for_entry("left", reason="replaced")
    assert (replaced["callId"], replaced["participantId"]) == (first, "sup")
    assert (await sandbox.call(first))["status"] == "answered"
    [participant] = (await sandbox.ok("GET", "/sandbox/state"))["rooms"][0]["participants"]
    assert participant["sip"]["callId"] != first


async def test_garbage_and_wrong_schema_are_executed(sandbox: Sandbox) -> None:
    await sandbox.fault(ROOMS, "garbage")
    await sandbox.fault(ROOMS, "wrong_schema")
    answers = [await sandbox.http.post("/v2/rooms") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].text.startswith("<html>")
    assert "roomId" not in answers[1].json()
    assert await sandbox.kinds() == ["room_created", "room_created"]


async def test_slow_drip_sends_the_response_in_delayed_pieces(sandbox: Sandbox) -> None:
    await sandbox.fault(ROOMS, "slow_drip", delayS=5)
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with sandbox.http.stream("POST", "/v2/rooms") as answer:
        pieces = [piece async for piece in answer.aiter_raw()]
    assert loop.time() - began >= 5 * SCALE * 0.9
    assert len(pieces) > 5
    assert b'"roomId"' in b"".join(pieces)


async def test_a_fault_applies_as_often_as_requested(sandbox: Sandbox) -> None:
    await sandbox.fault(ROOMS, "status", status=503, times=2)
    assert [(await sandbox.http.post("/v2/rooms")).status_code for _ in range(3)] == [503, 503, 200]
    await sandbox.fault(ROOMS, "status", times=0)
    assert [(await sandbox.http.post("/v2/rooms")).status_code for _ in range(3)] == [500] * 3
    [fault] = (await sandbox.ok("GET", "/sandbox/faults"))["faults"]
    assert (fault["kind"], fault["struck"], fault["left"]) == ("status", 3, None)
    await sandbox.ok("DELETE", "/sandbox/faults")
    await sandbox.room()


async def test_a_fault_can_be_limited_to_one_room(sandbox: Sandbox) -> None:
    faulty, unaffected = await sandbox.room(), await sandbox.room()
    await sandbox.fault({**DIAL, "roomId": faulty}, "status", status=500, times=0)
    await sandbox.dial(unaffected, supervisor("0103"))
    with pytest.raises(AssertionError):
        await sandbox.dial(faulty, supervisor("0103"))
    listed = await sandbox.http.get("/v2/sip/call", params={"roomId": faulty})
    assert listed.status_code == 200


async def test_a_fault_path_may_have_wildcards(sandbox: Sandbox) -> None:
    await sandbox.fault({"path": "/v2/sip/*"}, "status", status=503)
    assert (await sandbox.http.get("/v2/sip/call/x")).status_code == 503


@pytest.mark.parametrize(
    ("kind", "more", "final_room"),
    [("never_arrives", {}, None), ("arrives_late", {"delayS": 3.0}, "target"), ("fails", {}, "primary")],
)
async def test_a_switch_fault_keeps_delays_or_loses_the_caller(
    sandbox: Sandbox, kind: str, more: dict[str, float], final_room: str | None
) -> None:
    caller, target = await sandbox.caller(), await sandbox.room()
    rooms = {None: None, "target": target, "primary": caller["roomId"]}
    async with sandbox.agent(caller["roomId"], "ai"), sandbox.agent(target):
        await sandbox.fault({"switch": True, "roomId": target}, kind, **more)
        switched = asyncio.get_running_loop().time()
        await sandbox.switch(caller["callId"], target)
        if final_room == "target":
            await sandbox.wait_for_entry("switch_completed")
            assert asyncio.get_running_loop().time() - switched >= 3.0 * SCALE
        elif final_room == "primary":
            await sandbox.wait_for_entry("switch_failed")
        else:
            await sandbox.wait_for_entry("left", callId=caller["callId"])
            await asyncio.sleep(0.1)
        query = {"primaryRoom": caller["roomId"], "callerCallId": caller["callId"], "transferKey": "t"}
        report = await sandbox.ok("GET", "/sandbox/verdict", params=query)
        assert (report["callerRoom"], report["callerLegUp"]) == (rooms[final_room], True)
        await sandbox.switch(caller["callId"], caller["roomId"])
        await sandbox.wait_for_entry("switch_completed", roomId=caller["roomId"])
        report = await sandbox.ok("GET", "/sandbox/verdict", params=query)
    assert report["callerRoom"] == caller["roomId"]
    assert report["switches"] == {"forward": 1, "back": 1}


async def test_a_join_fault_refuses_or_delays_the_join(sandbox: Sandbox) -> None:
    room_id = await sandbox.room()
    await sandbox.fault({"join": True, "participantId": "unlucky"}, "refuse")
    async with sandbox.agent(room_id, "lucky"):
        with pytest.raises(InvalidStatus) as refused:
            async with sandbox.agent(room_id, "unlucky"):
                pass
    assert refused.value.response.status_code == 503
    await sandbox.fault({"join": True}, "delay", delayS=4.0)
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with sandbox.agent(room_id, "unlucky"):
        assert loop.time() - began >= 4.0 * SCALE


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"kind": "delay"}, "path is required."),
        ({"match": ROOMS}, "kind is required."),
        ({"match": {"switch": True}, "kind": "delay"}, "kind delay does not exist for this match"),
        ({"match": ROOMS, "kind": "hang"}, "kind hang does not exist for this match"),
        ({"match": ROOMS, "kind": "delay", "times": -1}, "times must be a whole number"),
        ({"match": ROOMS, "kind": "status", "status": 99}, "status must be an HTTP status"),
        ({"match": ROOMS, "kind": "delay", "delayS": "x"}, "delayS must be a number of seconds"),
    ],
)
async def test_an_invalid_fault_is_refused(sandbox: Sandbox, body: dict[str, Any], message: str) -> None:
    answer = await sandbox.http.post("/sandbox/faults", json=body)
    assert answer.status_code == 400
    assert answer.json()["message"].startswith(message)
    assert (await sandbox.ok("GET", "/sandbox/faults"))["faults"] == []
