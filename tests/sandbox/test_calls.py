"""REST endpoints for phone calls: dial, read, switch, end."""

from typing import Any

import pytest

from .client import OUR_NUMBER, Sandbox, supervisor, token

NOT_A_NUMBER = "sipCallTo must be an E.164 number (+14155550101) or a SIP URI (sip:a@b)."
DIAL_BODY = {"routingRuleId": "rr_1", "sipCallFrom": OUR_NUMBER, "sipCallTo": supervisor("0101")}


async def test_dial_responds_before_the_phone_rings(sandbox: Sandbox) -> None:
    room_id = await sandbox.room()
    body = {**DIAL_BODY, "destinationRoomId": room_id, "metadata": {"transferKey": "t1"}}
    response = await sandbox.ok("POST", "/v2/sip/call", json=body)
    call = response["data"]
    assert response["message"] == "Call initiated successfully"
    assert len(call.pop("callId")) == 32
    assert [entry["status"] for entry in call.pop("timelog")] == ["initiated"]
    assert call == {
        "status": "initiated",
        "roomId": room_id,
        "sipCallTo": supervisor("0101"),
        "sipCallFrom": OUR_NUMBER,
        "gatewayId": None,
        "metadata": {"transferKey": "t1"},
    }


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        ({"routingRuleId": None}, 400, "routingRuleId is required."),
        ({"sipCallTo": None}, 400, "sipCallTo is required."),
        ({"sipCallFrom": None}, 400, "sipCallFrom is required."),
        (
            {"sipCallTo": "911"},
            400,
            "sipCallTo must be an E.164 number (+14155550101) or a SIP URI (sip:a@b).",
        ),
        ({"ringingTimeout": -1}, 400, "ringingTimeout must be a number of seconds from 0 to 3600."),
        ({"participant": "Dana"}, 400, "participant must be an object."),
        ({"participant": {"id": "a b"}}, 400, "id may hold letters, digits and _ . @ : + - only."),
        ({"metadata": {"x": "y" * 9_000}}, 400, "metadata is longer than 8000 characters."),
        ({"destinationRoomId": "abcd-abcd-abcd"}, 404, "Room not found."),
    ],
)
async def test_an_invalid_dial_is_refused_and_not_executed(
    sandbox: Sandbox, change: dict[str, Any], status: int, message: str
) -> None:
    response = await sandbox.http.post("/v2/sip/call", json={**DIAL_BODY, **change})
    assert (response.status_code, response.json()["message"]) == (status, message)
    assert await sandbox.kinds(kind="dial") == []


async def test_the_supervisor_joins_under_the_requested_participant_id(sandbox: Sandbox) -> None:
    room_id = await sandbox.room()
    async with sandbox.agent(room_id) as agent:
        person = {"id": "sup-1", "name": "Dana", "metadata": {"transferKey": "t1"}}
        call_id = await sandbox.dial(room_id, supervisor("0101"), participant=person)
        joined = await agent.wait_for("participant-joined")
        assert joined["participant"] == {
            "id": "sup-1",
            "name": "Dana",
            "audio": False,
            "sip": {"callId": call_id, "type": "outbound"},
        }
        await agent.wait_for("audio-stream-enabled", participantId="sup-1")
    call = await sandbox.call(call_id)
    assert [entry["status"] for entry in call["timelog"]] == ["initiated", "ringing", "answered"]
    assert (call["type"], call["status"], call["end"]) == ("outbound", "answered", None)
    assert call["metadata"] == {"transferKey": "t1"}
    assert len(call["sessionId"]) == 24


async def test_a_dial_without_a_room_creates_one(sandbox: Sandbox) -> None:
    call = (await sandbox.ok("POST", "/v2/sip/call", json=DIAL_BODY))["data"]
    assert (await sandbox.ok("GET", f"/v2/rooms/{call['roomId']}"))["roomId"] == call["roomId"]


