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

from . import bridging, consulting, policy
from .looks import check_legs
from .state import Verdict
from .turn import Turn
from .unwinding import unwind


class Who(StrEnum):
    SUPERVISOR = "supervisor"
    CALLER = "caller"
    CALLER_IN_PRIMARY = "caller_in_primary"
    SOMEBODY_IN_PRIMARY = "somebody_in_primary"
    """The caller's id in the primary room is not known, so it may be the caller."""
    NOBODY = "nobody"
    """Not a part of this transfer, or one of our own agents."""


def who(turn: Turn, room_id: str, participant_id: str) -> Who:
    """Told by the ids that we assigned, never by display names."""
    state = turn.state
    if room_id == state.room_id:
        if participant_id == state.supervisor_participant_id:
            return Who.SUPERVISOR
        return Who.CALLER if participant_id == state.caller_consult_id else Who.NOBODY
    if room_id != turn.request.room_id:
        return Who.NOBODY
    if state.caller_participant_id is None:
        return Who.SOMEBODY_IN_PRIMARY
    return Who.CALLER_IN_PRIMARY if participant_id == state.caller_participant_id else Who.NOBODY


def left_before_the_bridge(turn: Turn, event: ParticipantLeft) -> None:
    match who(turn, event.room_id, event.participant_id):
        case Who.SUPERVISOR:
            consulting.supervisor_left(turn)
        case Who.CALLER_IN_PRIMARY:
            _caller_left(turn, "room")
        case Who.SOMEBODY_IN_PRIMARY:
            check_legs(turn)
        case Who.CALLER | Who.NOBODY:
            pass


def left_during_the_bridge(turn: Turn, event: ParticipantLeft) -> None:
    """That the caller leaves the primary room is what a switch looks like from there."""
    match who(turn, event.room_id, event.participant_id):
        case Who.SUPERVISOR:
            bridging.supervisor_lost(turn, source="room")
        case Who.CALLER:
            bridging.caller_lost(turn, source="room")
        case _:
            pass


def left_before_they_were_found(turn: Turn, event: ParticipantLeft) -> None:
    """The provider knew before the room that the caller was gone: their leg was looked for, and not there."""
    verdict = turn.state.verdict
    not_found = verdict is not None and verdict.outcome is Outcome.CALLER_NOT_FOUND
    if not_found and who(turn, event.room_id, event.participant_id) is Who.CALLER_IN_PRIMARY:
        turn.state.verdict = Verdict(Outcome.CALLER_LEFT, policy.CALLER_HUNG_UP, {"source": "room"})


def caller_hung_up(turn: Turn, event: CallerCallEnded) -> None:
    if event.call_id == turn.state.caller_call_id:
        _caller_left(turn, "webhook")


def caller_hung_up_in_the_bridge(turn: Turn, event: CallerCallEnded) -> None:
    if event.call_id == turn.state.caller_call_id:
        bridging.caller_lost(turn, source="webhook")


def _caller_left(turn: Turn, source: str) -> None:
    turn.state.caller_gone = True
    unwind(turn, Outcome.CALLER_LEFT, policy.CALLER_HUNG_UP, source=source)


def cancelled(turn: Turn, event: CancelRequested) -> None:
    unwind(turn, Outcome.CANCELLED, event.reason)


def cancelled_in_the_bridge(turn: Turn, event: CancelRequested) -> None:
    bridging.called_off(turn, Outcome.CANCELLED, event.reason)


_RELEASED = "The primary session took the caller back by itself: {}."


def session_released(turn: Turn, event: CallerReleased) -> None:
    turn.state.caller_free = True
    unwind(turn, Outcome.SESSION_RELEASED, _RELEASED.format(event.cause), cause=event.cause)


def session_released_in_the_bridge(turn: Turn, event: CallerReleased) -> None:
    """The caller is on their way to a supervisor who said yes, or with them already: no silence of the bus is
    a reason to take them away again. A session that is closed is no place to go back to either: then the
    bridge is all the caller has."""
    if event.cause == "session_closed":
        turn.state.caller_free = True
