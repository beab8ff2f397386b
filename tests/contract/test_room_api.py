"""The contract, section 1: rooms are created, found, read and closed."""

from __future__ import annotations

from datetime import datetime

import pytest

from warmxfer.adapters.telephony import NotFound

from .cloud import NOT_FOUND_STATUSES, Cloud, new_key
from .phone import Phone

UNKNOWN_ROOM = "zzzz-zzzz-zzzz"


async def test_a_created_room_returns_its_ids(cloud: Cloud) -> None:
    """§1 Rooms: the shape of POST /v2/rooms."""
    key = new_key()
    room = await cloud.post("/v2/rooms", {"customRoomId": key})
    cloud.rooms.append(room["roomId"])
    assert (room["customRoomId"], room["disabled"]) == (key, False)
    assert room["roomId"] not in ("", key)
    assert datetime.fromisoformat(room["createdAt"]).tzinfo is not None


async def test_a_room_may_be_created_without_a_body(cloud: Cloud) -> None:
    """§1 Rooms: every field is optional; VideoSDK's SDK sends no body at all."""
    first, second = await cloud.post("/v2/rooms"), await cloud.post("/v2/rooms")
    cloud.rooms += [first["roomId"], second["roomId"]]
    assert first["roomId"] != second["roomId"]


async def test_the_same_key_gives_the_same_room(cloud: Cloud) -> None:
    """§1 Rooms: creation is idempotent by customRoomId, so a request with unknown outcome is repeated."""
    key = new_key()
    first = await cloud.provider.create_room(key)
    cloud.rooms.append(first)
    assert await cloud.provider.create_room(key) == first
    assert await cloud.room() != first


async def test_an_open_room_is_valid(cloud: Cloud) -> None:
    """§1 Rooms: GET /v2/rooms/validate/{roomId} and GET /v2/rooms/{roomId} know it."""
    room_id = await cloud.room()
    assert (await cloud.get(f"/v2/rooms/validate/{room_id}"))["roomId"] == room_id
    shown = await cloud.get(f"/v2/rooms/{room_id}")
    assert (shown["roomId"], shown["disabled"]) == (room_id, False)


@pytest.mark.parametrize("room_id", [UNKNOWN_ROOM, "no-room-at-all!"])
async def test_an_unknown_room_is_not_valid(cloud: Cloud, room_id: str) -> None:
    """§1 Rooms: an unknown room is 402 or 404, and an invalid id is 400."""
    assert await cloud.refusal("GET", f"/v2/rooms/validate/{room_id}") in {400, *NOT_FOUND_STATUSES}


async def test_a_closed_room_stays_closed(cloud: Cloud) -> None:
    """§1 Rooms: deactivation is permanent; a second request is refused or changes nothing."""
    room_id = await cloud.room()
    await cloud.provider.close_room(room_id)
    assert await cloud.refusal("GET", f"/v2/rooms/validate/{room_id}") in {400, *NOT_FOUND_STATUSES}
    again = await cloud.http.post("/v2/rooms/deactivate", json={"roomId": room_id})
    assert again.status_code in {200, *NOT_FOUND_STATUSES}
    assert (await cloud.get(f"/v2/rooms/{room_id}"))["disabled"] is True


async def test_an_unknown_room_cannot_be_closed(cloud: Cloud) -> None:
    """§1 Rooms: deactivation takes a roomId only; unknown, or a customRoomId, is 402 or 404."""
    key = new_key()
    cloud.rooms.append(await cloud.provider.create_room(key))
    for room_id in (UNKNOWN_ROOM, key):
        with pytest.raises(NotFound) as refusal:
            await cloud.provider.close_room(room_id)
        assert refusal.value.status in NOT_FOUND_STATUSES


async def test_a_phone_in_a_closed_room_is_hung_up(cloud: Cloud, phone: Phone) -> None:
    """§1 Rooms: closing a room hangs up every call in it."""
    call = await phone.answered_call()
    assert call.room_id is not None
    await cloud.provider.close_room(call.room_id)
    await cloud.until(call.call_id, lambda record: not record.up, "hung up")
