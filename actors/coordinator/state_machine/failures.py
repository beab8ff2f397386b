"""Commands that fail, and deadlines that pass. Each command's `CommandPolicy` row names its handlers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from warmxfer.schemas import (
    CheckLegs,
    Command,
    CommandFailed,
    DeadlinePassed,
    FailureKind,
    InternalError,
    Outcome,
    TransferBroken,
)

from . import bridge, consultation, guard, rescue_replies, timeouts
from .archiving import archive_if_due
from .cleanup import check_leftovers, cleanup_timed_out, finish_if_clean, finish_now, start_cleanup
from .leg_checks import check_legs, check_unanswered, schedule_check
from .preparation import create_room
from .state import PreparationTask, RoomStatus, Stage, wire_name
from .step_context import StepContext

# ── events ───────────────────────────────────────────────────────────────────────────────────────


def command_failed(ctx: StepContext, event: CommandFailed) -> None:
    ctx.policies[ctx.replied_command].on_failed(ctx, event)


def deadline_passed(ctx: StepContext, event: DeadlinePassed) -> None:
    """The one timer of this transfer fired: handle every wait that is due, the earliest first."""
    overdue = [each for each, pending in ctx.state.pending.items() if pending.due_at <= ctx.now]
    for command_id in sorted(overdue, key=lambda each: ctx.state.pending[each].due_at):
        pending = ctx.state.pending.pop(command_id, None)
        if pending is not None:
            command = ctx.command_of(pending)
            ctx.policies[command].on_timeout(ctx, command)
    if ctx.state.stage_due_at is not None and ctx.state.stage_due_at <= ctx.now:
        ON_STAGE_TIMEOUT[ctx.state.stage](ctx)
    if ctx.state.check_due_at is not None and ctx.state.check_due_at <= ctx.now:
        ON_CHECK_DUE.get(ctx.state.stage, check_legs)(ctx)
    archive_if_due(ctx, event)


def transfer_broken(ctx: StepContext, event: TransferBroken) -> None:
    """A message was dead-lettered: end the transfer now. A dead-lettered deadline is not waited for."""
    if event.kind == "timeout":
        ctx.state.timer_due_at = None
    detail = f"The {event.kind} could not be handled ({event.cause}); please report it."
    match ctx.state.stage:
        case Stage.NEW:
            ctx.decide(Outcome.BROKEN, detail)
            finish_now(ctx)
        case Stage.PREPARING | Stage.RINGING | Stage.BRIEFING:
            start_cleanup(ctx, Outcome.BROKEN, detail)
        case Stage.SWITCHING | Stage.ARRIVING:
            bridge.return_caller(ctx, Outcome.BROKEN, detail)
        case Stage.GUARDING:
            if event.kind == "timeout":
                guard.timer_lost(ctx)
        case stage if event.kind == "timeout":
            ON_STAGE_TIMEOUT[stage](ctx)
        case _:
            ctx.add_evidence(given_up=event.kind)


# ── handlers named by rows of `command_policy.py` ────────────────────────────────────────────────


def end_transfer(ctx: StepContext, event: CommandFailed) -> None:
    """End the transfer: it cannot continue without this command."""
    _end_transfer(ctx, event)


def find_failed(ctx: StepContext, event: CommandFailed) -> None:
    """End the transfer. Do not wait for a session that cannot hold a caller: its room does not exist.

    A session that the request names, or that has answered the hold, is in another room. It is waited for.
    """
    may_hold = ctx.request.session is not None or ctx.is_done(PreparationTask.HOLD)
    _end_transfer(ctx, event, await_release=may_hold or not event.room_missing)


def _end_transfer(ctx: StepContext, event: CommandFailed, *, await_release: bool = True) -> None:
    command = ctx.replied_command
    start_cleanup(
        ctx,
        Outcome.BROKEN if event.failure is FailureKind.BROKEN else ctx.policies[command].if_failed,
        event.detail or f"{wire_name(command)} failed: {event.failure.value}.",
        await_release=await_release,
        fault=event.failure.value,
        status=event.status,
    )


def end_transfer_unanswered(ctx: StepContext, command: type[Command]) -> None:
    """End the transfer: it cannot continue without the actor that replies to this command."""
    policy = ctx.policies[command]
    start_cleanup(
        ctx, policy.if_absent, policy.missing_reply_detail(command, ctx.config), unanswered=wire_name(command)
    )


def room_failed(ctx: StepContext, event: CommandFailed) -> None:
    """Request the room once more after an unknown outcome. During clean-up, close it instead.

    The room may exist even after a rejection: an earlier attempt may have created it.
    """
    requested_before = ctx.state.room is RoomStatus.CREATE_UNCONFIRMED
    ctx.state.room = RoomStatus.CREATE_UNCONFIRMED
    if ctx.state.stage is Stage.UNWINDING:
        finish_if_clean(ctx)
    elif event.failure is FailureKind.UNKNOWN and not requested_before:
        create_room(ctx)
    else:
        end_transfer(ctx, event)


def room_timed_out(ctx: StepContext, command: type[Command]) -> None:
    ctx.state.room = RoomStatus.CREATE_UNCONFIRMED
    if ctx.state.stage is Stage.UNWINDING:
        cleanup_timed_out(ctx, command)
    else:
        end_transfer_unanswered(ctx, command)


def check_failed(ctx: StepContext, event: CommandFailed) -> None:
    _leg_check_unanswered(ctx)


def check_timed_out(ctx: StepContext, command: type[Command]) -> None:
    _leg_check_unanswered(ctx)


def _leg_check_unanswered(ctx: StepContext) -> None:
    if ctx.state.stage is Stage.GUARDING:
        guard.both_up_or_unknown(ctx)
    else:
        check_unanswered(ctx)
        schedule_check(ctx)


def never_fails(ctx: StepContext, event: CommandFailed) -> None:
    raise InternalError("no reply to this command is awaited")


def never_times_out(ctx: StepContext, command: type[Command]) -> None:
    raise InternalError(f"no reply to {wire_name(command)} is awaited")


# ── stages that time out, checks that fall due ───────────────────────────────────────────────────


def _preparation_timed_out(ctx: StepContext) -> None:
    """Extend preparation while commands are awaited, up to the maximum that an outage may add; then end it.

    If the broker was unreachable, commands were sent late, and so their deadlines are late.
    """
    waits = [pending.due_at for pending in ctx.state.pending.values() if pending.kind != wire_name(CheckLegs)]
    preparation_s = timeouts.preparation_s(ctx.config)
    if waits and ctx.now < ctx.state.started_at + preparation_s + timeouts.MAX_OUTAGE_S:
        ctx.state.stage_due_at = max(waits)
        return
    start_cleanup(ctx, Outcome.BROKEN, "Preparing the transfer took too long.", timer="preparing")


def _switch_stage_timed_out(ctx: StepContext) -> None:
    bridge.return_caller(ctx, Outcome.SWITCH_FAILED, "The switch took too long.", timer="switching")


def _return_stage_timed_out(ctx: StepContext) -> None:
    bridge.stop_return(ctx, return_fault="unanswered")


ON_STAGE_TIMEOUT: Mapping[Stage, Callable[[StepContext], None]] = {
    Stage.PREPARING: _preparation_timed_out,
    Stage.RINGING: consultation.ringing_timed_out,
    Stage.BRIEFING: consultation.briefing_timed_out,
    Stage.SWITCHING: _switch_stage_timed_out,
    Stage.ARRIVING: bridge.arrival_timed_out,
    Stage.HANDING_OVER: bridge.handover_timed_out,
    Stage.RETURNING: _return_stage_timed_out,
    Stage.UNWINDING: rescue_replies.cleanup_stage_timed_out,
    Stage.GUARDING: guard.stage_timed_out,
}
"""What happens when a stage times out. Every live stage has an entry. A guard times out while it returns, or
while it repeats a rescue."""

ON_CHECK_DUE: Mapping[Stage, Callable[[StepContext], None]] = {
    Stage.RETURNING: bridge.request_return,
    Stage.UNWINDING: rescue_replies.repeat_rescue,
    Stage.GUARDING: guard.check_due,
    Stage.CANCELLED: check_leftovers,
    Stage.FAILED: check_leftovers,
}
"""What happens when a check falls due. In stages without an entry it is a leg check."""
