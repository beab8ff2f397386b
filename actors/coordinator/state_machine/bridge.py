"""Moving the caller, in two phases, and moving them back when it does not hold.

Before the switch the gateway sees that both legs are up; after it the caller must be seen in the
consultation room while the supervisor is there. Only then is the transfer complete, and only then is the
AI session told to leave: until that record there is always a way back.
"""

from __future__ import annotations

from warmxfer.schemas import (
    AudioStreamEnabled,
    CallerReturned,
    CallerSwitched,
    CommandFailed,
    ConsultationLeft,
    FailureKind,
    LeaveCall,
    LeaveConsultation,
    LegsChecked,
    Outcome,
    ParticipantJoined,
    RecordingStarted,
    RecordParticipant,
    SupervisorCallEnded,
    SwitchCaller,
    WarmTransferPhase,
)

from . import timeouts
from .cleanup import finish, send_return, start_cleanup
from .leg_checks import check_legs
from .state import Stage
from .step_context import StepContext


def begin_switch(turn: StepContext) -> None:
    turn.stop_waiting_for("check_legs", "brief_supervisor")
    turn.enter_stage(Stage.SWITCHING, timeouts.EFFECT_TIMEOUT_FACTOR * turn.config.command_timeout_s + 1.0)
    turn.send(
        SwitchCaller,
        timeout_factor=timeouts.EFFECT_TIMEOUT_FACTOR,
        room_id=turn.state.room_id,
        caller_call_id=turn.state.caller_call_id,
        supervisor_call_id=turn.state.supervisor_call_id,
        participant_id=turn.state.caller_consult_id,
    )


def caller_switched(turn: StepContext, event: CallerSwitched) -> None:
    turn.state.caller_moved = True
    turn.publish_phase(
        WarmTransferPhase.CALL_SWITCHED,
        caller_call_id=turn.state.caller_call_id,
        consultation_room_id=turn.state.room_id,
        caller_participant_id=turn.state.caller_consult_id,
        response=event.response,
    )
    verdict = turn.state.decision
    if turn.state.caller_gone:
        start_cleanup(turn, Outcome.CALLER_LEFT, "The caller hung up during the switch.")
    elif verdict is not None:
        return_caller(turn, verdict.outcome, verdict.detail)
    elif turn.state.caller_arrived:
        start_handover(turn)
    else:
        turn.enter_stage(Stage.ARRIVING, turn.config.caller_arrival_timeout_s)
        timeouts.schedule_check(turn)


def seen_in_consultation(turn: StepContext, event: ParticipantJoined | AudioStreamEnabled) -> None:
    """The caller is there: before the switch's own answer, or after."""
    if event.room_id != turn.state.room_id or event.participant_id != turn.state.caller_consult_id:
        return
    turn.state.caller_arrived = True
    if turn.state.stage is Stage.ARRIVING:
        start_handover(turn)


def legs_checked(turn: StepContext, event: LegsChecked) -> None:
    """The provider's own word on where the caller is, in case the room's was lost."""
    timeouts.schedule_check(turn)
    if event.caller is not None and not event.caller.up:
        caller_lost(turn, source="provider")
    elif event.supervisor is not None and not event.supervisor.up:
        supervisor_lost(turn, source="provider")
    elif event.caller is not None and event.caller.room_id == turn.state.room_id:
        turn.state.caller_arrived = True
        start_handover(turn)
    elif turn.state.arrival_rechecked:
        _never_arrived(turn)


def start_handover(turn: StepContext) -> None:
    """Both are together; the briefing agent leaves first, so that there is a way back until it has.

    The gateway records, so nobody's leaving ends it, and there is nothing the agent would have to stay for.
    """
    turn.stop_waiting_for("check_legs")
    turn.enter_stage(Stage.HANDING_OVER, turn.config.command_timeout_s)
    turn.send(LeaveConsultation)
    if turn.config.record:
        turn.send(RecordParticipant, room_id=turn.state.room_id, participant_id=turn.state.caller_consult_id)


def consultation_left(turn: StepContext, event: ConsultationLeft) -> None:
    handed_over(turn)


def recording_started(turn: StepContext, event: RecordingStarted) -> None:
    turn.state.recording = "started"
    handed_over(turn)


def recording_failed(turn: StepContext, event: CommandFailed) -> None:
    """Two people who talk are worth more than the file of it: it is told, and ends nothing."""
    turn.state.recording = f"not started: {event.detail or event.failure.value}"
    handed_over(turn)


