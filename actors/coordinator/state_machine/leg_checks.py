"""Leg checks: when they are due, and the command that asks the provider for both legs."""

from __future__ import annotations

from warmxfer.schemas import CheckLegs

from . import timeouts
from .step_context import StepContext


def schedule_check(ctx: StepContext) -> None:
    """Set the time of the next leg check. Each pause is longer than the one before."""
    pause_s = min(
        timeouts.MAX_CHECK_PAUSE_S,
        timeouts.FIRST_CHECK_PAUSE_S * timeouts.CHECK_PAUSE_GROWTH**ctx.state.checks,
    )
    ctx.state.checks += 1
    ctx.state.check_due_at = ctx.now + pause_s


def schedule_cleanup_check(ctx: StepContext) -> None:
    """Set the time of the next clean-up check of an ended transfer; set none once its time is over."""
    timeout_s, ended_at = ctx.config.command_timeout_s, ctx.state.ended_at or ctx.now
    continues = ctx.now < ended_at + timeouts.CLEANUP_CHECKS_END_FACTOR * timeout_s
    ctx.state.check_due_at = ctx.now + timeouts.CLEANUP_CHECK_FACTOR * timeout_s if continues else None


def check_legs(ctx: StepContext) -> None:
    """Ask the provider for both legs. One check runs at a time; its reply schedules the next one."""
    ctx.state.check_due_at = None
    if not ctx.state.awaits(CheckLegs):
        _send_check(ctx, awaited=True)


def check_legs_after_end(ctx: StepContext) -> None:
    """Send a leg check after the end, when no reply is awaited."""
    ctx.state.last_leg_check_id = _send_check(ctx, awaited=False)


def _send_check(ctx: StepContext, *, awaited: bool) -> str:
    return ctx.send(
        CheckLegs,
        awaited=awaited,
        caller_call_id=ctx.state.caller_call_id,
        supervisor_call_id=ctx.state.supervisor_call_id,
    )
