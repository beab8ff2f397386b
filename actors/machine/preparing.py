"""Until the supervisor is rung: hold, find, room, summary, in whatever order they come in."""

from __future__ import annotations

from warmxfer.schemas import (
    FALLBACK_SUMMARY,
    CallerCallFound,
    CallerHeld,
    ConsultationJoined,
    Outcome,
    RoomCreated,
    SummaryReady,
    TransferRefused,
    TransferRequested,
    WarmTransferPhase,
)

from . import plan, policy
from .state import Stage, Task
from .turn import Turn
from .unwinding import end


def requested(turn: Turn, event: TransferRequested) -> None:
    turn.state.request = event.request
    turn.state.caller_call_id = event.request.caller_call_id
    turn.state.caller_participant_id = event.request.caller_participant_id
    if event.held_by is not None:
        turn.judge(
            Outcome.CALLER_IN_TRANSFER,
            f"session {event.request.session_name} is already being transferred by {event.held_by}; "
            "wait for that transfer to end, or cancel it.",
            held_by=event.held_by,
        )
        end(turn)
        return
    config = turn.config
    turn.enter(
        Stage.PREPARING, policy.preparing_timeout_s(config.command_timeout_s, config.summary_timeout_s)
    )
    turn.phase(WarmTransferPhase.STARTED, start_time=turn.now)
    plan.advance(turn)


def refused(turn: Turn, event: TransferRefused) -> None:
    evidence = {} if event.retry_after_s is None else {"retry_after_s": event.retry_after_s}
    turn.judge(event.outcome, event.detail, **evidence)
    end(turn)


def caller_held(turn: Turn, event: CallerHeld) -> None:
    turn.state.caller_participant_id = event.caller_participant_id or turn.state.caller_participant_id
    turn.phase(WarmTransferPhase.CALLER_ON_HOLD)
    _done(turn, Task.HOLD)


def caller_call_found(turn: Turn, event: CallerCallFound) -> None:
    turn.state.caller_call_id = event.call_id
    turn.state.caller_participant_id = turn.state.caller_participant_id or event.participant_id
    _done(turn, Task.FIND)


def room_created(turn: Turn, event: RoomCreated) -> None:
    turn.state.room_id, turn.state.room_doubtful = event.room_id, False
    turn.phase(WarmTransferPhase.CONSULTATION_ROOM_CREATED, consultation_room_id=event.room_id)
    _done(turn, Task.ROOM)


def summary_ready(turn: Turn, event: SummaryReady) -> None:
    summarized(turn, event.summary or FALLBACK_SUMMARY)


def summarized(turn: Turn, summary: str) -> None:
    """The summary is there, from whichever source: a missing summary never stops a transfer."""
    turn.state.summary = summary
    turn.phase(WarmTransferPhase.SUMMARY_READY, summary=summary)
    _done(turn, Task.SUMMARY)


def consultation_joined(turn: Turn, event: ConsultationJoined) -> None:
    turn.state.consultation_session_id = event.session_id
    _done(turn, Task.JOIN)


def _done(turn: Turn, task: Task) -> None:
    turn.finish(task)
    plan.advance(turn)
