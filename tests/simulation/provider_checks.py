"""Invariants that the provider's ledger and the sessions show: what was executed, and what is left.

No statement of an actor or of a phase is used as evidence. The numbers are those of docs/reliability.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tests.testkit.invariants import dialled_once, moved_once, no_leg_left
from tests.testkit.transfer_history import TransferHistory
from warmxfer.actors.coordinator.state_machine import Stage
from warmxfer.actors.gateway.handlers.return_caller import RETURN_EFFECTS

from .bridge_checks import BRIDGE_CHECKS
from .caller_location import (
    caller_of,
    effects_of,
    never_cut_off,
    no_briefing_for_the_caller,
    nothing_private_without_a_person,
    only_a_willing_line_gets_the_caller,
    ran,
    with_the_ai,
    with_the_supervisor,
)
from .rescue_checks import RESCUE_CHECKS
from .stream_checks import MODEL_FAULTS

if TYPE_CHECKING:
    from .world import World

OUTDATED_HOLD_S = 6.0
"""How long a hold may last that was applied after the end, until the release behind it is applied."""
LEASE_SLACK = 1.5
RELEASE_STEPS_S = 2.0
"""A lease is checked four times, and each step of a release has its own time-out."""
UNOWNED_S = 45.0
"""How long beyond the lease a caller may be muted after the end, stalls and outages included."""


def at_most_once(world: World, history: TransferHistory) -> Iterator[str]:
    """I6, I7, I10: dial and switch are ordered once and executed once.

    A failed return is ordered again, and executed at most once.
    """
    ordered = Counter(each.what for each in world.cloud.orders if each.transfer_id == history.id)
    for what, count in ordered.items():
        if (what.startswith("dial") or what == "switch") and count > 1:
            yield f"{'I6' if what.startswith('dial') else 'I7'}: {what} was ordered {count} times"
    if ordered["return"] > len(RETURN_EFFECTS):
        yield f"I7: a return was ordered {ordered['return']} times"
    effects = effects_of(world, history)
    yield from map(str, dialled_once(effects))
    yield from map(str, moved_once(effects))


def nothing_after_the_end(world: World, history: TransferHistory) -> Iterator[str]:
    """I8: after the end no dial and no move to the supervisor is ordered or executed.

    A return may still be ordered. A caller who has hung up is not moved.
    """
    if history.ended_at is None:
        return
    session = world.plans[history.id].session
    hung_up_at = caller_of(world, history).ended_at
    for each in (*world.cloud.orders, *world.cloud.ledger):
        to_supervisor = each.what == "switch" and each.room_id != session
        moves = to_supervisor and (hung_up_at is None or each.at < hung_up_at)
        dials_or_moves = each.what.startswith("dial") or moves
        late = each.at > history.ended_at and not each.faulty
        if each.transfer_id == history.id and dials_or_moves and late:
            yield f"I8: {each.what} {each.at - history.ended_at:.3f} s after the end"


def nothing_left(world: World, history: TransferHistory) -> Iterator[str]:
    """I16: no leg, no briefing agent and no room is left; at complete the two who talk keep leg and room."""
    if history.ended_at is None:
        return
    yield from map(str, no_leg_left(effects_of(world, history)))
    room = world.cloud.rooms.get(f"room-{history.id}")
    if room is None:
        return
    if f"wxa-{history.id}" in room.participants:
        yield "I16: the briefing agent is still in the room"
    caller_in_room = caller_of(world, history).record.room_id == room.id
    if room.open and not history.complete and not caller_in_room:
        yield "I16: the room is still open"


def guard_is_over(world: World, history: TransferHistory) -> Iterator[str]:
    """L3: a guard ends."""
    if history.records and history.records[-1][1].state.stage is Stage.GUARDING:
        yield "L3: the guard has not ended"


def recording_reported(world: World, history: TransferHistory) -> Iterator[str]:
    """I28: the result says how a requested recording went, and a caller reported as recorded is recorded."""
    if not history.complete or history.result is None:
        return
    reported, caller = history.result.evidence.get("recording"), caller_of(world, history)
    if (reported is not None) is not world.plans[history.id].config["record"]:
        yield f"I28: the result says of the recording {reported}"
    recorded = [
        each for each in world.cloud.ledger if (each.what, each.transfer_id) == ("recorded", history.id)
    ]
    if reported == "started" and caller.record.call_id not in {each.call_id for each in recorded}:
        yield "I28: the result says that the caller is recorded, and the caller is not"
    no_faults = world.faults.allowed <= MODEL_FAULTS and caller.record.up
    if no_faults and reported not in (None, "started"):
        yield f"I28: not recorded, without a fault that matters: {reported}"


def one_transfer_per_caller(world: World, history: TransferHistory) -> Iterator[str]:
    """I9: no two transfers of one caller run at the same time."""
    session = world.plans[history.id].session
    for other in world.histories.values():
        same_caller = world.plans[other.id].session == session and other.id < history.id
        if not (same_caller and ran(other) and ran(history)):
            continue
        apart = (history.ended_at or 9e9) <= other.began_at or (other.ended_at or 9e9) <= history.began_at
        if not apart:
            yield f"I9: it ran beside {other.id}, for the same caller"


def held_only_for_a_transfer(world: World, history: TransferHistory) -> Iterator[str]:
    """I1, I15, I25: a hold begins after the first record of a transfer, and ends soon after the last."""
    if not ran(history):
        return
    session = world.plans[history.id].session
    ours = [
        each for each in world.histories.values() if world.plans[each.id].session == session and ran(each)
    ]
    if history is not ours[0]:
        return
    for began, *ended in world.processes.sessions[session].holds:
        before = [each for each in ours if each.began_at <= began]
        if not before:
            yield "I25: the caller was held before any transfer was recorded"
            continue
        last = max(each.over_at or world.now for each in before)
        # A caller who has hung up is not muted, even if no process has noticed the hang-up.
        until = min(ended[0] if ended else world.now, caller_of(world, history).ended_at or world.now)
        if began > last and until - began > OUTDATED_HOLD_S:
            yield f"I15: a hold came {began - last:.1f} s after the end, and lasted {until - began:.1f} s"
        if until - last > world.plan.lease_s + UNOWNED_S:
            yield f"I1: the caller was muted for {until - last:.1f} s after the transfer had ended"


def released_in_an_outage(world: World, history: TransferHistory) -> Iterator[str]:
    """I25: while the broker is unreachable, a session releases its caller when its lease expires.

    A crash ends the hold. A stalled process cannot release.
    """
    if "stall_primary" in world.faults.happened:
        return
    limit_s = LEASE_SLACK * world.plan.lease_s + RELEASE_STEPS_S
    for outage_at, back_at in world.fault_schedule.outages:
        for began, *ended in world.processes.sessions[world.plans[history.id].session].holds:
            until = min(ended[0] if ended else world.now, back_at)
            if began < outage_at and until > outage_at + limit_s:
                yield f"I25: the caller was muted for {until - outage_at:.1f} s of an outage"


LEFT_OVER_CHECKS = (with_the_ai, with_the_supervisor, nothing_left, guard_is_over)
"""Checks that may fail for a while after the end, until clean-up is done."""

PROVIDER_CHECKS = (
    at_most_once,
    nothing_after_the_end,
    *BRIDGE_CHECKS,
    no_briefing_for_the_caller,
    nothing_private_without_a_person,
    only_a_willing_line_gets_the_caller,
    never_cut_off,
    recording_reported,
    one_transfer_per_caller,
    held_only_for_a_transfer,
    released_in_an_outage,
    *RESCUE_CHECKS,
    *LEFT_OVER_CHECKS,
)
