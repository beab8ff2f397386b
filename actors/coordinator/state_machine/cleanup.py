"""Giving the caller back and clearing away: the caller first, then every leg, the agent, the room.

The final phase is said only when nothing is outstanding, or when clearing away has used up its time; what
could not be confirmed by then is named in the evidence, and its commands still stand in the stream.
"""

from __future__ import annotations

from typing import Any

from warmxfer.schemas import (
    AudioStreamEnabled,
    CallEnded,
    CallerCallEnded,
    CallerReleased,
    CallerReturned,
    CloseRoom,
    ConsultationLeft,
    EndCall,
    LeaveConsultation,
    LegsChecked,
    Outcome,
    ParticipantJoined,
    ReleaseCaller,
    ReturnCaller,
    RoomClosed,
    RoomCreated,
    SupervisorCallEnded,
    SupervisorDialed,
    WarmTransferPhase,
    WarmTransferResult,
)

from . import timeouts
from .leg_checks import check_legs_after_end
from .state import Decision, PreparationTask, Stage
from .step_context import StepContext

_AWAITED = ("release_caller", "end_call", "leave_consultation", "create_room", "close_room")


def start_cleanup(turn: StepContext, outcome: Outcome, detail: str, **evidence: str | int | None) -> None:
    """Decide on `outcome`, release the caller at once, and clear everything else away."""
    turn.decide(outcome, detail, **evidence)
    turn.state.pending = {
        each: pending for each, pending in turn.state.pending.items() if pending.kind == "create_room"
    }
    turn.enter_stage(Stage.UNWINDING, timeouts.UNWINDING_TIMEOUT_FACTOR * turn.config.command_timeout_s)
    _release(turn)
    if turn.is_started(PreparationTask.DIAL) and not turn.state.caller_away:
        end_supervisor_leg(turn)
    if turn.is_started(PreparationTask.JOIN):
        turn.send(LeaveConsultation)
    finish_if_clean(turn)


def _release(turn: StepContext) -> None:
    if not turn.is_started(PreparationTask.HOLD) or turn.state.decision is None:
        return
    unheard = turn.state.caller_gone or turn.state.caller_free
    line = None if unheard else turn.apology(turn.state.decision.outcome)
    stay_s = timeouts.MAX_CALLER_SEARCH_S if turn.state.caller_away else 0.0
    turn.send(ReleaseCaller, awaited=not unheard, line=line, stay_s=stay_s)


def end_supervisor_leg(turn: StepContext, *, awaited: bool = True) -> None:
    """See to it that the supervisor's leg is down, whether or not it is known to be up."""
    turn.state.leg_doubtful = True
    turn.send(
        EndCall,
        timeout_factor=timeouts.EFFECT_TIMEOUT_FACTOR,
        awaited=awaited,
        attempt=turn.state.attempt,
        room_id=turn.state.room_id,
        participant_id=turn.state.supervisor_participant_id,
        call_id=turn.state.supervisor_call_id,
    )


def send_return(turn: StepContext, *, awaited: bool = True) -> None:
    """See to it that the caller is in the primary room, where the AI is."""
    turn.send(
        ReturnCaller,
        timeout_factor=timeouts.EFFECT_TIMEOUT_FACTOR,
        awaited=awaited,
        room_id=turn.request.room_id,
        caller_call_id=turn.state.caller_call_id,
        participant_id=turn.state.caller_return_id,
        from_room_id=turn.state.room_id,
    )


def finish_if_clean(turn: StepContext) -> None:
    """Say the final phase as soon as nothing is outstanding; the room is closed when it is empty."""
    if any(turn.state.awaits(kind) for kind in _AWAITED):
        return
    if not close_room(turn):
        finish_now(turn)


def close_room(turn: StepContext, *, awaited: bool = True) -> bool:
    """Close the consultation room, once; False when there is none to close, or the caller may be in it."""
    there_is_none = turn.state.room_id is None and not turn.state.room_doubtful
    if there_is_none or turn.state.room_closing or turn.state.caller_away:
        return False
    turn.state.room_closing, turn.state.closing_doubtful = True, not awaited
    turn.send(
        CloseRoom,
        awaited=awaited,
        room_id=turn.state.room_id,
        key=turn.state.id,
        caller_call_id=turn.state.caller_call_id,
    )
    return True


