"""Questions and rooms: the caller found among many, rooms by key, legs as they are."""

from __future__ import annotations

import asyncio

import pytest

from warmxfer.actors.gateway import actor
from warmxfer.actors.gateway.handlers.legs import UNANSWERED
from warmxfer.adapters.telephony.videosdk.provider import VideoSDKProvider
from warmxfer.bus import subjects
from warmxfer.schemas import (
    CallCause,
    CallerCallFound,
    CallerSwitched,
    CheckLegs,
    CloseRoom,
    CommandFailed,
    CreateRoom,
    FailureKind,
    FindCallerCall,
    HoldCaller,
    LegsChecked,
    ParticipantJoined,
    RoomClosed,
    RoomCreated,
)

from .gateway_fixture import Bridge, Office

BUSY = "+14155550102"
ROOMS = {"method": "POST", "path": "/v2/rooms"}


async def test_the_caller_is_found_in_the_room(office: Office) -> None:
    arrived = await office.caller()
    command = FindCallerCall(room_id=arrived["roomId"], call_id=None, **office.within())
    assert (await office.ask(command, CallerCallFound)).call_id == arrived["callId"]


async def test_h10_the_caller_is_found_behind_sixty_calls_that_are_over(office: Office) -> None:
    arrived = await office.caller()
    room = arrived["roomId"]
    for number in range(60):
        await office.cloud.dial(room, f"earlier-{number}")
        await office.cloud.hang_up(f"earlier-{number}")
    command = FindCallerCall(room_id=room, call_id=None, **office.within())
    assert (await office.ask(command, CallerCallFound)).call_id == arrived["callId"]


async def test_a_leg_of_ours_is_no_caller(office: Office) -> None:
    room = await office.cloud.open_room()
    await office.tell(office.dial(room))
    await office.cloud.wait_ledger(room, "dial", 1)
    command = FindCallerCall(room_id=room, call_id=None, **office.within())
    answer = await office.ask(command, CommandFailed)
    assert answer.failure is FailureKind.REFUSED
    assert answer.detail == (
        f"Caller is not a SIP participant in room {room}; a warm transfer needs a live phone call."
    )


async def test_a_known_call_must_be_up(office: Office) -> None:
    arrived = await office.caller()
    known = FindCallerCall(room_id=arrived["roomId"], call_id=arrived["callId"], **office.within())
    assert (await office.ask(known, CallerCallFound)).call_id == arrived["callId"]
    await office.cloud.hang_up(arrived["participantId"])
    gone = FindCallerCall(room_id=arrived["roomId"], call_id=arrived["callId"], **office.within())
    assert (await office.ask(gone, CommandFailed)).failure is FailureKind.REFUSED


async def test_a_caller_is_found_though_the_provider_was_away_for_a_moment(office: Office) -> None:
    arrived = await office.caller()
    await office.cloud.break_once("status", {"method": "GET", "path": "/v2/sip/call"}, 6, status=503)
    command = FindCallerCall(room_id=arrived["roomId"], call_id=None, **office.within())
    assert (await office.ask(command, CallerCallFound)).call_id == arrived["callId"]


async def test_of_a_provider_that_stays_away_nobody_says_that_there_is_no_caller(office: Office) -> None:
    arrived = await office.caller()
    await office.cloud.break_once("status", {"method": "GET", "path": "/v2/sip/call"}, 0, status=503)
    command = FindCallerCall(room_id=arrived["roomId"], call_id=None, **office.within(2.0))
    answer = await office.ask(command, CommandFailed)
    assert (answer.failure, answer.detail) == (FailureKind.REFUSED, UNANSWERED)


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


async def test_both_legs_are_seen(office: Office) -> None:
    arrived = await office.caller()
    room = await office.cloud.open_room()
    busy = await office.cloud.dial(room, office.supervisor, BUSY)
    await office.cloud.wait_ledger(room, "hangup", 1)
    command = CheckLegs(caller_call_id=arrived["callId"], supervisor_call_id=busy, **office.within())
    answer = await office.ask(command, LegsChecked)
    assert answer.caller is not None
    assert (answer.caller.up, answer.caller.room_id) == (True, arrived["roomId"])
    assert answer.supervisor is not None
    assert (answer.supervisor.up, answer.supervisor.cause, answer.supervisor.sip_code) == (
        False,
        CallCause.BUSY,
        486,
    )


