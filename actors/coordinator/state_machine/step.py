"""`step(state, event, now)`: the only way a transfer changes.

Invariants:

- Pure: no await, no clock, no ids, no randomness, no I/O (tests/test_layout.py, test_step_properties.py).
- The same state, event and time give the same result, so a log replays to the same states in this and every
  later version (tests/golden).
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import UNSET, Struct

from warmxfer.schemas import (
    CallerReleased,
    CommandReply,
    DeadlinePassed,
    InternalError,
    LeaveCall,
    TransferBroken,
    TransferRefused,
    TransferRequested,
    WarmTransferPhase,
    WarmTransferResult,
)

from . import archiving, cleanup, guard
from .command_policy import POLICY
from .leg_checks import WAITING_STAGES
from .plain_record import plain_guard_alone, plain_stage
from .record import Output, RecordedEvent, SetTimer
from .state import LAST_STAGES, Decision, Stage, Transfer
from .step_context import StepContext
from .transitions import ACCEPTED_WHEN_LATE, TAKES_LATE_REPLIES, TRANSITIONS

TIMER_SLACK_S = 0.05
"""A timer that fires at most this much later than needed is not set again."""

TIMER_EARLY_S = 1.0
"""A deadline that is further ahead must be the one that the transfer has set: else no broker wrote it."""
CLOCK_STEP_S = 60.0
"""Longest step back of the broker's clock, between a timer that fired and the time of its message."""

TIMER_LOST_AFTER_S = 10.0
"""A timer that is this late is treated as lost, and the next event schedules it again.

If the late timer fires after all, as it may after an outage, the second one has no effect.
"""

TIMER_MOVED_BY_S = 30.0
"""A timer of a transfer that checks legs minutes apart is moved to a wait that is this much later.

An early timer would cost another record. In a busy transfer moving it would cost more than it saves.
"""

STAGE_OF: Mapping[WarmTransferPhase, Stage] = {
    WarmTransferPhase.TRANSFER_COMPLETE: Stage.COMPLETED,
    WarmTransferPhase.TRANSFER_CANCELLED: Stage.CANCELLED,
    WarmTransferPhase.TRANSFER_FAILED: Stage.FAILED,
}
"""The stage of a transfer that has ended, by its final phase."""


class Applied(Struct, frozen=True):
    """The event took effect: the new state, and the messages that it causes."""

    state: Transfer
    outbox: list[Output]


class Ignored(Struct, frozen=True):
    """The event changes nothing: it is late, repeated, or has no effect in this stage."""

    why: str


def step(state: Transfer | None, event: RecordedEvent, now: float) -> Applied | Ignored:
    """Apply `event`, stored by the broker at `now`, to `state` (None: the transfer has no record yet).

    Raises `InternalError` if a handler leads to a stage that is not in its row: a bug.
    """
    if state is not None and state.archived:
        return Ignored("the transfer was archived")
    stage = state.stage if state else Stage.NEW
    transition = TRANSITIONS.get(stage, {}).get(type(event))
    if transition is None:
        return Ignored(f"{type(event).__name__} has no effect in {stage.value}")
    if isinstance(event, DeadlinePassed) and not _may_be_due(state, event, now):
        return Ignored("the deadline is not due yet")
    if isinstance(event, TransferRequested):
        now += event.waited_s
    ctx = StepContext(state or _new_transfer(event, now), now, POLICY)
    if isinstance(event, DeadlinePassed):
        ctx.now = max(now, event.due_at)
        _clear_timer(ctx, event)
    elif isinstance(event, CommandReply | CallerReleased) and event.command_id is not None:
        ctx.replied_to = ctx.state.pending.pop(event.command_id, None)
        if isinstance(event, CommandReply) and event.rate_wait_s is not UNSET:
            ctx.state.provider_wait_s = round(ctx.state.provider_wait_s + event.rate_wait_s, 3)
        if ctx.replied_to is None and type(event) not in ACCEPTED_WHEN_LATE:
            return Ignored(f"no reply like {type(event).__name__} is awaited in {stage.value}")
        if ctx.replied_to is None and stage not in TAKES_LATE_REPLIES:
            return Ignored(f"{type(event).__name__} repeats an earlier reply")
    transition.handler(ctx, event)
    if ctx.state.stage not in transition.to:
        raise InternalError(f"{type(event).__name__} led from {stage.value} to {ctx.state.stage.value}")
    _end_step(ctx, state)
    if ctx.state == state and not ctx.outbox:
        return Ignored(f"{type(event).__name__} changes nothing in {stage.value}")
    ctx.state.seq += 1
    return Applied(ctx.state, ctx.outbox)


