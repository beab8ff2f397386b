"""Look-up of call records, and the position of its leg relative to a move into a room."""

from __future__ import annotations

import asyncio
from enum import Enum, auto

from warmxfer.adapters.telephony import CallRecord, Rejected
from warmxfer.bus import job_given_back
from warmxfer.schemas import DialSupervisor, RescueCaller, RetryableError

from .at_most_once import ClaimRecord
from .context import GatewayContext, in_s, left_s
from .provider_polling import MIN_READ_S, poll_until

SWITCH = "switch"
"""Effect name of the caller's move to the supervisor."""

SECOND_READ_AFTER_S = 1.0
"""Pause before the second read of a call that the provider does not list."""


class LegPosition(Enum):
    """Position of a leg relative to a move into a room."""

    GONE = auto()
    """The leg has hung up."""
    THERE = auto()
    UNDER_WAY = auto()
    FAILED = auto()
    """The provider tried the move and failed; the leg is in its old room."""
    ELSEWHERE = auto()


def leg_position(record: CallRecord | None, room_id: str, claim: ClaimRecord) -> LegPosition:
    """Return the position of a leg relative to the claimed move into `room_id`. Pure."""
    if record is None or not record.up:
        return LegPosition.GONE
    if record.moving:
        return LegPosition.UNDER_WAY
    if record.room_id == room_id or (record.room_id is None and record.completed_moves > claim.moves_done):
        return LegPosition.THERE
    if record.failed_moves > claim.moves_failed:
        return LegPosition.FAILED
    return LegPosition.ELSEWHERE


async def look_up(context: GatewayContext, call_id: str, within_s: float) -> CallRecord | None:
    """Return the call record of a leg, or None if two reads do not find it.

    Provider reads may be stale. A missing call is read twice, because a caller reported as gone is not
    returned to the AI. Raises what the provider raises, and `RetryableError` if there is no time for the
    second read.
    """
    read_by = in_s(within_s)
    record = await context.provider.look_up_call(call_id, within_s=within_s)
    if record is not None:
        return record
    if left_s(read_by) < SECOND_READ_AFTER_S + MIN_READ_S:
        raise RetryableError("The provider has no record of the call, and there is no time for a second read")
    with job_given_back():
        await asyncio.sleep(SECOND_READ_AFTER_S)
    return await context.provider.look_up_call(call_id, within_s=left_s(read_by))


async def find_marked_leg(
    context: GatewayContext, command: DialSupervisor | RescueCaller, key: str, until: float
) -> CallRecord | None:
    """Search for the leg that `command` may have dialled with `key`, while a reply is in time.

    Returns None if it is not found by `until`.
    """

    async def read(within_s: float) -> CallRecord | None:
        legs = await context.provider.find_calls(
            command.room_id, command.participant_id, key, within_s=within_s
        )
        return legs[0] if legs else None

    return await poll_until(read, min(until, context.reply_deadline(command)))


async def is_down(context: GatewayContext, call_id: str, read_by: float) -> bool:
    """Return True if the leg has ended; False if it is up or the provider does not reply."""
    try:
        record = await look_up(context, call_id, left_s(read_by))
    except (RetryableError, Rejected):
        return False
    return record is None or not record.up
