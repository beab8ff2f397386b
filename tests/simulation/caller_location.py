"""Invariants of the caller's location: with the AI of their own room, or with the supervisor, never alone.

The evidence is the rooms and legs of the simulated cloud. A caller whose leg is up at the end may be without
an AI only while the process of that AI is down.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec.structs import asdict

from tests.testkit.invariants import (
    Effects,
    caller_in_the_right_room,
    caller_not_alone,
    caller_not_cut_off,
    caller_not_muted,
)
from tests.testkit.transfer_history import TransferHistory
from warmxfer.actors.coordinator.state_machine import PreparationTask, Stage
from warmxfer.schemas import NoticeKind, Outcome, SpokenLines, TransferRefused

from .cloud import Call
from .plan import UNWILLING

if TYPE_CHECKING:
    from .world import World

CONNECTING = SpokenLines().connecting
FIXED_LINES = frozenset(each for each in asdict(SpokenLines()).values() if isinstance(each, str))
"""Lines that tell nothing of the call."""

LAST_UTTERANCE_S = 0.1
"""How long after the caller's arrival an agent may end an utterance that it began before."""


def effects_of(world: World, history: TransferHistory) -> Effects:
    """Return what the simulated cloud executed for one transfer, and where it left the people."""
    session_room, room_id = world.plans[history.id].session, f"room-{history.id}"
    caller, legs = caller_of(world, history).record, legs_of(world, history)
    ours = [each for each in world.cloud.ledger if each.transfer_id == history.id]
    moves = [each.room_id for each in ours if each.what == "moved"]
    own_legs = {each.record.call_id for each in legs if not each.repeated_by_cloud}
    ended_by_us = any(each.what == "end" and each.call_id in own_legs for each in world.cloud.ledger)
    return Effects(
        with_supervisor=with_supervisor(history),
        outcome=history.result.outcome.value if history.result else "no result",
        dials=sum(each.what == "dial" and not each.faulty for each in ours),
        moves_to_supervisor=len(moves) - moves.count(session_room),
        moves_back=moves.count(session_room),
        supervisor_legs_up=sum(each.record.up for each in legs if not each.repeated_by_cloud),
        supervisor_legs_expected=int(with_supervisor(history) or caller.room_id == room_id),
        repeated_legs_up=sum(each.record.up for each in legs if each.repeated_by_cloud),
        caller_up=caller.up,
        caller_room=caller.room_id,
        caller_room_expected=room_id if with_supervisor(history) else session_room,
        caller_muted=world.processes.sessions[session_room].muted,
        caller_alone=(
            ended_by_us
            if with_supervisor(history)
            else world.processes.sessions[session_room].over and not rescuer_is_there(world, history)
        ),
        caller_cut_off=_cut_off(world, history),
    )


def rescuer_is_there(world: World, history: TransferHistory) -> bool:
    """Return whether the agent or the person of this transfer's rescue is in the caller's room."""
    room = world.cloud.rooms.get(caller_of(world, history).record.room_id or "")
    return room is not None and any(
        each.participant_id == f"dispatched-{history.id}"
        or (each.call is not None and each.call.is_rescue and each.call.transfer_id == history.id)
        for each in room.participants.values()
    )


def with_the_ai(world: World, history: TransferHistory) -> Iterator[str]:
    """I1, I2, I4: a caller without a running or complete transfer is in their room, heard by an AI there."""
    others = _of_caller(world, history)
    if not is_last_of_caller(world, history) or any(with_supervisor(each) for each in others):
        return
    caller, session = caller_of(world, history), world.processes.sessions[world.plans[history.id].session]
    if not caller.record.up or session.killed:
        return
    room_id = caller.record.room_id or ""
    if room_id == f"room-{history.id}" and any(
        each.record.up and each.answered_at is not None for each in legs_of(world, history)
    ):
        # The move was given up and happened late: caller and supervisor talk, and stay together.
        return
    effects = effects_of(world, history)
    for violation in caller_in_the_right_room(effects):
        others = sorted({*world.cloud.rooms[room_id].participants} - {caller.record.participant_id})
        yield f"{violation}, with {', '.join(others) or 'no other participant'}"
    yield from map(str, caller_not_alone(effects))
    yield from map(str, caller_not_muted(effects))
    if not session.auto_end:
        yield "I2: auto-end is not as it was"


def with_the_supervisor(world: World, history: TransferHistory) -> Iterator[str]:
    """I3, I5: complete means that caller and supervisor hear each other until one of them hangs up.

    A caller whom the guard returned is with the AI. One whose supervisor has left may be in a later transfer,
    requested during the guard.
    """
    caller = caller_of(world, history)
    given_up = {NoticeKind.CALLER_ALONE, NoticeKind.CALLER_RESCUED} & set(history.notice_kinds)
    if not with_supervisor(history) or given_up or not caller.record.up:
        return
    if _is_in_a_later_transfer(world, history):
        return
    effects = effects_of(world, history)
    yield from map(str, caller_in_the_right_room(effects))
    yield from map(str, caller_not_alone(effects))
    if caller.record.room_id != effects.caller_room_expected:
        return
    talking = {each.record.call_id for each in legs_of(world, history) if not each.repeated_by_cloud}
    talking.add(caller.record.call_id)
    room = world.cloud.rooms[caller.record.room_id or ""]
    phones = [
        each for each in room.participants.values() if each.call and each.call.record.call_id in talking
    ]
    if any(not each.audible for each in phones):
        yield "I5: complete, and the two do not hear each other"


