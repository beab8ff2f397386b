"""The invariants of who the caller is with: the AI of their own room, or the supervisor, and never nobody.

Read off rooms and legs alone. A caller who is up when all is settled is excused only while the process of
their own AI is down; who hung up has hung up. No provider stays dark until the end of a run.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from warmxfer.actors.coordinator.state_machine import Stage
from warmxfer.schemas import Outcome, SpokenLines

from .cloud import Call
from .transfer_history import Story

if TYPE_CHECKING:
    from .world import World

CONNECTING = SpokenLines().connecting
LAST_WORDS_S = 0.1
"""So soon after a caller has come in an agent may be at the end of what it was saying."""


def with_the_ai(world: World, story: Story) -> Iterator[str]:
    """I1, I2, I4: whom no transfer has or has handed over is in their room, heard by an AI there."""
    if not is_last_of_caller(world, story) or any(each.complete for each in _of_caller(world, story)):
        return
    caller, session = caller_of(world, story), world.house.sessions[story.plan.session]
    if not caller.record.up or session.killed:
        return
    here = caller.record.room_id
    if here == f"room-{story.id}" and any(
        each.record.up and each.answered_at is not None for each in legs_of(world, story)
    ):
        # It could not be brought about, and came about: the two talk, and are left to it.
        return
    if here != story.plan.session:
        others = sorted({*world.cloud.rooms[here or ""].guests} - {caller.record.participant_id})
        yield f"I4: {_told(story)}, and the caller is left in {here}, with {', '.join(others) or 'nobody'}"
    elif session.over:
        yield f"I1: {_told(story)}, and the caller is alone in their room: its AI has left"
    elif session.muted:
        yield "I2: the caller is muted, and no transfer is running"
    elif not session.auto_end:
        yield "I2: auto-end is not as it was"


def with_the_supervisor(world: World, story: Story) -> Iterator[str]:
    """I3, I5: complete means that the two hear each other until one hangs up."""
    caller = caller_of(world, story)
    if not story.complete or not caller.record.up:
        return
    room_id = f"room-{story.id}"
    if caller.record.room_id != room_id:
        yield f"I3: complete, and the caller is in {caller.record.room_id}"
        return
    ours = [each.record.call_id for each in legs_of(world, story) if not each.twin]
    if any(each.what == "end" and each.call_id in ours for each in world.cloud.ledger):
        yield "I3: complete, and the supervisor was hung up on"
    talking = {*ours, caller.record.call_id}
    there = [each for each in world.cloud.rooms[room_id].guests.values() if each.call]
    if any(each.call and each.call.record.call_id in talking and not each.audible for each in there):
        yield "I5: complete, and the two do not hear each other"


def never_thrown_out(world: World, story: Story) -> Iterator[str]:
    """I1: the caller's leg ends when the caller hangs up, and no other way."""
    ended_at = caller_of(world, story).ended_at
    hangs_up = next(each.hangs_up_at_s for each in world.plan.callers if each.session == story.plan.session)
    if ended_at is not None and (hangs_up is None or ended_at < world.began_at + hangs_up - 0.001):
        yield f"I1: the caller was hung up on {ended_at - world.began_at:.3f} s after the run began"


def not_before_the_switch(world: World, story: Story) -> Iterator[str]:
    """I5: the caller is in the consultation only once the machine has decided to move them, and of what the
    agent says there hears no more than that they are being connected."""
    decided = next((s.at for s, record in story.records if record.state.stage is Stage.SWITCHING), None)
    for each in world.cloud.ledger:
        if (each.what, each.transfer_id) == ("moved", story.id) and (decided is None or each.at < decided):
            yield "I5: the caller was moved before anybody decided it"
    caller_id = caller_of(world, story).record.call_id
    came = [
        each.at for each in world.cloud.ledger if (each.what, each.room_id) == ("moved", f"room-{story.id}")
    ]
    for spoken in world.cloud.spoken:
        briefing = spoken.participant_id == f"wxa-{story.id}" and spoken.words != CONNECTING
        begun_before = any(at <= spoken.at < at + LAST_WORDS_S for at in came)
        if briefing and caller_id in spoken.heard_by and not begun_before:
            yield f"I5: the caller heard of the briefing: {spoken.words}"


def ran(story: Story) -> bool:
    """Whether it ever had the caller."""
    refused = (Outcome.INVALID_REQUEST, Outcome.CALLER_IN_TRANSFER, Outcome.TOO_BUSY)
    return bool(story.records) and not (story.result is not None and story.result.outcome in refused)


def is_last_of_caller(world: World, story: Story) -> bool:
    """Whether this story is the last that had this caller."""
    return ran(story) and story is max(_of_caller(world, story), key=lambda each: each.began_at)


def caller_of(world: World, story: Story) -> Call:
    return world.cloud.calls[f"in-{story.plan.session}"]


def legs_of(world: World, story: Story) -> list[Call]:
    return [
        each
        for each in world.cloud.calls.values()
        if each.transfer_id == story.id and each.record.direction == "outbound"
    ]


def _of_caller(world: World, story: Story) -> list[Story]:
    return [each for each in world.stories.values() if each.plan.session == story.plan.session and ran(each)]


def _told(story: Story) -> str:
    return story.result.outcome.value if story.result else "no result"
