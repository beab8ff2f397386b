"""Commands that ask, and the rooms: what may be done twice without harm needs no claim."""

from __future__ import annotations

import asyncio

from warmxfer.adapters.telephony import NOTHING_DONE, CallRecord, NotFound, OutcomeUnknown, Rejected
from warmxfer.schemas import (
    CallerCallFound,
    CheckLegs,
    CloseRoom,
    CommandReply,
    CreateRoom,
    FailureKind,
    FindCallerCall,
    LegReport,
    LegsChecked,
    ParticipantJoined,
    RetryableError,
    RoomClosed,
    RoomCreated,
    participant_ids,
)

from ...common.command_replies import command_failed, command_rejected
from ..at_most_once import poll_until
from ..context import CLEAN_UP_S, GatewayContext, left_s
from ..leg_lookup import look_up

GONE = "gone"
UNANSWERED = "The provider did not say in time whether the caller is on the phone."
OCCUPIED_RETRY_S = 1.0


async def find_caller_call(
    desk: GatewayContext, transfer_id: str, command: FindCallerCall
) -> CommandReply | None:
    """The caller's leg must be up: one that is known is checked, any other is searched for in the room."""
    if desk.expired(command):
        return None
    match await poll_until(lambda within_s: _caller(desk, command, within_s), desk.reply_deadline(command)):
        case None:
            return command_failed(command, FailureKind.REFUSED, UNANSWERED)
        case Rejected() as error:
            return command_rejected(command, error)
        case (CallRecord(up=True) as found,):
            return CallerCallFound(
                command_id=command.command_id, call_id=found.call_id, participant_id=found.participant_id
            )
        case _:
            return command_failed(command, FailureKind.REFUSED, _no_caller(command))


async def _caller(
    desk: GatewayContext, command: FindCallerCall, within_s: float
) -> tuple[CallRecord | None] | Rejected:
    """What the provider says of the caller's leg, or why it says nothing, however often it is asked."""
    try:
        if command.call_id is None:
            return (await desk.provider.find_caller_call(command.room_id, within_s=within_s),)
        return (await look_up(desk, command.call_id, within_s),)
    except Rejected as error:
        return error


async def create_room(desk: GatewayContext, transfer_id: str, command: CreateRoom) -> CommandReply | None:
    """The same key gives the same room, so the provider may be asked as often as it takes."""
    if desk.expired(command):
        return None
    try:
        room_id = await desk.provider.create_room(command.key, within_s=left_s(desk.reply_deadline(command)))
    except NOTHING_DONE as error:
        return command_rejected(command, error)
    except OutcomeUnknown as error:
        return command_failed(command, FailureKind.UNKNOWN, str(error), status=error.status)
    return RoomCreated(command_id=command.command_id, room_id=room_id)


async def close_room(desk: GatewayContext, transfer_id: str, command: CloseRoom) -> CommandReply:
    """A room that is gone already is closed. A provider that does not answer is asked again later.

    Of a room that nobody knows the key is known: by that it is opened, if it was not, and closed. Closing
    hangs up on whoever is there, so a room with a caller in it stays: a move may come later than anything.
    It is told, for nobody else may have seen them come: they are to be brought back.
    """
    by = desk.reply_deadline(command, at_least_s=CLEAN_UP_S)
    try:
        room_id = command.room_id
        if room_id is None:
            room_id = await desk.provider.create_room(command.key or transfer_id, within_s=left_s(by))
        if await _has_caller(desk, room_id, command.caller_call_id, by):
            seen = ParticipantJoined(
                room_id=room_id, participant_id=participant_ids.caller_consult(transfer_id)
            )
            await desk.publish_event(transfer_id, seen, f"{command.command_id}:occupied")
            raise RetryableError(
                "A caller is in the room; it is closed when they have left it", after_s=OCCUPIED_RETRY_S
            )
        await desk.provider.close_room(room_id, within_s=left_s(by))
    except NotFound:
        return RoomClosed(command_id=command.command_id)
    except Rejected as error:
        return command_rejected(command, error)
    except OutcomeUnknown as error:
        raise RetryableError(str(error)) from error
    return RoomClosed(command_id=command.command_id)


async def _has_caller(desk: GatewayContext, room_id: str, call_id: str | None, by: float) -> bool:
    """Whether somebody is on the phone in that room: our caller by their own leg, anybody by the room's book.

    Raises `Retry` while our caller is being moved, wherever to.
    """
    if call_id is not None:
        ours = await look_up(desk, call_id, left_s(by))
        if ours is not None and ours.up and ours.moving:
            raise RetryableError(
                "The caller is being moved; the room is closed when they are", after_s=OCCUPIED_RETRY_S
            )
        if ours is not None and ours.up and ours.room_id == room_id:
            return True
    return await desk.provider.find_caller_call(room_id, within_s=left_s(by)) is not None


async def check_legs(desk: GatewayContext, transfer_id: str, command: CheckLegs) -> CommandReply | None:
    """Both legs as the provider has them now, side by side."""
    if desk.expired(command):
        return None
    within_s = left_s(desk.reply_deadline(command))
    caller, supervisor = await asyncio.gather(
        _leg_report(desk, command.caller_call_id, within_s),
        _leg_report(desk, command.supervisor_call_id, within_s),
    )
    return LegsChecked(command_id=command.command_id, caller=caller, supervisor=supervisor)


async def _leg_report(desk: GatewayContext, call_id: str | None, within_s: float) -> LegReport | None:
    if call_id is None:
        return None
    try:
        record = await look_up(desk, call_id, within_s)
    except (RetryableError, Rejected):
        return None
    return LegReport(up=False, status=GONE) if record is None else _leg(record)


def _leg(record: CallRecord) -> LegReport:
    return LegReport(
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
