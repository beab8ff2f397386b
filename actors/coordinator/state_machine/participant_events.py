"""Events about participants: they are seen, they leave, callers hang up, users cancel, sessions release."""

from __future__ import annotations

from enum import StrEnum

from warmxfer.schemas import (
    AudioStreamEnabled,
    CallerCallEnded,
    CallerReleased,
    CancelRequested,
    Outcome,
    ParticipantJoined,
    ParticipantLeft,
)

from . import bridge, consultation, guard
from .cleanup import start_cleanup
from .leg_checks import check_legs, leg_seen
from .rescue import lose_session
from .state import CallerPlace, Decision
from .step_context import StepContext


class ParticipantRole(StrEnum):
    """What a participant of an event is to this transfer."""

    SUPERVISOR = "supervisor"
    CALLER = "caller"
    CALLER_IN_PRIMARY = "caller_in_primary"
    UNKNOWN_IN_PRIMARY = "unknown_in_primary"
    """The caller's id in the primary room is not known, so this may be the caller."""
    OTHER = "other"
    """Not part of this transfer, or one of our own agents."""


def classify_participant(ctx: StepContext, room_id: str, participant_id: str) -> ParticipantRole:
    """Return the participant's role, by the ids that we assigned and never by display names."""
    state = ctx.state
    if room_id == state.room_id:
        if participant_id == state.supervisor_participant_id:
            return ParticipantRole.SUPERVISOR
        is_caller = participant_id == state.caller_consult_id
        return ParticipantRole.CALLER if is_caller else ParticipantRole.OTHER
    if room_id != ctx.request.room_id:
        return ParticipantRole.OTHER
    if state.caller_participant_id is None:
        return ParticipantRole.UNKNOWN_IN_PRIMARY
    is_caller = participant_id == state.caller_participant_id
    return ParticipantRole.CALLER_IN_PRIMARY if is_caller else ParticipantRole.OTHER


def seen(ctx: StepContext, event: ParticipantJoined | AudioStreamEnabled) -> None:
    """The supervisor, or the caller in the consultation room, was seen: earlier leg checks are too old."""
    role = classify_participant(ctx, event.room_id, event.participant_id)
    if role in (ParticipantRole.SUPERVISOR, ParticipantRole.CALLER):
        leg_seen(ctx)


def left_before_bridge(ctx: StepContext, event: ParticipantLeft) -> None:
    match classify_participant(ctx, event.room_id, event.participant_id):
        case ParticipantRole.SUPERVISOR:
            consultation.supervisor_left(ctx)
        case ParticipantRole.CALLER_IN_PRIMARY:
            _caller_left(ctx, "room")
        case ParticipantRole.UNKNOWN_IN_PRIMARY:
            check_legs(ctx)
        case ParticipantRole.CALLER | ParticipantRole.OTHER:
            pass


def left_during_bridge(ctx: StepContext, event: ParticipantLeft) -> None:
    """Ignore a caller who leaves the primary room: a switch looks the same from there."""
    match classify_participant(ctx, event.room_id, event.participant_id):
        case ParticipantRole.SUPERVISOR:
            bridge.supervisor_lost(ctx, source="room")
        case ParticipantRole.CALLER:
            bridge.caller_lost(ctx, source="room")
        case _:
            pass


def left_in_guard(ctx: StepContext, event: ParticipantLeft) -> None:
    """Return a caller whom the supervisor left. A caller who is being returned leaves the room too."""
    match classify_participant(ctx, event.room_id, event.participant_id):
        case ParticipantRole.SUPERVISOR:
            guard.supervisor_gone(ctx)
        case ParticipantRole.CALLER if not guard.is_alone(ctx):
            guard.caller_gone(ctx)
        case _:
            pass


def left_after_caller_not_found(ctx: StepContext, event: ParticipantLeft) -> None:
    """The caller's leg was not found because the caller left: correct the decision to CALLER_LEFT."""
    decision = ctx.state.decision
    not_found = decision is not None and decision.outcome is Outcome.CALLER_NOT_FOUND
    role = classify_participant(ctx, event.room_id, event.participant_id)
    if not_found and role is ParticipantRole.CALLER_IN_PRIMARY:
        ctx.state.decision = Decision(Outcome.CALLER_LEFT, bridge.CALLER_HUNG_UP, {"source": "room"})


def caller_hung_up(ctx: StepContext, event: CallerCallEnded) -> None:
    if event.call_id == ctx.state.caller_call_id:
        _caller_left(ctx, "webhook")


def caller_hung_up_during_bridge(ctx: StepContext, event: CallerCallEnded) -> None:
    if event.call_id == ctx.state.caller_call_id:
        bridge.caller_lost(ctx, source="webhook")


def caller_hung_up_in_guard(ctx: StepContext, event: CallerCallEnded) -> None:
    if event.call_id == ctx.state.caller_call_id:
        guard.caller_gone(ctx)


def _caller_left(ctx: StepContext, source: str) -> None:
    ctx.state.caller = CallerPlace.HUNG_UP
    start_cleanup(ctx, Outcome.CALLER_LEFT, bridge.CALLER_HUNG_UP, source=source)


def cancelled(ctx: StepContext, event: CancelRequested) -> None:
    start_cleanup(ctx, Outcome.CANCELLED, event.reason)


def cancelled_during_bridge(ctx: StepContext, event: CancelRequested) -> None:
    bridge.abort_bridge(ctx, Outcome.CANCELLED, event.reason)


_RELEASED_DETAIL = "The primary session took the caller back by itself: {}."


def session_released(ctx: StepContext, event: CallerReleased) -> None:
    ctx.state.caller_released = True
    if event.cause == "session_closed":
        lose_session(ctx)
    start_cleanup(ctx, Outcome.SESSION_RELEASED, _RELEASED_DETAIL.format(event.cause), cause=event.cause)


def session_released_during_bridge(ctx: StepContext, event: CallerReleased) -> None:
    """A release does not end a bridge.

    The caller is being moved to a supervisor who said yes, or is with them. A bus outage is no reason to move
    the caller back. If the session was closed, only the supervisor can still talk to the caller.
    """
    if event.cause == "session_closed":
        ctx.state.caller_released = True
        lose_session(ctx)
