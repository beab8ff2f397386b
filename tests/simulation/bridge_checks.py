"""Invariants of completion and of the bridge guard, by the legs of the simulated cloud.

I3: a transfer completes only if both legs were up when they were checked last, or says that the provider did
not answer. I4: a caller whom the supervisor leaves alone in the guard is back with the AI. I36: if the return
fails, a notice says so soon.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tests.testkit.transfer_history import TransferHistory
from warmxfer.actors.coordinator.state_machine import CallerPlace, Record, Stage
from warmxfer.actors.coordinator.state_machine.timeouts import ALONE_NOTICE_S, EFFECT_TIMEOUT_FACTOR
from warmxfer.bus import Stored
from warmxfer.schemas import (
    DEFAULT_BRIDGE_GUARD_S,
    CallerReleased,
    LeaveCall,
    LegReport,
    LegsChecked,
    NoticeKind,
)

from .caller_location import caller_of, is_last_of_caller, legs_of
from .cloud import Call
from .provider import STALE_S
from .stream_checks import MODEL_FAULTS

if TYPE_CHECKING:
    from .world import World

BACK_WITHIN_S = 2.0
"""Maximum time from the check that finds the caller alone until the provider is asked to move them."""
EARLY_S = 0.01


def complete_is_true(world: World, history: TransferHistory) -> Iterator[str]:
    """I3: complete means: the caller was moved, and both legs were up at the check that completed it."""
    found = _completion(history)
    if not history.complete or found is None:
        return
    stored, record = found
    if not any((each.what, each.transfer_id) == ("moved", history.id) for each in world.cloud.ledger):
        yield "I3: complete, and the caller was never moved"
    legs = _own_legs(world, history)
    if not any(each.answered_at is not None and each.answered_at <= stored.at for each in legs):
        yield "I3: complete, and no supervisor had answered"
    if history.result is not None and "legs" in history.result.evidence:
        if world.faults.allowed <= MODEL_FAULTS:
            yield "I3: complete without an answered leg check, without a fault that matters"
        return
    asked_at = _asked_at(history, record)
    if asked_at is None:
        yield f"I3: complete by {type(record.event).__name__}, which is no leg check that found both up"
        return
    command_s = world.plans[history.id].config["command_timeout_s"]
    if record.at - asked_at > command_s + EARLY_S:
        yield f"I3: complete by a leg check that is {record.at - asked_at:.1f} s old"
    for what, calls in (("supervisor", legs), ("caller", [caller_of(world, history)])):
        ended = [each.ended_at for each in calls if each.ended_at is not None]
        if len(ended) == len(calls) and max(ended) < asked_at - STALE_S:
            yield f"I3: complete, and the {what} hung up {asked_at - max(ended):.1f} s before the leg check"


def alone_is_returned(world: World, history: TransferHistory) -> Iterator[str]:
    """I4: a caller whom the guard could find alone is not left alone.

    The guard can find them if one of its checks was asked after the hang-up, and was answered.
    """
    caller, gone_at = caller_of(world, history), _left_alone_at(world, history)
    if gone_at is None or not caller.record.up or _is_excused(world, history):
        return
    if caller.record.room_id != f"room-{history.id}":
        return
    for record in _guard_records(history):
        asked_at = _asked_at(history, record, both_up=False)
        if asked_at is not None and asked_at > gone_at + STALE_S:
            yield "I4: the supervisor hung up, a leg check of the guard found it, and the caller is alone"
            return


def returned_in_time(world: World, history: TransferHistory) -> Iterator[str]:
    """I4: without a fault that matters, a caller who is alone is moved back within a check interval + 2 s."""
    completion, gone_at = _completion(history), _left_alone_at(world, history)
    if completion is None or gone_at is None or not world.faults.allowed <= MODEL_FAULTS:
        return
    if _is_excused(world, history):
        return
    guard_s, began_at = _guard_s(world, history), completion[1].at
    interval_s = guard_s / 2
    last_check_at = began_at + guard_s
    caller = caller_of(world, history)
    seen_by_s = max(gone_at, began_at) + interval_s + BACK_WITHIN_S
    if gone_at + STALE_S > last_check_at or (caller.ended_at or seen_by_s) < seen_by_s:
        return
    orders = [
        each.at for each in world.cloud.orders if (each.what, each.transfer_id) == ("return", history.id)
    ]
    if not orders:
        yield f"I4: the supervisor hung up {gone_at - began_at:.1f} s after completion; no return was ordered"
    elif min(orders) > seen_by_s:
        yield f"I4: the return was ordered {min(orders) - gone_at:.1f} s after the hang-up"


def guard_ends_the_call(world: World, history: TransferHistory) -> Iterator[str]:
    """I1: the AI leaves only at the end of a guard, and only of one that did not find the caller alone."""
    for _, record in history.transitions:
        if not any(isinstance(each, LeaveCall) for each in record.outbox):
            continue
        if record.state.stage is Stage.GUARDING or history.notice_kinds:
            yield f"I1: the AI was told to leave in {record.state.stage.value}, and the guard needs it"


def alone_is_said_soon(world: World, history: TransferHistory) -> Iterator[str]:
    """I36: a notice comes soon if a return fails, and not only when the search for the caller ends."""
    command_s = world.plans[history.id].config["command_timeout_s"]
    limit_s = ALONE_NOTICE_S + 2 * EFFECT_TIMEOUT_FACTOR * command_s + world.faults_lasted_s
    returning = [
        record
        for record in _guard_records(history)
        if record.state.stage is Stage.GUARDING and record.state.caller is CallerPlace.IN_TRANSIT
    ]
    if not returning or returning[-1].at - returning[0].at <= limit_s or returning[-1].state.session_lost:
        return
    said_at = min((notice.timestamp for _, notice in history.notices), default=math.inf)
    if said_at > returning[0].at + limit_s:
        yield f"I36: the return of the caller has failed for {limit_s:.0f} s, and no notice says so"


def _completion(history: TransferHistory) -> tuple[Stored, Record] | None:
    """Return the record that completed the transfer."""
    return next((each for each in history.transitions if each[1].state.stage.ended), None)


def _guard_records(history: TransferHistory) -> list[Record]:
    """Return the records of events that were handled in the guard."""
    stages = [Stage.NEW, *(record.state.stage for _, record in history.transitions)]
    pairs = zip(stages, history.transitions, strict=False)
    return [record for before, (_, record) in pairs if before is Stage.GUARDING]


def _asked_at(history: TransferHistory, record: Record, *, both_up: bool = True) -> float | None:
    """Return when the leg check was asked for whose answer is the event of `record`, or None if it is none.

    With `both_up` the answer must say that both legs are up. Else it must say something of the supervisor.
    """
    event = record.event
    if not isinstance(event, LegsChecked):
        return None
    legs: list[LegReport | None] = [event.caller, event.supervisor] if both_up else [event.supervisor]
    if any(leg is None or (both_up and not leg.up) for leg in legs):
        return None
    return history.check_asked_at(record)


def _left_alone_at(world: World, history: TransferHistory) -> float | None:
    """Return when the last leg of the supervisor of a complete transfer ended, if a guard runs."""
    legs = _own_legs(world, history)
    if not history.complete or not _guard_s(world, history) or any(each.record.up for each in legs):
        return None
    return max((each.ended_at for each in legs if each.ended_at is not None), default=None)


def _is_excused(world: World, history: TransferHistory) -> bool:
    """Return whether no AI waits for this caller: its process died or closed, or a new transfer has it."""
    session = world.processes.sessions[world.plans[history.id].session]
    released = any(
        isinstance(record.event, CallerReleased) and record.event.cause in ("new_transfer", "session_closed")
        for record in _guard_records(history)
    )
    closed_early = any(
        isinstance(record.event, CallerReleased) and record.event.cause == "session_closed"
        for _, record in history.transitions
    )
    alone = NoticeKind.CALLER_ALONE in history.notice_kinds and not world.faults.allowed <= MODEL_FAULTS
    rescued = NoticeKind.CALLER_RESCUED in history.notice_kinds
    excused = session.killed or released or closed_early or alone or rescued
    return excused or not is_last_of_caller(world, history)


def _guard_s(world: World, history: TransferHistory) -> float:
    return float(world.plans[history.id].config.get("bridge_guard_s", DEFAULT_BRIDGE_GUARD_S))


def _own_legs(world: World, history: TransferHistory) -> list[Call]:
    return [each for each in legs_of(world, history) if not each.repeated_by_cloud]


BRIDGE_CHECKS = (
    complete_is_true,
    alone_is_returned,
    returned_in_time,
    alone_is_said_soon,
    guard_ends_the_call,
)
