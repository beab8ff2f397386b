"""The invariants that the cloud's ledger and the sessions show: what was done to a caller, and what is left.

Nobody's word is taken: not an actor's, not a phase's. The numbers are those of docs/reliability.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from warmxfer.actors.gateway.handlers.return_caller import RETURN_EFFECTS

from .caller_location import (
    caller_of,
    legs_of,
    never_thrown_out,
    not_before_the_switch,
    ran,
    with_the_ai,
    with_the_supervisor,
)
from .promises import MODEL_FAULTS
from .transfer_history import Story

if TYPE_CHECKING:
    from .world import World

UNSEEN_S = 20.0
"""How long a hang-up may go unnoticed while look-ups fail and webhooks are lost."""
OUTDATED_S = 6.0
"""How long a hold may last that was obeyed after the end, until the release behind it is."""
LEASE_SLACK = 1.5
STEPS_S = 2.0
"""A lease is looked at four times, and each step of a release has time of its own."""
UNOWNED_S = 45.0
"""How long beyond the lease a caller may be muted after the end, stalls and outages included."""


def at_most_once(world: World, story: Story) -> Iterator[str]:
    """I6, I7, I10: one dial per attempt, one switch: ordered once, and executed once. A way back that came to
    nothing is ordered again; executed it is once."""
    ordered = Counter(each.what for each in world.cloud.orders if each.transfer_id == story.id)
    for what, count in ordered.items():
        if (what.startswith("dial") or what == "switch") and count > 1:
            yield f"{'I6' if what.startswith('dial') else 'I7'}: {what} was ordered {count} times"
    home = [each for each in world.cloud.ledger if each.what == "moved" and each.transfer_id == story.id]
    home = [each for each in home if each.room_id == story.plan.session]
    if ordered["return"] > len(RETURN_EFFECTS) or len(home) > 1:
        yield f"I7: a return was ordered {ordered['return']} times, and executed {len(home)} times"
    dials = [each for each in world.cloud.ledger if (each.what, each.transfer_id) == ("dial", story.id)]
    if sum(not each.faulty for each in dials) > 1:
        yield f"I6: {len(dials)} dials were executed"


def nothing_afterwards(world: World, story: Story) -> Iterator[str]:
    """I8: no dial and no switch is ordered or executed once it has ended: but who could not be brought home
    before is brought home still. Nobody is moved who has hung up."""
    if story.ended_at is None:
        return
    hung_up_at = caller_of(world, story).ended_at
    for each in (*world.cloud.orders, *world.cloud.ledger):
        away = each.what == "switch" and each.room_id != story.plan.session
        moves = away and (hung_up_at is None or each.at < hung_up_at)
        dials_or_moves = each.what.startswith("dial") or moves
        if each.transfer_id == story.id and dials_or_moves and each.at > story.ended_at and not each.faulty:
            yield f"I8: {each.what} {each.at - story.ended_at:.3f} s after the end"


def success_is_a_fact(world: World, story: Story) -> Iterator[str]:
    """I3: complete means that the caller was moved, to a supervisor who had answered and was still there."""
    if not story.complete or story.ended_at is None:
        return
    moved = [each for each in world.cloud.ledger if (each.what, each.transfer_id) == ("moved", story.id)]
    if not moved:
        yield "I3: complete, and the caller was never moved"
    legs = [each for each in legs_of(world, story) if not each.twin]
    if not any(each.answered_at is not None and each.answered_at <= story.ended_at for each in legs):
        yield "I3: complete, and no supervisor had answered"
    elif all((each.ended_at or story.ended_at) < story.ended_at - UNSEEN_S for each in legs):
        yield "I3: complete, and the supervisor had long hung up"


def nothing_left(world: World, story: Story) -> Iterator[str]:
    """I16: no leg, no agent and no room stays behind; at complete, the two who talk and their room."""
    if story.ended_at is None:
        return
    kept = story.complete or caller_of(world, story).record.room_id == f"room-{story.id}"
    up = [each.record.call_id for each in legs_of(world, story) if each.record.up and (each.twin or not kept)]
    if up:
        yield f"I16: {', '.join(up)} is still up"
    room = world.cloud.rooms.get(f"room-{story.id}")
    if room is None:
        return
    if f"wxa-{story.id}" in room.guests:
        yield "I16: the briefing agent is still in the room"
    if room.open and not kept:
        yield "I16: the room is still open"


def recorded_as_told(world: World, story: Story) -> Iterator[str]:
    """I28: who was to be recorded is, where the result says so; and it says how it went."""
    if not story.complete or story.result is None:
        return
    told, caller = story.result.evidence.get("recording"), caller_of(world, story)
    if (told is not None) is not story.plan.config["record"]:
        yield f"I28: the result says of the recording {told}"
    recorded = [
        each for each in world.cloud.ledger if (each.what, each.transfer_id) == ("recorded", story.id)
    ]
    if told == "started" and caller.record.call_id not in {each.call_id for each in recorded}:
        yield "I28: the result says that the caller is recorded, who is not"
    calm = world.weather.allowed <= MODEL_FAULTS and caller.record.up
    if calm and told not in (None, "started"):
        yield f"I28: not recorded in fair weather: {told}"


def one_transfer_per_caller(world: World, story: Story) -> Iterator[str]:
    """I9: no two transfers of one caller run at the same time."""
    for other in world.stories.values():
        both = other.plan.session == story.plan.session and other.id < story.id and ran(other) and ran(story)
        if not both:
            continue
        apart = (story.ended_at or 9e9) <= other.began_at or (other.ended_at or 9e9) <= story.began_at
        if not apart:
            yield f"I9: it ran beside {other.id}, for the same caller"


def held_for_somebody(world: World, story: Story) -> Iterator[str]:
    """I1, I15, I25: a hold begins after the first record of a transfer, and ends soon after the last."""
    if not ran(story):
        return
    ours = [each for each in world.stories.values() if each.plan.session == story.plan.session and ran(each)]
    if story is not ours[0]:
        return
    for began, *ended in world.house.sessions[story.plan.session].holds:
        before = [each for each in ours if each.began_at <= began]
        if not before:
            yield "I25: the caller was held before any transfer was recorded"
            continue
        last = max(each.ended_at or world.now for each in before)
        # Who has hung up is not muted, whether or not anybody is there to take note of it.
        until = min(ended[0] if ended else world.now, caller_of(world, story).ended_at or world.now)
        if began > last and until - began > OUTDATED_S:
            yield f"I15: a hold came {began - last:.1f} s after the end, and lasted {until - began:.1f} s"
        if until - last > world.plan.lease_s + UNOWNED_S:
            yield f"I1: the caller was muted for {until - last:.1f} s after the transfer had ended"


def let_go_in_silence(world: World, story: Story) -> Iterator[str]:
    """I25: while the bus is away, a session lets its caller go by itself once its lease is over."""
    if any(what in ("stall_primary", "crash_primary") for what, _ in world.weather.struck):
        return
    patience_s = LEASE_SLACK * world.plan.lease_s + STEPS_S
    for away, back in world.storm.outages:
        for began, *ended in world.house.sessions[story.plan.session].holds:
            until = min(ended[0] if ended else world.now, back)
            if began < away and until > away + patience_s:
                yield f"I25: the caller was muted for {until - away:.1f} s of an outage"


LEFT_OVER_CHECKS = (with_the_ai, with_the_supervisor, nothing_left)
"""What may still be true for a while after the end."""

EFFECT_CHECKS = (
    at_most_once,
    nothing_afterwards,
    success_is_a_fact,
    not_before_the_switch,
    never_thrown_out,
    recorded_as_told,
    one_transfer_per_caller,
    held_for_somebody,
    let_go_in_silence,
    *LEFT_OVER_CHECKS,
)