def finish_now(turn: StepContext) -> None:
    """Say how it ended, naming what could not be confirmed."""
    turn.state.room_doubtful |= turn.state.awaits("create_room")
    turn.state.closing_doubtful |= turn.state.awaits("close_room")
    if turn.state.pending:
        turn.add_evidence(unconfirmed=", ".join(sorted({each.kind for each in turn.state.pending.values()})))
    close_room(turn, awaited=False)
    finish(turn)
    if turn.state.leg_doubtful or turn.state.closing_doubtful or turn.state.caller_away:
        timeouts.schedule_cleanup_check(turn)


def check_leftovers(turn: StepContext) -> None:
    """Look again for what may be up: a leg that the provider made late, a room that it would not close, a
    caller whom nobody could bring back.

    An outage does not count: as much later as this look comes, as much longer it is looked."""
    due_at, ended_at = turn.state.check_due_at, turn.state.ended_at
    if due_at is not None and ended_at is not None and turn.now > due_at + turn.config.command_timeout_s:
        turn.state.ended_at = ended_at + turn.now - due_at
    if turn.state.leg_doubtful:
        end_supervisor_leg(turn, awaited=False)
    if turn.state.closing_doubtful:
        turn.state.room_closing = False
        close_room(turn, awaited=False)
    if turn.state.caller_away:
        check_legs_after_end(turn)
    timeouts.schedule_cleanup_check(turn)


def late_look(turn: StepContext, event: LegsChecked) -> None:
    """A caller who could not be brought back: two who talk are left to it, one who is alone comes home.

    One who is at home may still be moved away: only the return itself can tell, so it is asked for again.
    """
    caller, supervisor = event.caller, event.supervisor
    if not turn.state.caller_away or event.command_id != turn.state.last_leg_check_id:
        return
    if caller is None:
        # The provider could not say: the time for looking begins anew.
        turn.state.ended_at = min(turn.now, turn.state.started_at + timeouts.MAX_CALLER_SEARCH_S)
        return
    alone = supervisor is not None and not supervisor.up
    if not caller.up:
        _nobody_to_wait_for(turn)
    elif alone or caller.room_id == turn.request.room_id:
        send_return(turn, awaited=False)


def supervisor_left_caller_behind(turn: StepContext, event: SupervisorCallEnded) -> None:
    """The supervisor hung up on a caller who could not be brought back."""
    if event.attempt == turn.state.attempt and turn.state.caller_away:
        send_return(turn, awaited=False)


def _close_when_over(turn: StepContext) -> None:
    """After the end nobody awaits an answer: until one comes, it is asked for again."""
    if close_room(turn, awaited=False) and turn.state.check_due_at is None:
        timeouts.schedule_cleanup_check(turn)


def finish(turn: StepContext) -> None:
    """The final phase and the result, from the verdict."""
    state = turn.state
    verdict = state.decision or Decision(Outcome.BROKEN, "The transfer ended without a verdict.")
    outcome = verdict.outcome
    identifiers: dict[str, Any] = {
        "consultation_session_id": state.consultation_session_id,
        "supervisor_participant_id": state.supervisor_participant_id if state.supervisor_heard else None,
        "caller_participant_id": state.caller_consult_id if outcome is Outcome.COMPLETE else None,
        "briefing_agent_participant_id": state.agent_participant_id
        if turn.is_done(PreparationTask.JOIN)
        else None,
    }
    if outcome is Outcome.COMPLETE:
        stage, phase = Stage.COMPLETED, WarmTransferPhase.TRANSFER_COMPLETE
        turn.publish_phase(phase, **identifiers)
    else:
        stage, phase = (
            (Stage.CANCELLED, WarmTransferPhase.TRANSFER_CANCELLED)
            if outcome.cancelled
            else (Stage.FAILED, WarmTransferPhase.TRANSFER_FAILED)
        )
        turn.publish_phase(phase, reason=outcome.value, detail=verdict.detail, **identifiers)
    turn.enter_stage(stage, None)
    turn.state.pending, turn.state.ended_at = {}, turn.now
    turn.outbox.append(
        WarmTransferResult(
            success=outcome is Outcome.COMPLETE,
            phase=phase,
            outcome=outcome,
            consultation_room_id=state.room_id,
            supervisor_call_id=state.supervisor_call_id,
            switched_call_id=state.caller_call_id if outcome is Outcome.COMPLETE else None,
            summary=state.summary,
            error=None if outcome is Outcome.COMPLETE else outcome.value,
            detail=verdict.detail or None,
            evidence=verdict.evidence,
            **identifiers,
        )
    )