async def test_a_list_names_the_id_callid_and_a_single_call_names_it_id(sandbox: Sandbox) -> None:
    room_id = await sandbox.room()
    call_id = await sandbox.dial(room_id, supervisor("0103"))
    await sandbox.wait_for_status(call_id, "ringing")
    [listed] = (await sandbox.ok("GET", "/v2/sip/call", params={"roomId": room_id}))["data"]
    single = await sandbox.call(call_id)
    assert (listed.pop("callId"), single.pop("id")) == (call_id, call_id)
    assert listed == single


async def test_lists_come_in_pages_of_ten_newest_first(sandbox: Sandbox) -> None:
    room_id = await sandbox.room()
    calls = [await sandbox.dial(room_id, supervisor("0103")) for _ in range(12)]
    pages = [
        await sandbox.ok("GET", "/v2/sip/call", params={"roomId": room_id, "page": page})
        for page in (1, 2, 3)
    ]
    assert [[call["callId"] for call in page["data"]] for page in pages] == [calls[:1:-1], calls[1::-1], []]
    assert pages[1]["pageInfo"] == {"currentPage": 2, "perPage": 10, "lastPage": 2, "total": 12}
    wide = await sandbox.ok("GET", "/v2/sip/call", params={"roomId": room_id, "perPage": 100})
    assert len(wide["data"]) == 12


async def test_a_list_can_be_filtered(sandbox: Sandbox) -> None:
    caller = await sandbox.caller()
    call_id = await sandbox.dial(caller["roomId"], supervisor("0103"))

    async def found(**query: str) -> list[str]:
        return [call["callId"] for call in (await sandbox.ok("GET", "/v2/sip/call", params=query))["data"]]

    assert await found(type="inbound") == [caller["callId"]]
    assert await found(type="outbound", roomId=caller["roomId"]) == [call_id]
    assert await found(id=call_id) == [call_id]
    assert await found(sessionId=caller["sessionId"]) == [caller["callId"]]
    assert await found(roomId="abcd-abcd-abcd") == []
    for query in ({"page": "0"}, {"perPage": "x"}, {"perPage": "101"}, {"type": "sideways"}):
        assert (await sandbox.http.get("/v2/sip/call", params=query)).status_code == 400


async def test_an_unknown_call_is_not_found(sandbox: Sandbox) -> None:
    room_id = await sandbox.room()
    answers = [
        await sandbox.http.get("/v2/sip/call/unknown"),
        await sandbox.http.post("/v2/sip/call/end", json={"callId": "unknown"}),
        await sandbox.http.post("/v2/sip/call/switch-room", json={"callId": "unknown", "roomId": room_id}),
    ]
    assert [(response.status_code, response.json()["message"]) for response in answers] == [
        (404, "Call not found.")
    ] * 3


async def test_an_ended_call_cannot_be_ended_again(sandbox: Sandbox) -> None:
    call_id = await sandbox.dial(await sandbox.room(), supervisor("0103"))
    ended = await sandbox.ok("POST", "/v2/sip/call/end", json={"callId": call_id})
    assert ended["data"]["status"] == "ended"
    again = await sandbox.http.post("/v2/sip/call/end", json={"callId": call_id})
    assert (again.status_code, again.json()["message"]) == (400, "Call has already ended.")
    assert await sandbox.kinds(kind="end") == ["end"]


async def test_a_call_ends_at_the_ringing_timeout(sandbox: Sandbox) -> None:
    call_id = await sandbox.dial(await sandbox.room(), supervisor("0110"), ringingTimeout=1)
    call = await sandbox.wait_until_ended(call_id)
    assert (call["status"], call["timelog"][-1]["sipCode"]) == ("not-answered", 480)


async def test_a_call_ends_at_the_maximum_duration(sandbox: Sandbox) -> None:
    call_id = await sandbox.dial(await sandbox.room(), supervisor("0111"), maxCallDuration=2)
    assert (await sandbox.wait_until_ended(call_id))["status"] == "ended"
    assert (await sandbox.wait_for_entry("hangup", callId=call_id))["by"] == "cloud"