def handed_over(turn: StepContext) -> None:
    """Complete as soon as the agent has left, and the caller is recorded or cannot be."""
    if not (turn.state.awaits("leave_consultation") or turn.state.awaits("record_participant")):
        complete(turn)


def complete(turn: StepContext) -> None:
    """The one record that makes it a success: from here on the AI session leaves."""
    recording = (
        {"recording": turn.state.recording or timeouts.RECORDING_UNCONFIRMED} if turn.config.record else {}
    )
    turn.decide(Outcome.COMPLETE, "", **recording)
    finish(turn)
    turn.send(LeaveCall, awaited=False)


def arrival_timed_out(turn: StepContext) -> None:
    """One more look before the caller is taken from a supervisor who waits for them: after an outage the time
    is over before anybody could tell that they came."""
    if turn.state.arrival_rechecked:
        _never_arrived(turn)
        return
    turn.state.arrival_rechecked = True
    turn.state.stage_due_at = turn.now + turn.config.command_timeout_s
    check_legs(turn)


def _never_arrived(turn: StepContext) -> None:
    return_caller(
        turn,
        Outcome.CALLER_NEVER_ARRIVED,
        f"The caller did not arrive with the supervisor within {turn.config.caller_arrival_timeout_s:g} s.",
        timer="caller_arrival_timeout_s",
    )


def supervisor_call_ended(turn: StepContext, event: SupervisorCallEnded) -> None:
    if event.attempt == turn.state.attempt:
        supervisor_lost(turn, source="webhook")


def supervisor_lost(turn: StepContext, *, source: str) -> None:
    """The supervisor is gone although they said yes: the caller must not be left alone."""
    _not_bridged(
        turn,
        Outcome.SUPERVISOR_DISCONNECTED,
        "The supervisor hung up before the caller was connected.",
        source=source,
    )


def caller_lost(turn: StepContext, *, source: str) -> None:
    turn.state.caller_gone = True
    turn.decide(Outcome.CALLER_LEFT, timeouts.CALLER_HUNG_UP, source=source)
    if turn.state.stage is not Stage.SWITCHING:
        start_cleanup(turn, Outcome.CALLER_LEFT, timeouts.CALLER_HUNG_UP)


def cancelled_during_bridge(turn: StepContext, outcome: Outcome, detail: str, **evidence: str) -> None:
    """Somebody wants the caller back while the bridge is being made."""
    _not_bridged(turn, outcome, detail, **evidence)


def _not_bridged(turn: StepContext, outcome: Outcome, detail: str, **evidence: str) -> None:
    if turn.state.stage is Stage.SWITCHING:
        turn.decide(outcome, detail, **evidence)  # acted on as soon as the switch's outcome is known
    else:
        return_caller(turn, outcome, detail, **evidence)


def return_caller(turn: StepContext, outcome: Outcome, detail: str, **evidence: str) -> None:
    """Move the caller back into the primary room, where the AI still is."""
    turn.decide(outcome, detail, **evidence)
    turn.stop_waiting_for("switch_caller", "leave_consultation", "record_participant", "check_legs")
    turn.state.caller_moved = True
    turn.enter_stage(Stage.RETURNING, timeouts.UNWINDING_TIMEOUT_FACTOR * turn.config.command_timeout_s)
    ask_for_return(turn)


def ask_for_return(turn: StepContext) -> None:
    """Asking again does no harm: the gateway looks first, and moves the caller at most once."""
    turn.state.check_due_at = None
    send_return(turn)


def caller_returned(turn: StepContext, event: CallerReturned) -> None:
    turn.state.caller_gone = not event.caller_up
    turn.state.caller_moved = False
    _unwind_with_decision(turn)


def return_failed(turn: StepContext, fault: FailureKind) -> None:
    """Where the caller is could not be told: look again, for as long as the stage lasts."""
    if fault is FailureKind.UNKNOWN:
        timeouts.schedule_check(turn)
    else:
        give_up_return(turn, return_fault=fault.value)


def give_up_return(turn: StepContext, **evidence: str) -> None:
    """The caller may still be with the supervisor, so neither leg nor room is touched until it is known."""
    turn.add_evidence(**evidence)
    _unwind_with_decision(turn)


def _unwind_with_decision(turn: StepContext) -> None:
    verdict = turn.state.decision
    if verdict is None:
        start_cleanup(turn, Outcome.BROKEN, "The caller was moved back without a reason.")
    else:
        start_cleanup(turn, verdict.outcome, verdict.detail)
