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

from .gateway_fixture import Bridge, Office

ROOMS = {"method": "POST", "path": "/v2/rooms"}


async def test_the_same_key_gives_the_same_room(office: Office) -> None:
    first = await office.ask(CreateRoom(key=office.id, **office.within()), RoomCreated)
    again = await office.ask(CreateRoom(key=office.id, **office.within()), RoomCreated)
    assert first.room_id == again.room_id


@pytest.mark.parametrize("kind", ["execute_then_reset", "reset", "garbage", "wrong_schema", "execute_twice"])
async def test_a_room_in_doubt_is_asked_for_again(office: Office, kind: str) -> None:
    await office.cloud.break_once(kind, ROOMS)
    await office.ask(CreateRoom(key=office.id, **office.within()), RoomCreated)
    assert len(await office.executed("room_created")) == 1


async def test_a_room_that_cannot_be_had_is_told(office: Office) -> None:
    await office.cloud.break_once("status", ROOMS, times=0, status=503)
    answer = await office.ask(CreateRoom(key=office.id, **office.within()), CommandFailed)
    assert (answer.failure, answer.status) == (FailureKind.UNKNOWN, 503)


async def test_a_room_is_closed_and_a_closed_one_too(office: Office) -> None:
    room = await office.cloud.open_room()
    await office.ask(CloseRoom(room_id=room, **office.within()), RoomClosed)
    await office.ask(CloseRoom(room_id="never-there", **office.within()), RoomClosed)
    assert [entry["roomId"] for entry in await office.executed("room_deactivated")] == [room]


async def test_no_caller_is_hung_up_on_who_was_moved_into_the_room_after_all(office: Office) -> None:
    """The provider had the order to move them for longer than anybody waited."""
    arrived = await office.caller()
    room = arrived["roomId"]
    command = CloseRoom(room_id=room, **office.within())
    await office.tell(command)
    await office.event(ParticipantJoined)
    assert await office.executed("room_deactivated") == []
    [told] = [event for event in await office.events() if isinstance(event, ParticipantJoined)]
    assert (told.room_id, told.participant_id) == (room, f"wxc-{office.id}"), (
        "for nobody else may have seen it"
    )
    await office.cloud.hang_up(arrived["participantId"])
    assert isinstance(await office.answer(command), RoomClosed)
    assert len(await office.executed("room_deactivated")) == 1


async def test_no_caller_is_hung_up_on_whom_only_their_own_leg_shows_in_the_room(
    office: Office, bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A book has copies: one that is behind shows nobody in the room, and closing hangs up."""

    async def nobody(*_: object, **__: object) -> None:
        return None

    await office.ask(office.switch(bridge.caller, bridge.supervisor, bridge.consult), CallerSwitched)
    monkeypatch.setattr(VideoSDKProvider, "find_caller_call", nobody)
    command = CloseRoom(room_id=bridge.consult, caller_call_id=bridge.caller, **office.within())
    await office.tell(command)
    told = await office.event(ParticipantJoined)
    assert told.room_id == bridge.consult
    assert await office.executed("room_deactivated") == []


async def test_a_room_that_nobody_knows_is_closed_by_its_key(office: Office) -> None:
    """The answer was lost: the room stayed open, for as long as the cloud keeps rooms."""
    await office.cloud.break_once("execute_then_reset", ROOMS, times=0)
    asked = CreateRoom(key=office.id, **office.within(2.0))
    assert (await office.ask(asked, CommandFailed)).failure is FailureKind.UNKNOWN
    await office.cloud.http.delete("/sandbox/faults")
    await office.ask(CloseRoom(room_id=None, key=office.id, **office.within()), RoomClosed)
    again = await office.ask(CreateRoom(key=office.id, **office.within()), RoomCreated)
    assert [entry["roomId"] for entry in await office.executed("room_deactivated")] == [again.room_id]