async def test_a_switch_moves_the_caller_and_keeps_the_call(sandbox: Sandbox) -> None:
    caller, target = await sandbox.caller(), await sandbox.room()
    async with sandbox.agent(caller["roomId"], "ai") as ai, sandbox.agent(target, "briefer") as briefer:
        join_token = token(roles=["rtc"], roomId=target, participantId="caller-2")
        accepted = await sandbox.switch(caller["callId"], target, token=join_token, participantId="caller-2")
        assert (accepted["status"], accepted["roomId"]) == ("answered", target)
        left = await ai.wait_for("participant-left")
        assert (left["participantId"], left["reason"]) == (caller["participantId"], "user-left")
        joined = await briefer.wait_for("participant-joined")
        assert joined["participant"]["id"] == "caller-2"
        assert joined["participant"]["sip"] == {"callId": caller["callId"], "type": "inbound"}
        await briefer.wait_for("audio-stream-enabled", participantId="caller-2")
    call = await sandbox.call(caller["callId"])
    assert (call["roomId"], call["status"], call["end"]) == (target, "switch-room-completed", None)


async def test_a_switch_needs_an_active_session_in_the_target_room(sandbox: Sandbox) -> None:
    caller, empty = await sandbox.caller(), await sandbox.room()
    body = {"callId": caller["callId"], "roomId": empty}
    response = await sandbox.http.post("/v2/sip/call/switch-room", json=body)
    assert response.status_code == 400
    assert response.json()["message"] == "Room has no active session: a participant must join it first."
    assert await sandbox.kinds(kind="switch") == []


async def test_only_an_active_call_can_be_switched(sandbox: Sandbox) -> None:
    caller = await sandbox.caller()
    ringing = await sandbox.dial(await sandbox.room(), supervisor("0103"))
    failed = await sandbox.dial(await sandbox.room(), supervisor("0102"))
    for call_id, status in ((ringing, "ringing"), (failed, "failed")):
        await sandbox.wait_for_status(call_id, status)
        body = {"callId": call_id, "roomId": caller["roomId"]}
        response = await sandbox.http.post("/v2/sip/call/switch-room", json=body)
        message = f"Call is not active but {status}: only answered calls switch rooms."
        assert (response.status_code, response.json()["message"]) == (400, message)


@pytest.mark.parametrize(
    "claims", [{"roomId": "abcd-abcd-abcd"}, {"participantId": "other"}, {"roles": ["crawler"]}, {"exp": 1}]
)
async def test_a_switch_token_must_permit_a_join_of_the_room(
    sandbox: Sandbox, claims: dict[str, Any]
) -> None:
    caller = await sandbox.caller()
    body = {
        "callId": caller["callId"],
        "roomId": caller["roomId"],
        "participantId": "c",
        "token": token(**claims),
    }
    response = await sandbox.http.post("/v2/sip/call/switch-room", json=body)
    assert response.status_code == 400
    assert response.json()["message"].startswith("token does not permit a join of this room: ")


async def test_a_later_switch_replaces_a_pending_one(sandbox: Sandbox) -> None:
    caller, target = await sandbox.caller(), await sandbox.room()
    async with sandbox.agent(caller["roomId"], "ai"), sandbox.agent(target, "briefer") as briefer:
        await sandbox.fault({"switch": True}, "arrives_late", delayS=60)
        await sandbox.switch(caller["callId"], target)
        await sandbox.switch(caller["callId"], caller["roomId"])
        done = await sandbox.wait_for_entry("switch_completed")
        assert done["roomId"] == caller["roomId"]
        assert "participant-joined" not in [frame["type"] for frame in briefer.drain()]
    assert await sandbox.kinds(kind="switch") == ["switch", "switch"]
