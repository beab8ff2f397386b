"""Rooms: created by key, closed when no caller is in them."""

from __future__ import annotations

import pytest

from warmxfer.adapters.telephony.videosdk.provider import VideoSDKProvider
from warmxfer.schemas import (
    CallerSwitched,
    CloseRoom,
    CommandFailed,
    CreateRoom,
    FailureKind,
    ParticipantJoined,
    RoomClosed,
    RoomCreated,
)

from .gateway_fixture import Bridge, GatewayHarness

ROOMS = {"method": "POST", "path": "/v2/rooms"}


async def test_the_same_key_gives_the_same_room(harness: GatewayHarness) -> None:
    first = await harness.execute(CreateRoom(key=harness.id, **harness.within()), RoomCreated)
    again = await harness.execute(CreateRoom(key=harness.id, **harness.within()), RoomCreated)
    assert first.room_id == again.room_id


@pytest.mark.parametrize("kind", ["execute_then_reset", "reset", "garbage", "wrong_schema", "execute_twice"])
async def test_a_room_with_unknown_outcome_is_requested_again(harness: GatewayHarness, kind: str) -> None:
    await harness.cloud.break_once(kind, ROOMS)
    await harness.execute(CreateRoom(key=harness.id, **harness.within()), RoomCreated)
    assert len(await harness.executed("room_created")) == 1


async def test_a_room_that_cannot_be_created_is_reported(harness: GatewayHarness) -> None:
    await harness.cloud.break_once("status", ROOMS, times=0, status=503)
    reply = await harness.execute(CreateRoom(key=harness.id, **harness.within()), CommandFailed)
    assert (reply.failure, reply.status) == (FailureKind.UNKNOWN, 503)


async def test_an_open_room_and_an_unknown_room_are_closed(harness: GatewayHarness) -> None:
    room = await harness.cloud.open_room()
    await harness.execute(CloseRoom(room_id=room, **harness.within()), RoomClosed)
    await harness.execute(CloseRoom(room_id="never-there", **harness.within()), RoomClosed)
    assert [entry["roomId"] for entry in await harness.executed("room_deactivated")] == [room]


async def test_what_another_request_does_not_find_closes_no_room(harness: GatewayHarness) -> None:
    """Before, a 404 of the room's creation counted as a closed room."""
    created = await harness.execute(CreateRoom(key=harness.id, **harness.within()), RoomCreated)
    await harness.cloud.break_once("status", ROOMS, times=0, status=404)
    reply = await harness.execute(CloseRoom(room_id=None, key=harness.id, **harness.within()), CommandFailed)
    assert (reply.failure, reply.status) == (FailureKind.REFUSED, 404)
    await harness.cloud.http.delete("/sandbox/faults")
    assert await harness.executed("room_deactivated") == []
    await harness.execute(CloseRoom(room_id=None, key=harness.id, **harness.within()), RoomClosed)
    assert [entry["roomId"] for entry in await harness.executed("room_deactivated")] == [created.room_id]


async def test_a_room_with_a_late_moved_caller_is_not_closed(harness: GatewayHarness) -> None:
    """The provider executed the move after every waiting command had expired."""
    arrived = await harness.caller()
    room = arrived["roomId"]
    command = CloseRoom(room_id=room, **harness.within())
    await harness.send(command)
    await harness.event(ParticipantJoined)
    assert await harness.executed("room_deactivated") == []
    [joined] = [event for event in await harness.events() if isinstance(event, ParticipantJoined)]
    assert (joined.room_id, joined.participant_id) == (room, f"wxc-{harness.id}"), (
        "no other actor may have seen the caller join"
    )
    await harness.cloud.hang_up(arrived["participantId"])
    assert isinstance(await harness.reply(command), RoomClosed)
    assert len(await harness.executed("room_deactivated")) == 1


async def test_a_room_is_not_closed_when_only_the_call_record_shows_the_caller(
    harness: GatewayHarness, bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Provider reads may be stale: a stale list shows no caller in the room, and closing it would hang up."""

    async def find_no_caller(*_: object, **__: object) -> None:
        return None

    await harness.execute(harness.switch(bridge.caller, bridge.supervisor, bridge.consult), CallerSwitched)
    monkeypatch.setattr(VideoSDKProvider, "find_caller_call", find_no_caller)
    command = CloseRoom(room_id=bridge.consult, caller_call_id=bridge.caller, **harness.within())
    await harness.send(command)
    joined = await harness.event(ParticipantJoined)
    assert joined.room_id == bridge.consult
    assert await harness.executed("room_deactivated") == []


async def test_a_room_without_a_known_id_is_closed_by_its_key(harness: GatewayHarness) -> None:
    """The reply with the room id was lost. The room used to stay open for as long as the cloud keeps
    rooms.
    """
    await harness.cloud.break_once("execute_then_reset", ROOMS, times=0)
    asked = CreateRoom(key=harness.id, **harness.within(2.0))
    assert (await harness.execute(asked, CommandFailed)).failure is FailureKind.UNKNOWN
    await harness.cloud.http.delete("/sandbox/faults")
    await harness.execute(CloseRoom(room_id=None, key=harness.id, **harness.within()), RoomClosed)
    again = await harness.execute(CreateRoom(key=harness.id, **harness.within()), RoomCreated)
    assert [entry["roomId"] for entry in await harness.executed("room_deactivated")] == [again.room_id]