def never_cut_off(world: World, history: TransferHistory) -> Iterator[str]:
    """I1: the caller's leg ends only when the caller hangs up."""
    yield from map(str, caller_not_cut_off(effects_of(world, history)))


def no_briefing_for_the_caller(world: World, history: TransferHistory) -> Iterator[str]:
    """I5: the caller is moved after the decision to move, and hears only the agent's connecting line."""
    decided_at = next(
        (s.at for s, record in history.transitions if record.state.stage is Stage.SWITCHING), None
    )
    for each in world.cloud.ledger:
        moved = (each.what, each.transfer_id) == ("moved", history.id)
        if moved and (decided_at is None or each.at < decided_at):
            yield "I5: the caller was moved before the decision"
    caller_id, room_id = caller_of(world, history).record.call_id, f"room-{history.id}"
    arrivals = [each.at for each in world.cloud.ledger if (each.what, each.room_id) == ("moved", room_id)]
    for utterance in world.cloud.utterances:
        briefing = utterance.participant_id == f"wxa-{history.id}" and utterance.words != CONNECTING
        begun_before = any(at <= utterance.at < at + LAST_UTTERANCE_S for at in arrivals)
        if briefing and caller_id in utterance.heard_by and not begun_before:
            yield f"I5: the caller heard a part of the briefing: {utterance.words}"


def only_a_willing_line_gets_the_caller(world: World, history: TransferHistory) -> Iterator[str]:
    """I33: no caller is moved to a line that never accepts, unless the request wants it at the time-out."""
    plan = world.plans[history.id]
    if plan.supervisor not in UNWILLING or plan.config["on_briefing_timeout"] == "proceed":
        return
    if any((each.what, each.transfer_id) == ("moved", history.id) for each in world.cloud.ledger):
        yield f"I33: the caller was moved to a line that never accepts: {plan.supervisor}"


def nothing_private_without_a_person(world: World, history: TransferHistory) -> Iterator[str]:
    """I34: a mailbox, a screening robot and a queue hear fixed lines only."""
    plan = world.plans[history.id]
    if plan.supervisor not in ("voicemail", "screened", "queued"):
        return
    person_since = world.people.persons_since.get(history.id, math.inf)
    for utterance in world.cloud.utterances:
        private = utterance.participant_id == f"wxa-{history.id}" and utterance.words not in FIXED_LINES
        if private and utterance.at < person_since:
            yield f"I34: told to a {plan.supervisor} line: {utterance.words}"


def with_supervisor(history: TransferHistory) -> bool:
    """Return whether the transfer is complete and its guard did not return the caller."""
    return history.complete and NoticeKind.CALLER_RETURNED not in history.notice_kinds


def ran(history: TransferHistory) -> bool:
    """Return whether the transfer ever had the caller: no refusal, and no other transfer had the caller.

    A caller who is with the supervisor of a complete transfer is not found by another one, which holds no
    caller then.
    """
    if not history.records or isinstance(history.records[0][1].event, TransferRefused):
        return False
    outcome = None if history.result is None else history.result.outcome
    if outcome is Outcome.CALLER_NOT_FOUND:
        return any(PreparationTask.HOLD in record.state.done for _, record in history.records)
    return outcome is not Outcome.CALLER_IN_TRANSFER


def is_last_of_caller(world: World, history: TransferHistory) -> bool:
    """Return whether this transfer is the last one that had its caller."""
    return ran(history) and history is max(_of_caller(world, history), key=lambda each: each.began_at)


def caller_of(world: World, history: TransferHistory) -> Call:
    return world.cloud.calls[f"in-{world.plans[history.id].session}"]


def legs_of(world: World, history: TransferHistory) -> list[Call]:
    """Return the supervisor's legs of this transfer, those that the cloud dialled by mistake included."""
    return [
        each
        for each in world.cloud.calls.values()
        if each.transfer_id == history.id and each.record.direction == "outbound" and not each.is_rescue
    ]


def _of_caller(world: World, history: TransferHistory) -> list[TransferHistory]:
    session = world.plans[history.id].session
    return [
        each for each in world.histories.values() if world.plans[each.id].session == session and ran(each)
    ]


def _is_in_a_later_transfer(world: World, history: TransferHistory) -> bool:
    """Return whether a later transfer is complete that moved the caller once this supervisor had left."""
    left_at = max((each.ended_at or math.inf for each in legs_of(world, history)), default=math.inf)
    later = {
        each.id
        for each in _of_caller(world, history)
        if each.began_at > history.began_at and with_supervisor(each)
    }
    return any(
        each.what == "moved" and each.transfer_id in later and each.at >= left_at
        for each in world.cloud.ledger
    )


def _cut_off(world: World, history: TransferHistory) -> bool:
    caller = caller_of(world, history)
    return not caller.record.up and caller.record.call_id not in world.people.callers_hung_up
