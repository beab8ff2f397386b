"""What a transfer waits for, since when, and how long it may take: from its phases. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from warmxfer.schemas import WarmTransferPhase
from warmxfer.schemas.timeline import TimeLimits

P = WarmTransferPhase
READY = "ready"
"""The resolution of a briefing after which the caller is moved."""


class Step(StrEnum):
    """The steps of a transfer, as the page shows them."""

    PREPARING = "preparing"
    RINGING = "ringing"
    BRIEFING = "briefing"
    MOVING = "moving"
    CLEANING_UP = "cleaning_up"
    ENDED = "ended"


class Wait(NamedTuple):
    """Where a transfer stands."""

    step: Step
    on: str
    """Who or what is waited for, in words. `{supervisor}` stands for the supervisor's name."""
    since: float
    """Epoch seconds."""
    limit_s: float | None
    """How long the step may take; None if it is unknown."""


def current_wait(at: Mapping[WarmTransferPhase, float], resolution: str, limits: TimeLimits | None) -> Wait:
    """Return where the transfer stands whose phases began `at` these times; at least one.

    `resolution` is that of the briefing, empty before its end.
    """
    final = next((phase for phase in at if phase.final), None)
    if final is not None:
        return Wait(Step.ENDED, "", at[final], None)
    if P.CALL_SWITCHED in at:
        return Wait(Step.MOVING, "the caller to arrive", at[P.CALL_SWITCHED], limits and limits.arrival_s)
    if P.BRIEFING_COMPLETE in at:
        since = at[P.BRIEFING_COMPLETE]
        if resolution == READY:
            return Wait(Step.MOVING, "the provider to move the caller", since, limits and limits.switch_s)
        return Wait(Step.CLEANING_UP, "the legs to end", since, limits and limits.cleanup_s)
    if P.BRIEFING_STARTED in at:
        since = at[P.BRIEFING_STARTED]
        return Wait(Step.BRIEFING, "{supervisor} to accept or decline", since, limits and limits.briefing_s)
    if P.SUPERVISOR_JOINED in at:
        on = "the summary" if P.SUMMARY_READY not in at else "the briefing agent"
        return Wait(Step.BRIEFING, on, at[P.SUPERVISOR_JOINED], limits and limits.preparation_s)
    if P.SUPERVISOR_DIALED in at:
        return Wait(Step.RINGING, "{supervisor} to answer", at[P.SUPERVISOR_DIALED], limits and limits.ring_s)
    return Wait(Step.PREPARING, _preparation(at), min(at.values()), limits and limits.preparation_s)


def _preparation(at: Mapping[WarmTransferPhase, float]) -> str:
    """Return what is missing before the supervisor's phone rings."""
    missing = [
        name
        for phase, name in (
            (P.CALLER_ON_HOLD, "the hold"),
            (P.CONSULTATION_ROOM_CREATED, "the room"),
            (P.SUPERVISOR_DIALED, "the dial"),
        )
        if phase not in at
    ]
    return ", ".join(missing)
