"""How a leg stands to a move into a room, judged from its record. Pure but for the one look."""

from __future__ import annotations

import asyncio
from enum import Enum, auto

from warmxfer.adapters.telephony import CallRecord, Rejected
from warmxfer.schemas import RetryableError

from .at_most_once import MIN_READ_S, ClaimRecord
from .context import GatewayContext, in_s, left_s

SWITCH = "switch"
"""The caller's move to the supervisor."""

SECOND_READ_AFTER_S = 1.0
"""How long after the first look a leg that is not in the book is looked for again."""


class LegPosition(Enum):
    """How a leg stands to a move into a room."""

    GONE = auto()
    """Hung up."""
    THERE = auto()
    UNDER_WAY = auto()
    FAILED = auto()
    """The provider tried, and the leg is where it was."""
    ELSEWHERE = auto()


def leg_position(record: CallRecord | None, room_id: str, claim: ClaimRecord) -> LegPosition:
    """Judge a leg's record against the intent to move it into `room_id`. Pure."""
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
    """A leg's record; None when the provider's book does not hold it, and still not a moment later.

    A book has copies, and one of them may be behind: a caller taken for gone is brought home by nobody.
    Raises as the provider does, and `Retry` when there is no time for the second look.
    """
    read_by = in_s(within_s)
    record = await context.provider.look_up_call(call_id, within_s=within_s)
    if record is not None:
        return record
    if left_s(read_by) < SECOND_READ_AFTER_S + MIN_READ_S:
        raise RetryableError("The provider has no record of the call, and there is no time for a second read")
    await asyncio.sleep(SECOND_READ_AFTER_S)
    return await context.provider.look_up_call(call_id, within_s=left_s(read_by))


async def is_down(context: GatewayContext, call_id: str, read_by: float) -> bool:
    """Whether a leg is seen to be down; False when it is up, or nobody answers."""
    try:
        record = await look_up(context, call_id, left_s(read_by))
    except (RetryableError, Rejected):
        return False
    return record is None or not record.up