# ── answers while clearing away ──────────────────────────────────────────────────────────────────


def caller_released(turn: StepContext, event: CallerReleased) -> None:
    turn.state.caller_free = True
    turn.stop_waiting_for("release_caller")
    finish_if_clean(turn)


def call_ended(turn: StepContext, event: CallEnded) -> None:
    turn.state.leg_doubtful = event.outcome_unknown
    finish_if_clean(turn)


def consultation_left(turn: StepContext, event: ConsultationLeft) -> None:
    finish_if_clean(turn)


def room_closed(turn: StepContext, event: RoomClosed) -> None:
    """Nobody has to look for it again."""
    turn.state.closing_doubtful = False
    if turn.state.stage is Stage.UNWINDING:
        finish_if_clean(turn)
    elif not turn.state.leg_doubtful:
        turn.state.check_due_at = None


def late_room(turn: StepContext, event: RoomCreated) -> None:
    """The room turned up after all: close it, and again if it was closed before anybody knew which it is."""
    if turn.state.room_id is None:
        turn.state.room_closing = False
    turn.state.room_id, turn.state.room_doubtful = event.room_id, False
    if turn.state.stage is Stage.UNWINDING:
        finish_if_clean(turn)
    else:
        _close_when_over(turn)


def late_dial(turn: StepContext, event: SupervisorDialed) -> None:
    """The dial's answer came after the decision: the leg may be up although it was thought not to be."""
    turn.state.supervisor_call_id = event.call_id
    _hang_up_again(turn)


def late_leg(turn: StepContext, event: AudioStreamEnabled | ParticipantJoined) -> None:
    """Somebody turns up in a consultation that is over: hang up on the supervisor, bring the caller back."""
    if event.participant_id == turn.state.supervisor_participant_id:
        _hang_up_again(turn)
    elif (event.room_id, event.participant_id) == (turn.state.room_id, turn.state.caller_consult_id):
        # Whatever was said of them before: they are here.
        turn.state.caller_moved, turn.state.caller_gone = True, False
        send_return(turn, awaited=False)


def _hang_up_again(turn: StepContext) -> None:
    """An answer to an `EndCall` sent before this was known does not count: ask again."""
    if turn.state.room_id is not None and not turn.state.caller_away:
        turn.stop_waiting_for("end_call")
        end_supervisor_leg(turn, awaited=not turn.state.stage.ended)


def late_return(turn: StepContext, event: CallerReturned) -> None:
    """The caller is accounted for after all; an AI that waits for them sees them come."""
    if event.caller_up:
        _clear_after_the_caller(turn)
    else:
        _nobody_to_wait_for(turn)


def late_hang_up(turn: StepContext, event: CallerCallEnded) -> None:
    """A caller who could not be brought back has hung up."""
    if event.call_id == turn.state.caller_call_id:
        _nobody_to_wait_for(turn)


def _nobody_to_wait_for(turn: StepContext) -> None:
    """The caller has hung up: an AI that stays for them may go."""
    if turn.state.caller_away:
        turn.send(ReleaseCaller, awaited=False, line=None)
    _clear_after_the_caller(turn)


def _clear_after_the_caller(turn: StepContext) -> None:
    """What was left up for the caller's sake can come down."""
    if turn.state.caller_away:
        turn.state.caller_moved = False
        _hang_up_again(turn)
        if turn.state.stage.ended:
            _close_when_over(turn)
