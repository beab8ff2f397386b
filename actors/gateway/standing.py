"""How a leg stands to a move into a room, judged from its record. Pure but for the one look."""

from __future__ import annotations

from enum import Enum, auto

from warmxfer.actors.providers import CallRecord, NotDone
from warmxfer.schemas import Retry

from .desk import Desk, left_s
from .effects import Intent

SWITCH = "switch"
"""The caller's move to the supervisor."""


class Stand(Enum):
    """How a leg stands to a move into a room."""

    GONE = auto()
    """Hung up."""
    THERE = auto()
    UNDER_WAY = auto()
    FAILED = auto()
    """The provider tried, and the leg is where it was."""
    ELSEWHERE = auto()


def stand(record: CallRecord | None, room_id: str, before: Intent) -> Stand:
    """Judge a leg's record against the intent to move it into `room_id`. Pure."""
    if record is None or not record.up:
        return Stand.GONE
    if record.moving:
        return Stand.UNDER_WAY
    if record.room_id == room_id or (record.room_id is None and record.moves_done > before.moves_done):
        return Stand.THERE
    if record.moves_failed > before.moves_failed:
        return Stand.FAILED
    return Stand.ELSEWHERE


async def has_hung_up(desk: Desk, call_id: str, by: float) -> bool:
    """Whether a leg is seen to be down; False when it is up, or nobody answers."""
    try:
        record = await desk.provider.look_up_call(call_id, within_s=left_s(by))
    except (Retry, NotDone):
        return False
    return record is None or not record.up
