"""REST endpoints for rooms."""

import re

import pytest

from .client import Sandbox


async def test_a_room_has_the_fields_of_the_real_cloud(sandbox: Sandbox) -> None:
    room = await sandbox.ok("POST", "/v2/rooms", json={"customRoomId": "mine", "geoFence": "eu001"})
    assert re.fullmatch(r"[a-z0-9]{4}-[a-z0-9]{4}-[a-z0-9]{4}", room["roomId"])
    assert (room["customRoomId"], room["disabled"], room["geoFence"]) == ("mine", False, "eu001")
    assert room["links"]["get_room"] == f"{sandbox.base_url}/v2/rooms/{room['roomId']}"
    for path in ("/v2/rooms/", "/v2/rooms/validate/"):
        assert await sandbox.ok("GET", path + room["roomId"]) == room
        assert await sandbox.ok("GET", path + "mine") == room


async def test_a_room_is_created_without_a_body(sandbox: Sandbox) -> None:
    assert (await sandbox.ok("POST", "/v2/rooms"))["customRoomId"] is None


async def test_create_is_idempotent_by_custom_id(sandbox: Sandbox) -> None:
    first, again = [await sandbox.room(customRoomId="t1") for _ in range(2)]
    assert first == again
    assert await sandbox.room(customRoomId="t2") != first
    assert await sandbox.kinds() == ["room_created", "room_created"]


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("GET", "/v2/rooms/abcd-abcd-abcd", 404, "Room not found."),
        ("GET", "/v2/rooms/validate/abcd-abcd-abcd", 402, "Room not found."),
        ("GET", "/v2/rooms/validate/nonsense", 400, "RoomId is invalid."),
        ("GET", "/v2/nothing", 404, "Not Found"),
        ("PATCH", "/v2/rooms", 405, "Method Not Allowed"),
    ],
)
async def test_unknown_rooms_and_paths_are_refused(
    sandbox: Sandbox, method: str, path: str, status: int, message: str
) -> None:
    answer = await sandbox.http.request(method, path)
    assert (answer.status_code, answer.json()) == (status, {"statusCode": status, "message": message})


async def test_deactivate_accepts_only_a_room_id(sandbox: Sandbox) -> None:
    room_id = await sandbox.room(customRoomId="mine")
    by_custom_id = await sandbox.http.post("/v2/rooms/deactivate", json={"roomId": "mine"})
    assert by_custom_id.status_code == 402
    closed = await sandbox.ok("POST", "/v2/rooms/deactivate", json={"roomId": room_id})
    assert closed["disabled"] is True
    assert (await sandbox.http.get(f"/v2/rooms/validate/{room_id}")).status_code == 402
    late = await sandbox.http.post("/sandbox/calls", json={"from": "+14155550201", "roomId": room_id})
    assert (late.status_code, late.json()["message"]) == (400, "Room is deactivated.")


async def test_deactivating_a_room_removes_all_participants(sandbox: Sandbox) -> None:
    caller = await sandbox.caller()
    async with sandbox.agent(caller["roomId"]) as agent:
        await sandbox.ok("POST", "/v2/rooms/deactivate", json={"roomId": caller["roomId"]})
        assert await agent.wait_until_closed() == (1000, "deactivated")
    assert (await sandbox.wait_for_entry("hangup", callId=caller["callId"]))["by"] == "cloud"


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"{", 400, "Body is not JSON."),
        (b"[]", 400, "Body must be a JSON object."),
        (b'{"customRoomId": 7}', 400, "customRoomId is required."),
        (b'{"customRoomId": "' + b"x" * 200 + b'"}', 400, "customRoomId is longer than 128 characters."),
        (b'{"webhook": {"events": []}}', 400, "endPoint is required."),
        (b" " * 70_000, 413, "Body is larger than 65536 bytes."),
    ],
)
async def test_an_invalid_body_is_refused(sandbox: Sandbox, body: bytes, status: int, message: str) -> None:
    answer = await sandbox.http.post("/v2/rooms", content=body)
    assert (answer.status_code, answer.json()["message"]) == (status, message)


async def test_a_test_may_choose_the_room_id_of_a_caller(sandbox: Sandbox) -> None:
    caller = await sandbox.ok("POST", "/sandbox/calls", json={"from": "+14155550201", "roomId": "demo-room"})
    again = await sandbox.ok("POST", "/sandbox/calls", json={"from": "+14155550202", "roomId": "demo-room"})
    assert caller["roomId"] == again["roomId"] == "demo-room"
    refused = await sandbox.http.post("/sandbox/calls", json={"from": "+14155550201", "roomId": "a room"})
    assert refused.status_code == 400
