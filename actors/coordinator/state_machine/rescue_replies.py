"""Replies to `RescueCaller`, and the release that no session answers."""

from __future__ import annotations

from warmxfer.schemas import CallerRescued, Command, CommandFailed, FailureKind, ReleaseCaller, RescueCaller

from . import guard
from .cleanup import cleanup_timed_out, finish_if_clean, finish_now, send_return
from .leg_checks import schedule_check
from .rescue import UNCONFIRMED, add_caller_evidence, lose_session, rescue_caller
from .state import Stage
from .step_context import StepContext

RESCUED_BY = {"dial": "dialled", "agent": "agent dispatched"}
NOT_NEEDED = "not needed"
"""Evidence texts about the rescue."""


def release_timed_out(ctx: StepContext, command: type[Command]) -> None:
    """No session answered the release: the evidence says so, and the caller is rescued."""
    if ctx.state.stage is Stage.GUARDING:
        guard.session_lost(ctx)
        return
    lose_session(ctx)
    rescue_caller(ctx)
    cleanup_timed_out(ctx, command)


def release_failed(ctx: StepContext, event: CommandFailed) -> None:
    """The session could not release the caller, who may stay muted."""
    if ctx.state.stage is Stage.GUARDING:
        guard.session_lost(ctx)
        return
    ctx.add_evidence(release_caller_failed=True)
    lose_session(ctx)
    rescue_caller(ctx)
    finish_if_clean(ctx)


def cleanup_stage_timed_out(ctx: StepContext) -> None:
    """Finish now. A release without an answer counts as timed out: its deadline was dead-lettered."""
    if ctx.state.awaits(ReleaseCaller):
        lose_session(ctx)
        rescue_caller(ctx)
    finish_now(ctx)


def caller_rescued(ctx: StepContext, event: CallerRescued) -> None:
    """The provider accepted the rescue. A caller who could not be returned is moved to it."""
    if not ctx.state.rescue_requested:
        return
    if ctx.state.stage is Stage.GUARDING:
        guard.rescued(ctx, event)
        return
    ctx.stop_waiting_for(RescueCaller)
    add_caller_evidence(ctx, "rescued")
    call = {} if event.call_id is None else {"rescue_call_id": event.call_id}
    ctx.add_evidence(caller_rescued=RESCUED_BY[event.by], **call)
    if ctx.state.caller.may_be_in_consultation:
        send_return(ctx, awaited=False)
    finish_if_clean(ctx)


def rescue_failed(ctx: StepContext, event: CommandFailed) -> None:
    """No rescue was made, or its outcome is unknown. Only one that has not begun is repeated."""
    if ctx.state.stage is Stage.GUARDING:
        guard.rescue_failed(ctx, event)
        return
    match event.failure:
        case FailureKind.CALLER_GONE:
            add_caller_evidence(ctx, "hung up")
            ctx.add_evidence(caller_rescued=NOT_NEEDED)
        case FailureKind.CALLED_OFF:
            # The supervisor may hang up later, and then the caller is alone.
            ctx.state.rescue_requested = False
            add_caller_evidence(ctx, "with the supervisor")
            ctx.add_evidence(caller_rescued=NOT_NEEDED)
        case _ if event.not_begun:
            ctx.state.rescue_requested = False
            ctx.add_evidence(caller_rescued=f"failed: {event.detail or event.failure.value}")
            schedule_check(ctx)
        case FailureKind.UNKNOWN:
            ctx.add_evidence(caller_rescued=f"{UNCONFIRMED}: {event.detail}")
        case _:
            ctx.add_evidence(caller_rescued=f"failed: {event.detail or event.failure.value}")
    finish_if_clean(ctx)


def repeat_rescue(ctx: StepContext) -> None:
    """Request a rescue again that had not begun."""
    ctx.state.check_due_at = None
    rescue_caller(ctx)
    finish_if_clean(ctx)


def rescue_timed_out(ctx: StepContext, command: type[Command]) -> None:
    """No gateway replied: send the command again while clean-up lasts. The claim prevents a second rescue."""
    if ctx.state.stage is Stage.GUARDING:
        guard.not_rescued(ctx)
        return
    ctx.state.rescue_requested = False
    rescue_caller(ctx)
