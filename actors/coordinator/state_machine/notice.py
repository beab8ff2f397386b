"""What the supervisor is told before their leg ends, so that no line just goes dead. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from warmxfer.schemas import Outcome

from . import timeouts
from .state import PreparationTask, Stage
from .step_context import StepContext

NOTICES: Final[Mapping[Outcome, str | None]] = {
    Outcome.CALLER_LEFT: "caller_left",
    Outcome.CANCELLED: "called_off",
    Outcome.SESSION_RELEASED: "called_off",
    Outcome.SWITCH_FAILED: "called_off",
    Outcome.CALLER_NEVER_ARRIVED: "called_off",
    Outcome.BRIEFING_TIMEOUT: "time_over",
    Outcome.DECLINED: None,
}
"""The field of `SpokenLines` by outcome. None: the briefing agent finishes its own line."""

AGENT_IS_THERE: Final = (Stage.RINGING, Stage.BRIEFING, Stage.SWITCHING, Stage.ARRIVING, Stage.RETURNING)
"""Stages in which a briefing agent that has joined is in the room, unless it was asked to leave before."""


class Notice(NamedTuple):
    """What the briefing agent says before it leaves. None: it finishes what it is saying."""

    line: str | None


def supervisor_notice(ctx: StepContext, outcome: Outcome) -> Notice | None:
    """Return what the supervisor is told about `outcome` before their leg ends; None if nothing is.

    Only a supervisor who was heard is told anything, and only by an agent that is in the room.
    """
    state = ctx.state
    if (
        outcome not in NOTICES
        or timeouts.notice_s(ctx.config) <= 0
        or state.stage not in AGENT_IS_THERE
        or state.agent_asked_to_leave
        or not ctx.is_done(PreparationTask.JOIN)
        or not state.supervisor_leg.was_heard
        or state.supervisor_leg.may_be_up
        or state.caller.may_be_in_consultation
    ):
        return None
    name = NOTICES[outcome]
    return Notice(None if name is None else getattr(ctx.config.lines, name))
