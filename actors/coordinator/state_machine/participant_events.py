"""People come and go, and change their minds: who it was, and what that means for now."""

from __future__ import annotations

from enum import StrEnum

from warmxfer.schemas import (
    CallerCallEnded,
    CallerReleased,
    CancelRequested,
    Outcome,
    ParticipantLeft,
)

from . import bridge, consultation, timeouts
from .cleanup import start_cleanup
from .leg_checks import check_legs
from .state import Decision
from .step_context import StepContext


class ParticipantRole(StrEnum):
    SUPERVISOR = "supervisor"
    CALLER = "caller"
    CALLER_IN_PRIMARY = "caller_in_primary"
    UNKNOWN_IN_PRIMARY = "somebody_in_primary"
    """The caller's id in the primary room is not known, so it may be the caller."""
    OTHER = "nobody"
    """Not a part of this transfer, or one of our own agents."""


def classify_participant(turn: StepContext, room_id: str, participant_id: str) -> ParticipantRole:
    """Told by the ids that we assigned, never by display names."""
    state = turn.state
    if room_id == state.room_id:
        if participant_id == state.supervisor_participant_id:
            return ParticipantRole.SUPERVISOR
        return ParticipantRole.CALLER if participant_id == state.caller_consult_id else ParticipantRole.OTHER
    if room_id != turn.request.room_id:
        return ParticipantRole.OTHER
    if state.caller_participant_id is None:
        return ParticipantRole.UNKNOWN_IN_PRIMARY
    return (
        ParticipantRole.CALLER_IN_PRIMARY
        if participant_id == state.caller_participant_id
        else ParticipantRole.OTHER
    )


def left_before_the_bridge(turn: StepContext, event: ParticipantLeft) -> None:
    match classify_participant(turn, event.room_id, event.participant_id):
        case ParticipantRole.SUPERVISOR:
            consultation.supervisor_left(turn)
        case ParticipantRole.CALLER_IN_PRIMARY:
            _caller_left(turn, "room")
        case ParticipantRole.UNKNOWN_IN_PRIMARY:
            check_legs(turn)
        case ParticipantRole.CALLER | ParticipantRole.OTHER:
            pass


def left_during_the_bridge(turn: StepContext, event: ParticipantLeft) -> None:
    """That the caller leaves the primary room is what a switch looks like from there."""
    match classify_participant(turn, event.room_id, event.participant_id):
        case ParticipantRole.SUPERVISOR:
            bridge.supervisor_lost(turn, source="room")
        case ParticipantRole.CALLER:
            bridge.caller_lost(turn, source="room")
        case _:
            pass


def left_before_they_were_found(turn: StepContext, event: ParticipantLeft) -> None:
    """The provider knew before the room that the caller was gone: their leg was looked for, and not there."""
    verdict = turn.state.decision
    not_found = verdict is not None and verdict.outcome is Outcome.CALLER_NOT_FOUND
    if (
        not_found
        and classify_participant(turn, event.room_id, event.participant_id)
        is ParticipantRole.CALLER_IN_PRIMARY
    ):
        turn.state.decision = Decision(Outcome.CALLER_LEFT, timeouts.CALLER_HUNG_UP, {"source": "room"})


def caller_hung_up(turn: StepContext, event: CallerCallEnded) -> None:
    if event.call_id == turn.state.caller_call_id:
        _caller_left(turn, "webhook")


def caller_hung_up_in_the_bridge(turn: StepContext, event: CallerCallEnded) -> None:
    if event.call_id == turn.state.caller_call_id:
        bridge.caller_lost(turn, source="webhook")


def _caller_left(turn: StepContext, source: str) -> None:
    turn.state.caller_gone = True
    start_cleanup(turn, Outcome.CALLER_LEFT, timeouts.CALLER_HUNG_UP, source=source)


def cancelled(turn: StepContext, event: CancelRequested) -> None:
    start_cleanup(turn, Outcome.CANCELLED, event.reason)


def cancelled_in_the_bridge(turn: StepContext, event: CancelRequested) -> None:
    bridge.cancelled_during_bridge(turn, Outcome.CANCELLED, event.reason)


_RELEASED = "The primary session took the caller back by itself: {}."


def session_released(turn: StepContext, event: CallerReleased) -> None:
    turn.state.caller_free = True
    start_cleanup(turn, Outcome.SESSION_RELEASED, _RELEASED.format(event.cause), cause=event.cause)


def session_released_in_the_bridge(turn: StepContext, event: CallerReleased) -> None:
    """The caller is on their way to a supervisor who said yes, or with them already: no silence of the bus is
    a reason to take them away again. A session that is closed is no place to go back to either: then the
    bridge is all the caller has."""
    if event.cause == "session_closed":
        turn.state.caller_free = True
