"""Invariants of a caller whose AI process died for good, by the simulated cloud and the sessions.

I29: the result, or a notice, speaks of such a caller, and a configured rescue was ordered. I30: at most one
rescue is ordered and executed, and none for a caller who had hung up long before.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tests.testkit.transfer_history import TransferHistory
from warmxfer.schemas import NoticeKind

from .caller_location import caller_of, is_last_of_caller, legs_of, with_supervisor
from .cloud import RESCUE
from .provider import STALE_S

if TYPE_CHECKING:
    from .world import World

SPOKEN_OF = frozenset({NoticeKind.CALLER_ALONE, NoticeKind.CALLER_RESCUED})
HUNG_UP_BEFORE_S = STALE_S + 10.0
"""The legs are read up to half of a rescue's time before it is ordered, and a reading may be stale."""


def rescued_once(world: World, history: TransferHistory) -> Iterator[str]:
    """I30: one rescue at most is ordered and executed, for a caller whose leg is up."""
    ordered = [e for e in world.cloud.orders if (e.what, e.transfer_id) == (RESCUE, history.id)]
    ours = [e for e in world.cloud.ledger if (e.what, e.transfer_id) == (RESCUE, history.id)]
    executed = [each for each in ours if not each.faulty]
    if len(ordered) > 1 or len(executed) > 1:
        yield f"I30: {len(ordered)} rescues were ordered, {len(executed)} executed"
    hung_up_at = caller_of(world, history).ended_at
    for order in ordered:
        if hung_up_at is not None and order.at > hung_up_at + HUNG_UP_BEFORE_S:
            yield f"I30: a rescue was ordered {order.at - hung_up_at:.1f} s after the caller hung up"
    if ordered and not world.plans[history.id].config.get("rescue"):
        yield "I30: a rescue was ordered, and none is configured"


def lost_session_noticed(world: World, history: TransferHistory) -> Iterator[str]:
    """I29: the AI of a caller on hold died for good: the result or a notice speaks of the caller."""
    caller, session = caller_of(world, history), world.processes.sessions[world.plans[history.id].session]
    died_in_hold = session.killed and session.muted
    if history.result is None or not is_last_of_caller(world, history) or not died_in_hold:
        return
    together = caller.record.room_id == f"room-{history.id}" and any(
        each.record.up for each in legs_of(world, history)
    )
    if not caller.record.up or together or (history.complete and with_supervisor(history)):
        return
    spoken_of = "caller" in history.result.evidence or bool(SPOKEN_OF & set(history.notice_kinds))
    if not spoken_of:
        yield "I29: the AI of the caller died, and neither the result nor a notice speaks of the caller"
    rescued = any((each.what, each.transfer_id) == (RESCUE, history.id) for each in world.cloud.orders)
    said = str(history.result.evidence.get("caller_rescued", ""))
    excused = said.startswith(("failed", "unconfirmed", "not needed"))
    excused = excused or NoticeKind.CALLER_ALONE in history.notice_kinds
    if world.plans[history.id].config.get("rescue") and not rescued and not excused:
        yield "I29: the AI of the caller died, and no rescue was ordered"


RESCUE_CHECKS = (rescued_once, lost_session_noticed)
