"""Looking at the provider: how both legs are, in case nobody told."""

from __future__ import annotations

from warmxfer.schemas import CheckLegs

from .step_context import StepContext


def check_legs(turn: StepContext) -> None:
    """Ask the provider how both legs are; one look at a time, and the next one is set by its answer."""
    turn.state.check_due_at = None
    if not turn.state.awaits("check_legs"):
        _ask(turn, awaited=True)


def check_legs_after_end(turn: StepContext) -> None:
    """The same after the end, when nobody waits any more."""
    turn.state.last_leg_check_id = _ask(turn, awaited=False)


def _ask(turn: StepContext, *, awaited: bool) -> str:
    return turn.send(
        CheckLegs,
        awaited=awaited,
        caller_call_id=turn.state.caller_call_id,
        supervisor_call_id=turn.state.supervisor_call_id,
    )
