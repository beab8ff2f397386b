"""Clean-up commands whose log is gone: the transfer ended long ago, and its log was removed.

What such a command says cannot be compared with a log. So it is carried out only on what carries the mark of
its own transfer at the provider, and only if no caller is there. Effects are never carried out without a log.

Test: `tests/actors/gateway/test_without_log.py`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog
from msgspec.structs import replace

from warmxfer.schemas import CloseRoom, Command, EndCall, participant_ids
from warmxfer.schemas.participant_ids import ParticipantId

from .. import call_marks
from ..context import CLEAN_UP_S, GatewayContext, left_s
from .dial import hang_up
from .rooms import close_room

log = structlog.get_logger(__name__)


async def end_marked_call(context: GatewayContext, transfer_id: str, command: EndCall) -> None:
    """End the legs with the mark of this attempt. A leg with a caller in its room is kept."""
    reply_by = context.reply_deadline(command, at_least_s=CLEAN_UP_S)
    key = call_marks.attempt_key(transfer_id, command.attempt)
    participant_id = participant_ids.supervisor(transfer_id, command.attempt)
    legs = await context.provider.find_calls(command.room_id, participant_id, key, within_s=left_s(reply_by))
    owner = ParticipantId("supervisor", transfer_id, command.attempt)
    for leg in legs:
        if not leg.up or leg.room_id is None or call_marks.parse_call_metadata(leg.metadata) != owner:
            continue
        if await context.provider.find_caller_call(leg.room_id, within_s=left_s(reply_by)) is None:
            await hang_up(context, leg.call_id, reply_by)
            log.warning("call_ended_without_log", transfer_id=transfer_id)


async def close_own_room(context: GatewayContext, transfer_id: str, command: CloseRoom) -> None:
    """Close the room that belongs to the transfer by its key, if no caller is in it."""
    await close_room(context, transfer_id, replace(command, room_id=None, key=transfer_id))
    log.warning("room_closed_without_log", transfer_id=transfer_id)


WITHOUT_LOG: Mapping[type[Command], Callable[[GatewayContext, str, Any], Awaitable[None]]] = {
    EndCall: end_marked_call,
    CloseRoom: close_own_room,
}
