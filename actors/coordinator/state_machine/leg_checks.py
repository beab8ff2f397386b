"""Leg checks: when they are due, the command that asks the provider for both legs, and which answers decide.

A provider's reads are eventually consistent. A read may miss a leg that came up, or was moved, a moment ago.

Invariant: the answer to a check that was asked before the newest sighting of a leg decides nothing. Test:
`tests/actors/coordinator/state_machine/test_leg_checks.py`.
"""

from __future__ import annotations

from warmxfer.schemas import CheckLegs, LegsChecked

from . import timeouts
from .state import Stage
from .step_context import StepContext

WAITING_STAGES = frozenset({Stage.PREPARING, Stage.RINGING, Stage.BRIEFING})
"""Stages in which a leg that went down may be found late, if no webhook reports it.

Nothing was moved yet, and the gateway checks both legs right before the move.
"""
DECIDES_LATE = frozenset({Stage.HANDING_OVER, Stage.GUARDING})
"""Stages in which the answer to the newest check decides although it is no longer awaited."""


def schedule_check(ctx: StepContext) -> None:
    """Set the time of the next leg check. Each pause is longer than the one before.

    While the provider reports the supervisor's leg by webhook, a check only finds a webhook that was lost.
    """
    if ctx.state.leg_reported and ctx.state.stage in WAITING_STAGES:
        pause_s = timeouts.REPORTED_CHECK_PAUSE_S
    else:
        pause_s = min(
            timeouts.MAX_CHECK_PAUSE_S,
            timeouts.FIRST_CHECK_PAUSE_S * timeouts.CHECK_PAUSE_GROWTH**ctx.state.checks,
        )
    ctx.state.checks += 1
    ctx.state.check_due_at = ctx.now + pause_s


def record_webhooks(ctx: StepContext, event: LegsChecked) -> None:
    """Record whether the provider reports the supervisor's leg. Unknown changes nothing."""
    if event.webhooks is not None:
        _set_leg_reported(ctx, event.webhooks)


def check_unanswered(ctx: StepContext) -> None:
    """No gateway answered a check, so none may have received webhooks: check at short pauses again."""
    _set_leg_reported(ctx, False)


def _set_leg_reported(ctx: StepContext, reported: bool) -> None:
    if ctx.state.leg_reported and not reported:
        ctx.state.checks = 0
    ctx.state.leg_reported = reported


def schedule_cleanup_check(ctx: StepContext) -> None:
    """Set the time of the next clean-up check of an ended transfer; set none once its time is over."""
    timeout_s, ended_at = ctx.config.command_timeout_s, ctx.state.ended_at or ctx.now
    continues = ctx.now < ended_at + timeouts.CLEANUP_CHECKS_END_FACTOR * timeout_s
    ctx.state.check_due_at = ctx.now + timeouts.CLEANUP_CHECK_FACTOR * timeout_s if continues else None


def check_legs(ctx: StepContext) -> None:
    """Ask the provider for both legs. One check runs at a time; its reply schedules the next one."""
    ctx.state.check_due_at = None
    if ctx.state.awaits(CheckLegs):
        return
    check_id = _send_check(ctx, awaited=True)
    if ctx.state.stage in DECIDES_LATE:
        ctx.state.last_leg_check_id = check_id


def check_legs_after_end(ctx: StepContext) -> None:
    """Send a leg check after the end, when no reply is awaited."""
    ctx.state.last_leg_check_id = _send_check(ctx, awaited=False)


def accept_answer(ctx: StepContext, event: LegsChecked) -> bool:
    """Return whether an answer decides, because it is newer than every sighting.

    It is if it is awaited, or if it is a late answer to the newest check. An awaited answer decides once: a
    copy of it that comes later does not.
    """
    if ctx.replied_to is None:
        return event.command_id == ctx.state.last_leg_check_id
    ctx.state.last_leg_check_id = ""
    return True


def leg_seen(ctx: StepContext) -> None:
    """A leg was seen to be up: replace the check that was asked before, if it is not answered.

    A transfer that a version without this rule admitted keeps its check.
    """
    if not (ctx.state.awaits(CheckLegs) or ctx.state.last_leg_check_id) or ctx.config.bridge_guard_s is None:
        return
    if ctx.state.awaits(CheckLegs):
        forget_check(ctx)
        check_legs(ctx)
    elif ctx.state.stage in DECIDES_LATE:
        forget_check(ctx)
    elif ctx.state.caller.may_be_in_consultation:
        check_legs_after_end(ctx)


def forget_check(ctx: StepContext) -> None:
    """Let the answer to the newest check decide nothing."""
    ctx.stop_waiting_for(CheckLegs)
    ctx.state.last_leg_check_id = ""


def _send_check(ctx: StepContext, *, awaited: bool) -> str:
    return ctx.send(
        CheckLegs,
        awaited=awaited,
        caller_call_id=ctx.state.caller_call_id,
        supervisor_call_id=ctx.state.supervisor_call_id,
    )
