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

from . import preparation_plan, timeouts
from .cleanup import finish_now
from .state import PreparationTask, Stage
from .step_context import StepContext


def requested(turn: StepContext, event: TransferRequested) -> None:
    turn.state.request = event.request
    turn.state.caller_call_id = event.request.caller_call_id
    turn.state.caller_participant_id = event.request.caller_participant_id
    if event.conflicting_transfer_id is not None:
        turn.decide(
            Outcome.CALLER_IN_TRANSFER,
            f"session {event.request.session_name} is already being transferred by "
            f"{event.conflicting_transfer_id}; wait for that transfer to end, or cancel it.",
            held_by=event.conflicting_transfer_id,
        )
        finish_now(turn)
        return
    config = turn.config
    turn.enter_stage(
        Stage.PREPARING, timeouts.preparing_timeout_s(config.command_timeout_s, config.summary_timeout_s)
    )
    turn.publish_phase(WarmTransferPhase.STARTED, start_time=turn.now)
    preparation_plan.start_ready_tasks(turn)


def refused(turn: StepContext, event: TransferRefused) -> None:
    evidence = {} if event.retry_after_s is None else {"retry_after_s": event.retry_after_s}
    turn.decide(event.outcome, event.detail, **evidence)
    finish_now(turn)


def caller_held(turn: StepContext, event: CallerHeld) -> None:
    turn.state.caller_participant_id = event.caller_participant_id or turn.state.caller_participant_id
    turn.publish_phase(WarmTransferPhase.CALLER_ON_HOLD)
    _done(turn, PreparationTask.HOLD)


def caller_call_found(turn: StepContext, event: CallerCallFound) -> None:
    turn.state.caller_call_id = event.call_id
    turn.state.caller_participant_id = turn.state.caller_participant_id or event.participant_id
    _done(turn, PreparationTask.FIND)


def room_created(turn: StepContext, event: RoomCreated) -> None:
    turn.state.room_id, turn.state.room_doubtful = event.room_id, False
    turn.publish_phase(WarmTransferPhase.CONSULTATION_ROOM_CREATED, consultation_room_id=event.room_id)
    _done(turn, PreparationTask.ROOM)


def summary_ready(turn: StepContext, event: SummaryReady) -> None:
    summarized(turn, event.summary or FALLBACK_SUMMARY)


def summarized(turn: StepContext, summary: str) -> None:
    """The summary is there, from whichever source: a missing summary never stops a transfer."""
    turn.state.summary = summary
    turn.publish_phase(WarmTransferPhase.SUMMARY_READY, summary=summary)
    _done(turn, PreparationTask.SUMMARY)


def consultation_joined(turn: StepContext, event: ConsultationJoined) -> None:
    turn.state.consultation_session_id = event.session_id
    _done(turn, PreparationTask.JOIN)


def _done(turn: StepContext, task: PreparationTask) -> None:
    turn.mark_done(task)
    preparation_plan.start_ready_tasks(turn)
