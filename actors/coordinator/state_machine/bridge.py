"""Bridge: moves the caller to the supervisor in two phases, and back if the bridge fails.

Before the switch the gateway checks that both legs are up. After the switch the caller must be seen in the
consultation room while the supervisor is there. Only then is the transfer complete, and only then does the AI
session leave.

Invariant: until the completing record the caller can be moved back (tests/model_check, I1 and I3).
"""

from __future__ import annotations

from warmxfer.schemas import (
    AudioStreamEnabled,
    BriefSupervisor,
    CallerReturned,
    CallerSwitched,
    CheckLegs,
    Command,
    CommandFailed,
    ConsultationLeft,
    FailureKind,
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

from . import guard, timeouts
from .cleanup import (
    cleanup_failed,
    cleanup_timed_out,
    finish,
    leave_over,
    send_return,
    start_cleanup,
)
from .leg_checks import accept_answer, check_legs, leg_seen, schedule_check
from .state import CallerPlace, EvidenceValue, Stage
from .step_context import StepContext

RECORDING_UNCONFIRMED = "not confirmed: the SIP gateway did not answer in time"
"""Evidence text when the gateway did not confirm the recording."""

LEGS_UNCONFIRMED = "not confirmed: the provider did not say in time that both are in the consultation room"
LEGS_UNANSWERED = "not confirmed: the provider did not say in time whether both are on the phone"
"""Evidence texts when no leg check found both before a transfer completed, since version 4 and before it."""

CALLER_HUNG_UP = "The caller hung up."


def begin_switch(ctx: StepContext) -> None:
    ctx.stop_waiting_for(CheckLegs, BriefSupervisor)
    ctx.enter_stage(Stage.SWITCHING, timeouts.switching_s(ctx.config))
    ctx.send(
        SwitchCaller,
        room_id=ctx.state.room_id,
        caller_call_id=ctx.state.caller_call_id,
        supervisor_call_id=ctx.state.supervisor_call_id,
        participant_id=ctx.state.caller_consult_id,
    )


def caller_switched(ctx: StepContext, event: CallerSwitched) -> None:
    """The provider accepted the move: continue the bridge, unless an event during the switch ended it."""
    ctx.publish_phase(
        WarmTransferPhase.CALL_SWITCHED,
        caller_call_id=ctx.state.caller_call_id,
        consultation_room_id=ctx.state.room_id,
        caller_participant_id=ctx.state.caller_consult_id,
        response=event.response,
    )
    decision = ctx.state.decision
    if ctx.state.caller is CallerPlace.HUNG_UP:
        start_cleanup(ctx, Outcome.CALLER_LEFT, "The caller hung up during the switch.")
    elif decision is not None:
        return_caller(ctx, decision.outcome, decision.detail)
    elif ctx.state.caller is CallerPlace.SEEN_EARLY:
        start_handover(ctx)
    else:
        ctx.state.caller = CallerPlace.IN_TRANSIT
        ctx.enter_stage(Stage.ARRIVING, ctx.config.caller_arrival_timeout_s)
        schedule_check(ctx)


def seen_in_consultation(ctx: StepContext, event: ParticipantJoined | AudioStreamEnabled) -> None:
    """The caller or the supervisor is in the consultation room.

    The event about the caller may come before the reply to the switch.
    """
    if event.room_id != ctx.state.room_id:
        return
    if event.participant_id == ctx.state.supervisor_participant_id:
        leg_seen(ctx)
    elif event.participant_id != ctx.state.caller_consult_id:
        return
    elif ctx.state.stage is Stage.ARRIVING:
        start_handover(ctx)
    elif ctx.state.caller is CallerPlace.WITH_AI:
        ctx.state.caller = CallerPlace.SEEN_EARLY


def legs_checked(ctx: StepContext, event: LegsChecked) -> None:
    """The provider's call records say where the caller is. They replace a room event that was lost."""
    schedule_check(ctx)
    if event.caller is not None and not event.caller.up:
        caller_lost(ctx, source="provider")
    elif event.supervisor is not None and not event.supervisor.up:
        supervisor_lost(ctx, source="provider")
    elif event.caller is not None and event.caller.room_id == ctx.state.room_id:
        start_handover(ctx)
    elif ctx.state.caller is CallerPlace.OVERDUE:
        _never_arrived(ctx)


def start_handover(ctx: StepContext) -> None:
    """Caller and supervisor are together: the briefing agent leaves, and the caller is recorded.

    The gateway owns the recording, so it continues after the briefing agent leaves.
    """
    ctx.state.caller = CallerPlace.ARRIVED
    ctx.stop_waiting_for(CheckLegs)
    ctx.enter_stage(Stage.HANDING_OVER, ctx.config.command_timeout_s)
    ctx.state.agent_asked_to_leave = ctx.state.follows_version_4
    ctx.send(LeaveConsultation)
    if ctx.config.record:
        ctx.send(RecordParticipant, room_id=ctx.state.room_id, participant_id=ctx.state.caller_consult_id)


def consultation_left(ctx: StepContext, event: ConsultationLeft) -> None:
    complete_if_handed_over(ctx)


def recording_started(ctx: StepContext, event: RecordingStarted) -> None:
    ctx.state.recording = "started"
    complete_if_handed_over(ctx)


def recording_failed(ctx: StepContext, event: CommandFailed) -> None:
    """Put the failed recording into the evidence. The caller and the supervisor stay connected."""
    ctx.state.recording = f"not started: {event.detail or event.failure.value}"
    complete_if_handed_over(ctx)


def recording_timed_out(ctx: StepContext, command: type[Command]) -> None:
    complete_if_handed_over(ctx)


def leave_failed(ctx: StepContext, event: CommandFailed) -> None:
    """The briefing agent could not leave. A bridge completes all the same."""
    if ctx.state.stage is Stage.HANDING_OVER:
        complete_if_handed_over(ctx)
    else:
        leave_over(ctx)
        cleanup_failed(ctx, event)


def leave_timed_out(ctx: StepContext, command: type[Command]) -> None:
    if ctx.state.stage is Stage.HANDING_OVER:
        complete_if_handed_over(ctx)
    else:
        leave_over(ctx)
        cleanup_timed_out(ctx, command)


def complete_if_handed_over(ctx: StepContext) -> None:
    """Check both legs once the agent has left, and the caller's recording has started or failed.

    A transfer that a version without this check admitted completes at once.
    """
    if ctx.state.awaits(LeaveConsultation, RecordParticipant):
        return
    if ctx.config.bridge_guard_s is None:
        complete(ctx)
        return
    ctx.state.stage_due_at = ctx.now + timeouts.handover_check_s(ctx.config)
    check_legs(ctx)


def handover_checked(ctx: StepContext, event: LegsChecked) -> None:
    """Complete if both legs are up. A leg that is down is news also from a late answer.

    After an outage an answer may be older than a command timeout; then the legs are checked again.
    """
    if not accept_answer(ctx, event):
        return
    caller, supervisor = event.caller, event.supervisor
    if caller is not None and not caller.up:
        caller_lost(ctx, source="provider")
    elif supervisor is not None and not supervisor.up:
        supervisor_lost(ctx, source="provider")
    elif ctx.replied_to is None:
        return
    elif (
        ctx.replied_to.due_at < ctx.now
        or caller is None
        or supervisor is None
        or caller.room_id not in (None, ctx.state.room_id)
    ):
        schedule_check(ctx)
    else:
        complete(ctx)


def handover_timed_out(ctx: StepContext) -> None:
    """Stop waiting for the agent and the recording; complete unchecked if the provider cannot say more.

    A provider that does not answer could not return the caller either. One that names another room of the
    caller may read an old record: a room event said that the caller arrived. The evidence says that the legs
    are not confirmed, and the guard checks again.
    """
    if ctx.config.bridge_guard_s is None:
        complete(ctx)
    elif ctx.state.awaits(LeaveConsultation, RecordParticipant):
        ctx.stop_waiting_for(LeaveConsultation, RecordParticipant)
        complete_if_handed_over(ctx)
    else:
        complete(ctx, legs=LEGS_UNCONFIRMED if ctx.state.follows_version_4 else LEGS_UNANSWERED)


def complete(ctx: StepContext, **evidence: EvidenceValue) -> None:
    """Complete the transfer. The AI session leaves with the same record, or stays for the guard."""
    recording = {"recording": ctx.state.recording or RECORDING_UNCONFIRMED} if ctx.config.record else {}
    accepted = (
        {"accepted_by": ctx.state.accepted_by, "accepted_words": ctx.state.accepted_words}
        if ctx.state.accepted_by
        else {}
    )
    ctx.decide(Outcome.COMPLETE, "", **recording, **accepted, **evidence)
    finish(ctx)
    guard.start_guard(ctx)


def arrival_timed_out(ctx: StepContext) -> None:
    """Check the legs once more before the caller is moved back.

    After an outage the arrival deadline may be handled before the event that the caller arrived.
    """
    if ctx.state.caller is CallerPlace.OVERDUE:
        _never_arrived(ctx)
        return
    ctx.state.caller = CallerPlace.OVERDUE
    ctx.state.stage_due_at = ctx.now + ctx.config.command_timeout_s
    check_legs(ctx)


def _never_arrived(ctx: StepContext) -> None:
    return_caller(
        ctx,
        Outcome.CALLER_NEVER_ARRIVED,
        f"The caller did not arrive with the supervisor within {ctx.config.caller_arrival_timeout_s:g} s.",
        timer="caller_arrival_timeout_s",
    )


def supervisor_call_ended(ctx: StepContext, event: SupervisorCallEnded) -> None:
    if ctx.state.is_supervisors_leg(event):
        supervisor_lost(ctx, source="webhook")


def supervisor_lost(ctx: StepContext, *, source: str) -> None:
    """The supervisor left after saying yes: the caller must not stay alone."""
    abort_bridge(
        ctx,
        Outcome.SUPERVISOR_DISCONNECTED,
        "The supervisor hung up before the caller was connected.",
        source=source,
    )


def caller_lost(ctx: StepContext, *, source: str) -> None:
    ctx.state.caller = CallerPlace.HUNG_UP
    ctx.decide(Outcome.CALLER_LEFT, CALLER_HUNG_UP, source=source)
    if ctx.state.stage is not Stage.SWITCHING:
        start_cleanup(ctx, Outcome.CALLER_LEFT, CALLER_HUNG_UP)


def abort_bridge(ctx: StepContext, outcome: Outcome, detail: str, **evidence: EvidenceValue) -> None:
    """Decide against the bridge. During a switch, wait for its reply before the caller is moved back."""
    if ctx.state.stage is Stage.SWITCHING:
        ctx.decide(outcome, detail, **evidence)
    else:
        return_caller(ctx, outcome, detail, **evidence)


def return_caller(ctx: StepContext, outcome: Outcome, detail: str, **evidence: EvidenceValue) -> None:
    """Move the caller back into the primary room, where the AI still is."""
    ctx.decide(outcome, detail, **evidence)
    ctx.stop_waiting_for(SwitchCaller, LeaveConsultation, RecordParticipant, CheckLegs)
    if ctx.state.caller is not CallerPlace.HUNG_UP:
        ctx.state.caller = CallerPlace.IN_TRANSIT
    ctx.enter_stage(Stage.RETURNING, timeouts.unwinding_s(ctx.config))
    request_return(ctx)


def request_return(ctx: StepContext) -> None:
    """Send `ReturnCaller`. Idempotent: the gateway checks first, and moves the caller at most once."""
    ctx.state.check_due_at = None
    send_return(ctx)


def caller_returned(ctx: StepContext, event: CallerReturned) -> None:
    ctx.state.caller = CallerPlace.WITH_AI if event.caller_up else CallerPlace.HUNG_UP
    _unwind_with_decision(ctx)


def return_failed(ctx: StepContext, event: CommandFailed) -> None:
    """Repeat the return while the caller's place is unknown and the stage lasts."""
    if ctx.state.stage is Stage.GUARDING:
        guard.return_failed(ctx, event)
    elif event.failure is FailureKind.UNKNOWN:
        schedule_check(ctx)
    else:
        stop_return(ctx, return_fault=event.failure.value)


def return_timed_out(ctx: StepContext, command: type[Command]) -> None:
    if ctx.state.stage is Stage.GUARDING:
        guard.return_timed_out(ctx)
    else:
        request_return(ctx)


def stop_return(ctx: StepContext, **evidence: EvidenceValue) -> None:
    """Stop the return. Leg and room stay up while the caller may be with the supervisor."""
    ctx.add_evidence(**evidence)
    _unwind_with_decision(ctx)


def _unwind_with_decision(ctx: StepContext) -> None:
    decision = ctx.state.decision
    if decision is None:
        start_cleanup(ctx, Outcome.BROKEN, "The caller was moved back without a reason.")
    else:
        start_cleanup(ctx, decision.outcome, decision.detail)


def switch_failed(ctx: StepContext, event: CommandFailed) -> None:
    """The gateway did not move the caller, or the outcome of the move is unknown."""
    detail = event.detail or "The provider did not move the caller."
    match event.failure:
        case FailureKind.CALLER_GONE:
            ctx.state.caller = CallerPlace.HUNG_UP
            start_cleanup(ctx, Outcome.CALLER_LEFT, CALLER_HUNG_UP, source="provider")
        case FailureKind.SUPERVISOR_GONE:
            start_cleanup(
                ctx,
                Outcome.SUPERVISOR_DISCONNECTED,
                "The supervisor hung up before the caller was connected.",
                source="provider",
            )
        case FailureKind.UNKNOWN:
            return_caller(ctx, Outcome.SWITCH_FAILED, detail, fault=event.failure.value)
        case FailureKind.BROKEN:
            return_caller(ctx, Outcome.BROKEN, detail, fault=event.failure.value)
        case FailureKind.REFUSED | FailureKind.CALLED_OFF:
            start_cleanup(ctx, Outcome.SWITCH_FAILED, detail, fault=event.failure.value, status=event.status)


def switch_timed_out(ctx: StepContext, command: type[Command]) -> None:
    policy = ctx.policies[command]
    return_caller(ctx, policy.if_absent, policy.missing_reply_detail(command, ctx.config))
