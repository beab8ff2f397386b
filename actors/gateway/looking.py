"""Commands that ask, and the rooms: what may be done twice without harm needs no claim."""

from __future__ import annotations

import asyncio

from warmxfer.actors.providers import CallRecord, Doubtful, Gone, NotDone, Undone
from warmxfer.schemas import (
    Answer,
    CallerCallFound,
    CheckLegs,
    CloseRoom,
    CreateRoom,
    Fault,
    FindCallerCall,
    LegsChecked,
    LegSeen,
    ParticipantJoined,
    Retry,
    RoomClosed,
    RoomCreated,
    participant_ids,
)

from .answers import failed, refused
from .desk import CLEAN_UP_S, Desk, left_s
from .effects import look_until
from .standing import look_up

GONE = "gone"
UNANSWERED = "The provider did not say in time whether the caller is on the phone."
OCCUPIED_RETRY_S = 1.0


async def find_caller_call(desk: Desk, transfer_id: str, command: FindCallerCall) -> Answer | None:
    """The caller's leg must be up: one that is known is checked, any other is searched for in the room."""
    if desk.expired(command):
        return None
    match await look_until(lambda within_s: _caller(desk, command, within_s), desk.answer_by(command)):
        case None:
            return failed(command, Fault.REFUSED, UNANSWERED)
        case NotDone() as error:
            return refused(command, error)
        case (CallRecord(up=True) as found,):
            return CallerCallFound(
                command_id=command.command_id, call_id=found.call_id, participant_id=found.participant_id
            )
        case _:
            return failed(command, Fault.REFUSED, _no_caller(command))


async def _caller(desk: Desk, command: FindCallerCall, within_s: float) -> tuple[CallRecord | None] | NotDone:
    """What the provider says of the caller's leg, or why it says nothing, however often it is asked."""
    try:
        if command.call_id is None:
            return (await desk.provider.find_caller_call(command.room_id, within_s=within_s),)
        return (await look_up(desk, command.call_id, within_s),)
    except NotDone as error:
        return error


async def create_room(desk: Desk, transfer_id: str, command: CreateRoom) -> Answer | None:
    """The same key gives the same room, so the provider may be asked as often as it takes."""
    if desk.expired(command):
        return None
    try:
        room_id = await desk.provider.create_room(command.key, within_s=left_s(desk.answer_by(command)))
    except Undone as error:
        return refused(command, error)
    except Doubtful as error:
        return failed(command, Fault.UNKNOWN, str(error), status=error.status)
    return RoomCreated(command_id=command.command_id, room_id=room_id)


async def close_room(desk: Desk, transfer_id: str, command: CloseRoom) -> Answer:
    """A room that is gone already is closed. A provider that does not answer is asked again later.

    Of a room that nobody knows the key is known: by that it is opened, if it was not, and closed. Closing
    hangs up on whoever is there, so a room with a caller in it stays: a move may come later than anything.
    It is told, for nobody else may have seen them come: they are to be brought back.
    """
    by = desk.answer_by(command, at_least_s=CLEAN_UP_S)
    try:
        room_id = command.room_id
        if room_id is None:
            room_id = await desk.provider.create_room(command.key or transfer_id, within_s=left_s(by))
        if await _holds_a_caller(desk, room_id, command.caller_call_id, by):
            seen = ParticipantJoined(
                room_id=room_id, participant_id=participant_ids.caller_consult(transfer_id)
            )
            await desk.tell(transfer_id, seen, f"{command.command_id}:occupied")
            raise Retry(
                "A caller is in the room; it is closed when they have left it", after_s=OCCUPIED_RETRY_S
            )
        await desk.provider.close_room(room_id, within_s=left_s(by))
    except Gone:
        return RoomClosed(command_id=command.command_id)
    except NotDone as error:
        return refused(command, error)
    except Doubtful as error:
        raise Retry(str(error)) from error
    return RoomClosed(command_id=command.command_id)


async def _holds_a_caller(desk: Desk, room_id: str, call_id: str | None, by: float) -> bool:
    """Whether somebody is on the phone in that room: our caller by their own leg, anybody by the room's book.

    Raises `Retry` while our caller is being moved, wherever to.
    """
    if call_id is not None:
        ours = await look_up(desk, call_id, left_s(by))
        if ours is not None and ours.up and ours.moving:
            raise Retry(
                "The caller is being moved; the room is closed when they are", after_s=OCCUPIED_RETRY_S
            )
        if ours is not None and ours.up and ours.room_id == room_id:
            return True
    return await desk.provider.find_caller_call(room_id, within_s=left_s(by)) is not None


async def check_legs(desk: Desk, transfer_id: str, command: CheckLegs) -> Answer | None:
    """Both legs as the provider has them now, side by side."""
    if desk.expired(command):
        return None
    within_s = left_s(desk.answer_by(command))
    caller, supervisor = await asyncio.gather(
        _seen(desk, command.caller_call_id, within_s), _seen(desk, command.supervisor_call_id, within_s)
    )
    return LegsChecked(command_id=command.command_id, caller=caller, supervisor=supervisor)


async def _seen(desk: Desk, call_id: str | None, within_s: float) -> LegSeen | None:
    if call_id is None:
        return None
    try:
        record = await look_up(desk, call_id, within_s)
    except (Retry, NotDone):
        return None
    return LegSeen(up=False, status=GONE) if record is None else _leg(record)


def _leg(record: CallRecord) -> LegSeen:
    return LegSeen(
        up=record.up,
        room_id=record.room_id,
        status=record.status,
        cause=record.cause,
        sip_code=record.sip_code,
    )


def _no_caller(command: FindCallerCall) -> str:
    if command.call_id is None:
        return (
            f"Caller is not a SIP participant in room {command.room_id}; "
            "a warm transfer needs a live phone call."
        )
    return f"The caller's call {command.call_id} is not up; a warm transfer needs a live phone call."