def give_up(state: Transfer, why: str, now: float) -> Applied:
    """End a transfer whose newest record this version cannot continue; `state` is what could be read of it.

    The result says `why`. The new record is one that every version can read.
    """
    ctx = StepContext(state, now, POLICY)
    ctx.state.timer_due_at = None
    cleanup.give_up(ctx, why)
    _end_step(ctx, None)
    ctx.state.seq += 1
    return Applied(ctx.state, ctx.outbox)


def close_log(state: Transfer, result: WarmTransferResult, newest: bytes, now: float) -> Applied:
    """End the log of a transfer whose `result` is published, and whose `newest` record cannot be continued.

    A caller who is alone is released. A transfer that is not complete goes on with its clean-up.
    """
    ctx = StepContext(state, now, POLICY)
    ctx.state.stage = STAGE_OF.get(result.phase, Stage.FAILED)
    ctx.state.timer_due_at, ctx.state.stage_due_at, ctx.state.pending = None, None, {}
    ctx.state.decision = Decision(result.outcome, result.detail or "", result.evidence)
    ctx.state.ended_at = now if ctx.state.ended_at is None else ctx.state.ended_at
    if ctx.state.stage is Stage.COMPLETED:
        ctx.state.check_due_at = None
        if plain_guard_alone(newest):
            guard.give_up(ctx)
        elif plain_stage(newest) not in LAST_STAGES:
            ctx.send(LeaveCall, awaited=False)
    else:
        _clean_up_again(ctx)
    _end_step(ctx, None)
    ctx.state.seq += 1
    return Applied(ctx.state, ctx.outbox)


def _clean_up_again(ctx: StepContext) -> None:
    """Repeat the clean-up of an ended transfer once, and schedule its next check."""
    if ctx.state.room_id is None:  # No leg can be looked up.
        ctx.state.supervisor_leg = ctx.state.supervisor_leg.with_end(confirmed=True)
    if cleanup.has_leftovers(ctx):
        cleanup.check_leftovers(ctx)
    else:
        ctx.state.check_due_at = None


def _new_transfer(event: RecordedEvent, now: float) -> Transfer:
    if not isinstance(event, TransferRequested | TransferRefused | TransferBroken):
        raise InternalError(f"{type(event).__name__} cannot begin a transfer")
    new = Transfer(
        id=event.transfer_id, stage=Stage.NEW, started_at=now, archive_after_s=event.archive_after_s
    )
    if isinstance(event, TransferRequested):
        new.alone_notice_s = event.alone_notice_s
        new.begun_by_version = event.begun_by_version
    return new


def _may_be_due(state: Transfer | None, event: DeadlinePassed, now: float) -> bool:
    """Return whether the broker may have published this deadline by `now`."""
    if event.due_at <= now + TIMER_EARLY_S:
        return True
    timer_due_at = None if state is None else state.timer_due_at
    is_own = timer_due_at is not None and abs(event.due_at - timer_due_at) <= TIMER_SLACK_S
    return is_own and event.due_at <= now + CLOCK_STEP_S


def _clear_timer(ctx: StepContext, event: DeadlinePassed) -> None:
    timer_due_at = ctx.state.timer_due_at
    if timer_due_at is not None and event.due_at >= timer_due_at - TIMER_SLACK_S:
        ctx.state.timer_due_at = None


def _end_step(ctx: StepContext, before: Transfer | None) -> None:
    """Set the time of the archiving of a transfer that is over, and the one timer.

    The wait for the archive has a timer with a name of its own. It does not count as running.
    """
    archiving.schedule_archive(ctx)
    if before is None or ctx.state.waits_for_archive is not before.waits_for_archive:
        ctx.state.timer_due_at = None
    _schedule_timer(ctx)


def _schedule_timer(ctx: StepContext) -> None:
    """Keep the one timer set to the earliest of all waits.

    If a wait moves later, the timer fires early, except in a transfer that waits for minutes.
    """
    state = ctx.state
    waits = [each.due_at for each in state.pending.values()]
    waits += [due_at for due_at in (state.stage_due_at, state.check_due_at) if due_at is not None]
    if state.waits_for_archive and state.archive_due_at is not None:
        waits.append(state.archive_due_at)
    if not waits:
        state.timer_due_at = None
        return
    due_at, timer_due_at = min(waits), state.timer_due_at
    if timer_due_at is not None and ctx.now > timer_due_at + TIMER_LOST_AFTER_S:
        # Not before now, even if the wait is long over: else each event until it fires would set it again.
        timer_due_at, due_at = None, max(due_at, ctx.now)
    waits_long = state.leg_reported and state.stage in WAITING_STAGES
    moved = waits_long and timer_due_at is not None and due_at > timer_due_at + TIMER_MOVED_BY_S
    if timer_due_at is None or (ctx.now < timer_due_at and (moved or due_at < timer_due_at - TIMER_SLACK_S)):
        state.timer_due_at = due_at
        ctx.outbox.append(SetTimer(due_at))