async def test_a_leg_that_cannot_be_seen_is_left_open(office: Office) -> None:
    await office.cloud.break_once("status", {"method": "GET", "path": "/v2/sip/call/one"}, 0, status=503)
    command = CheckLegs(caller_call_id="one", supervisor_call_id="../two?x=1", **office.within())
    answer = await office.ask(command, LegsChecked)
    assert answer.caller is None
    assert answer.supervisor is not None
    assert (answer.supervisor.up, answer.supervisor.status) == (False, "gone")


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
    await asyncio.sleep(1.0)
    assert await office.executed("room_deactivated") == []
    [told] = [event for event in await office.events() if isinstance(event, ParticipantJoined)]
    assert (told.room_id, told.participant_id) == (room, f"wxc-{office.id}"), (
        "for nobody else may have seen it"
    )
    await office.cloud.hang_up(arrived["participantId"])
    assert isinstance(await office.answer(command), RoomClosed)


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


async def test_a_leg_that_is_missing_once_is_not_gone(office: Office) -> None:
    """One wrong word of the provider, and the caller was taken for gone and brought home by nobody."""
    arrived = await office.caller()
    one = {"method": "GET", "path": f"/v2/sip/call/{arrived['callId']}"}
    await office.cloud.break_once("status", one, status=404)
    command = CheckLegs(caller_call_id=arrived["callId"], supervisor_call_id=None, **office.within())
    answer = await office.ask(command, LegsChecked)
    assert answer.caller is not None
    assert answer.caller.up


async def test_a_room_that_nobody_knows_is_closed_by_its_key(office: Office) -> None:
    """The answer was lost: the room stayed open, for as long as the cloud keeps rooms."""
    await office.cloud.break_once("execute_then_reset", ROOMS, times=0)
    asked = CreateRoom(key=office.id, **office.within(2.0))
    assert (await office.ask(asked, CommandFailed)).failure is FailureKind.UNKNOWN
    await office.cloud.http.delete("/sandbox/faults")
    await office.ask(CloseRoom(room_id=None, key=office.id, **office.within()), RoomClosed)
    again = await office.ask(CreateRoom(key=office.id, **office.within()), RoomCreated)
    assert [entry["roomId"] for entry in await office.executed("room_deactivated")] == [again.room_id]


async def test_a_question_nobody_waits_for_is_not_asked(office: Office) -> None:
    late = CreateRoom(key=office.id, **office.within(-30.0))
    await office.tell(late)
    await office.ask(CreateRoom(key="another", **office.within()), RoomCreated)
    assert len(await office.executed("room_created")) == 1


async def test_what_is_no_command_is_parked_with_its_cause(office: Office) -> None:
    poison = b'{"type":"dial_supervisor","command_id":"c9"}'
    await office.bus.publish(subjects.work_queue(office.id, "gateway"), poison)
    answer = await office.event(CommandFailed)
    assert (answer.command_id, answer.failure) == ("c9", FailureKind.BROKEN)
    await office.tell(HoldCaller(fence=1, line="", **office.within()))
    dead = await office.dead(2)
    assert b"The message is no command" in dead[0]
    assert b"HoldCaller is no command for the gateway" in dead[1]
    await office.ask(CreateRoom(key=office.id, **office.within()), RoomCreated)


async def test_a_bug_is_answered_and_kept(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise KeyError("+14155550199")

    monkeypatch.setattr(actor, "HANDLERS", {CreateRoom: broken})
    answer = await office.ask(CreateRoom(key=office.id, **office.within()), CommandFailed)
    assert answer.failure is FailureKind.BROKEN
    assert answer.detail == "InternalError: CreateRoom met KeyError"
