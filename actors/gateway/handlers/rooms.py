"""CreateRoom and CloseRoom: both are idempotent at the provider, so they need no claim."""

from __future__ import annotations

from warmxfer.adapters.telephony import NOTHING_DONE, NotFound, OutcomeUnknown, Rejected
from warmxfer.schemas import (
    CloseRoom,
    CommandReply,
    CreateRoom,
    FailureKind,
    ParticipantJoined,
    RetryableError,
    RoomClosed,
    RoomCreated,
    participant_ids,
)

from ...common.command_replies import command_failed, command_rejected
from ..context import CLEAN_UP_S, GatewayContext, left_s
from ..leg_lookup import look_up

OCCUPIED_RETRY_S = 1.0


async def create_room(context: GatewayContext, transfer_id: str, command: CreateRoom) -> CommandReply | None:
    """Create the room. The same key returns the same room, so the provider may be asked repeatedly."""
    if context.expired(command):
        return None
    try:
        room_id = await context.provider.create_room(
            command.key, within_s=left_s(context.reply_deadline(command))
        )
    except NOTHING_DONE as error:
        return command_rejected(command, error)
    except OutcomeUnknown as error:
        return command_failed(command, FailureKind.UNKNOWN, str(error), status=error.status)
    return RoomCreated(command_id=command.command_id, room_id=room_id)


async def close_room(context: GatewayContext, transfer_id: str, command: CloseRoom) -> CommandReply:
    """Close the room, if no caller is in it. A room that does not exist counts as closed.

    If the room id is unknown, create the room by its key (idempotent) to learn the id, then close it.

    Invariant: a room with a caller in it is not closed, because closing hangs up every call in the room. A
    move may be executed at any later time. The caller's presence is published, because no other actor may
    have seen the caller arrive; the coordinator then returns the caller.

    Raises `RetryableError` if a caller is in the room or if the provider does not reply.
    """
    reply_by = context.reply_deadline(command, at_least_s=CLEAN_UP_S)
    try:
        room_id = command.room_id
        if room_id is None:
            room_id = await context.provider.create_room(
                command.key or transfer_id, within_s=left_s(reply_by)
            )
        if await _has_caller(context, room_id, command.caller_call_id, reply_by):
            seen = ParticipantJoined(
                room_id=room_id, participant_id=participant_ids.caller_consult(transfer_id)
            )
            await context.publish_event(transfer_id, seen, f"{command.command_id}:occupied")
            raise RetryableError(
                "A caller is in the room; the room is closed after the caller has left",
                after_s=OCCUPIED_RETRY_S,
            )
        await _close(context, room_id, reply_by)
    except Rejected as error:
        return command_rejected(command, error)
    except OutcomeUnknown as error:
        raise RetryableError(str(error)) from error
    return RoomClosed(command_id=command.command_id)


async def _close(context: GatewayContext, room_id: str, reply_by: float) -> None:
    try:
        await context.provider.close_room(room_id, within_s=left_s(reply_by))
    except NotFound:
        return  # It is closed already.


async def _has_caller(context: GatewayContext, room_id: str, call_id: str | None, reply_by: float) -> bool:
    """Return whether a caller is in the room, by the caller's own call record or by the room's list of calls.

    Raises `RetryableError` while the caller is being moved, whatever the destination.
    """
    if call_id is not None:
        caller = await look_up(context, call_id, left_s(reply_by))
        if caller is not None and caller.up and caller.moving:
            raise RetryableError(
                "The caller is being moved; the room is closed after the move", after_s=OCCUPIED_RETRY_S
            )
        if caller is not None and caller.up and caller.room_id == room_id:
            return True
    try:
        return await context.provider.find_caller_call(room_id, within_s=left_s(reply_by)) is not None
    except NotFound:
        return False  # The provider knows no such room.
