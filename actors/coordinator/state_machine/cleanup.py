"""Clean-up: the caller is released first, then the leg, the briefing agent and the room are ended.

The final phase is published when no reply is outstanding, or when clean-up times out. After a time-out the
evidence names the commands that are unconfirmed; they stay in the stream. An ended transfer keeps checking
for what may still be up.
"""

from __future__ import annotations

from typing import Any

from warmxfer.schemas import (
    CallEnded,
    CallerReleased,
    CloseRoom,
    Command,
    CommandFailed,
    ConsultationLeft,
    CreateRoom,
    EndCall,
    LeaveConsultation,
    Outcome,
    ReleaseCaller,
    RescueCaller,
    ReturnCaller,
    RoomClosed,
    WarmTransferPhase,
    WarmTransferResult,
)

from . import timeouts
from .leg_checks import check_legs_after_end, schedule_cleanup_check
from .notice import Notice, supervisor_notice
from .rescue import lose_session, rescue_caller
from .state import (
    CallerPlace,
    Decision,
    EvidenceValue,
    PreparationTask,
    RoomStatus,
    Stage,
    Transfer,
    wire_name,
)
from .step_context import StepContext

NOTED_WAIT_S = 1.0
"""Waits for the provider's rate limit that the evidence names."""
NOT_AWAITED = "may be alone: the reply to the release was not awaited"
"""Evidence about the caller of a transfer that is given up."""


def start_cleanup(
    ctx: StepContext, outcome: Outcome, detail: str, *, await_release: bool = True, **evidence: EvidenceValue
) -> None:
    """Decide on `outcome`, release the caller at once, and end everything else."""
    ctx.decide(outcome, detail, **evidence)
    ctx.stop_waiting_for(*(each for each in ctx.policies if each is not CreateRoom))
    if ctx.state.caller is CallerPlace.SEEN_EARLY:
        ctx.state.caller = CallerPlace.WITH_AI  # the switch was refused: the provider did not move the caller
    notice = supervisor_notice(ctx, outcome)
    ctx.enter_stage(Stage.UNWINDING, timeouts.unwinding_s(ctx.config))
    _release_caller(ctx, awaited=await_release)
    rescue_caller(ctx)
    if notice is not None:
        _leave_after_notice(ctx, notice)
    elif ctx.is_started(PreparationTask.DIAL) and not ctx.state.caller.may_be_in_consultation:
        end_supervisor_leg(ctx)
    if notice is None and ctx.is_started(PreparationTask.JOIN):
        ctx.send(LeaveConsultation)
    finish_if_clean(ctx)


def _leave_after_notice(ctx: StepContext, notice: Notice) -> None:
    """Let the briefing agent speak to the end. The leg counts as one to be ended from now on."""
    ctx.state.supervisor_leg = ctx.state.supervisor_leg.with_end(confirmed=False)
    ctx.state.end_leg_on_leave = True
    ctx.send(
        LeaveConsultation,
        timeout_s=timeouts.notice_s(ctx.config) + timeouts.NOTICE_GRACE_S,
        notice=notice.line,
        finish_s=timeouts.notice_s(ctx.config),
    )


def give_up(ctx: StepContext, why: str) -> None:
    """End a transfer at once that this version cannot continue: the caller first, then leg, agent and room.

    No reply is awaited, so a session that is lost is not noticed, and its caller is not rescued: the evidence
    says so. Clean-up checks repeat what is not confirmed, as after every end.
    """
    decided = ctx.state.decision
    ctx.state.pending, ctx.state.decision = {}, None
    ctx.decide(Outcome.BROKEN, why, **({"decided": decided.outcome.value} if decided else {}))
    ctx.enter_stage(Stage.UNWINDING, None)
    _release_caller(ctx)
    if ctx.state.awaits(ReleaseCaller):
        ctx.add_evidence(caller=NOT_AWAITED)
    if ctx.state.caller.may_be_in_consultation:
        send_return(ctx)
    elif ctx.is_started(PreparationTask.DIAL) and ctx.state.room_id is not None:
        end_supervisor_leg(ctx)
    if ctx.is_started(PreparationTask.JOIN):
        ctx.send(LeaveConsultation)
    if ctx.is_started(PreparationTask.ROOM) and not ctx.state.room.exists:
        ctx.state.room = RoomStatus.CREATE_UNCONFIRMED
    finish_now(ctx)


def _release_caller(ctx: StepContext, *, awaited: bool = True) -> None:
    if not ctx.is_started(PreparationTask.HOLD) or ctx.state.decision is None:
        return
    no_apology = ctx.state.caller is CallerPlace.HUNG_UP or ctx.state.caller_released
    line = None if no_apology else ctx.apology(ctx.state.decision.outcome)
    stay_s = timeouts.MAX_CALLER_SEARCH_S if ctx.state.caller.may_be_in_consultation else 0.0
    ctx.send(ReleaseCaller, awaited=awaited and not no_apology, line=line, stay_s=stay_s)


def end_supervisor_leg(ctx: StepContext, *, awaited: bool = True) -> None:
    """Have the gateway end the supervisor's leg, whether or not it is known to be up."""
    ctx.state.supervisor_leg = ctx.state.supervisor_leg.with_end(confirmed=False)
    ctx.state.end_leg_on_leave = False
    command_id = ctx.send(
        EndCall,
        awaited=awaited,
        attempt=ctx.state.attempt,
        room_id=ctx.state.room_id,
        participant_id=ctx.state.supervisor_participant_id,
        call_id=ctx.state.supervisor_call_id,
    )
    if ctx.state.follows_version_4:
        ctx.state.last_end_call_id = command_id


def send_return(ctx: StepContext, *, awaited: bool = True) -> None:
    """Have the gateway move the caller into the primary room, where the AI is."""
    ctx.send(
        ReturnCaller,
        awaited=awaited,
        room_id=ctx.request.room_id,
        caller_call_id=ctx.state.caller_call_id,
        participant_id=ctx.state.caller_return_id,
        from_room_id=ctx.state.room_id,
    )


def close_room(ctx: StepContext, *, awaited: bool = True) -> bool:
    """Send `CloseRoom` once. Return False if there is no room to close, or if the caller may be in it."""
    room = ctx.state.room
    if not room.exists or room.close_requested or ctx.state.caller.may_be_in_consultation:
        return False
    ctx.state.room = RoomStatus.CLOSING if awaited else RoomStatus.CLOSE_UNCONFIRMED
    ctx.send(
        CloseRoom,
        awaited=awaited,
        room_id=ctx.state.room_id,
        key=ctx.state.id,
        caller_call_id=ctx.state.caller_call_id,
    )
    return True


def finish_if_clean(ctx: StepContext) -> None:
    """Close the room as soon as no reply is outstanding, then finish the transfer."""
    if any(ctx.policies[ctx.command_of(each)].blocks_cleanup for each in ctx.state.pending.values()):
        return
    if ctx.state.stage is Stage.UNWINDING and ctx.state.check_due_at is not None:
        return  # a rescue is requested again then
    if not close_room(ctx):
        finish_now(ctx)


def finish_now(ctx: StepContext) -> None:
    """Finish the transfer; the evidence names the commands whose replies are still outstanding.

    A rescue without a reply may be requested again after the end: the claim prevents a second one.
    """
    if ctx.state.awaits(RescueCaller):
        ctx.state.rescue_requested = False
    if ctx.state.awaits(CreateRoom) and ctx.state.room is RoomStatus.NONE:
        ctx.state.room = RoomStatus.CREATE_UNCONFIRMED
    if ctx.state.awaits(CloseRoom):
        ctx.state.room = ctx.state.room.close_unconfirmed()
    if ctx.state.pending:
        ctx.add_evidence(unconfirmed=", ".join(sorted({each.kind for each in ctx.state.pending.values()})))
    close_room(ctx, awaited=False)
    finish(ctx)
    if has_leftovers(ctx):
        schedule_cleanup_check(ctx)


def finish(ctx: StepContext) -> None:
    """Publish the final phase and the result of the decision."""
    state = ctx.state
    decision = state.decision or Decision(Outcome.BROKEN, "The transfer ended without a decision.")
    outcome = decision.outcome
    heard = state.supervisor_leg.was_heard
    identifiers: dict[str, Any] = {
        "consultation_session_id": state.consultation_session_id,
        "supervisor_participant_id": state.supervisor_participant_id if heard else None,
        "caller_participant_id": state.caller_consult_id if outcome is Outcome.COMPLETE else None,
        "briefing_agent_participant_id": (
            state.agent_participant_id if ctx.is_done(PreparationTask.JOIN) else None
        ),
    }
    if outcome is Outcome.COMPLETE:
        stage, phase = Stage.COMPLETED, WarmTransferPhase.TRANSFER_COMPLETE
        ctx.publish_phase(phase, **identifiers)
    else:
        stage, phase = (
            (Stage.CANCELLED, WarmTransferPhase.TRANSFER_CANCELLED)
            if outcome.cancelled
            else (Stage.FAILED, WarmTransferPhase.TRANSFER_FAILED)
        )
        ctx.publish_phase(phase, reason=outcome.value, detail=decision.detail, **identifiers)
    ctx.enter_stage(stage, None)
    ctx.state.pending, ctx.state.ended_at = {}, ctx.now
    ctx.outbox.append(
        WarmTransferResult(
            success=outcome is Outcome.COMPLETE,
            phase=phase,
            outcome=outcome,
            consultation_room_id=state.room_id,
            supervisor_call_id=state.supervisor_call_id,
            switched_call_id=state.caller_call_id if outcome is Outcome.COMPLETE else None,
            summary=state.summary,
            error=None if outcome is Outcome.COMPLETE else outcome.value,
            detail=decision.detail or None,
            evidence={**decision.evidence, **_waits(state)},
            **identifiers,
        )
    )


def _waits(state: Transfer) -> dict[str, EvidenceValue]:
    """Return how long the transfer waited for the provider's rate limit, if it was a noticeable time."""
    wait_s = state.provider_wait_s
    return {"provider_wait_s": round(wait_s, 1)} if wait_s >= NOTED_WAIT_S else {}


def has_leftovers(ctx: StepContext) -> bool:
    """Return whether a leg or the room may still be up, or the caller in the consultation room."""
    state = ctx.state
    return state.supervisor_leg.may_be_up or state.room.may_be_open or state.caller.may_be_in_consultation


def check_leftovers(ctx: StepContext) -> None:
    """After the end, repeat the commands for what may be up: a late leg, an open room, a stranded caller.

    An outage does not count: if the check is late, the time for checks is extended by the delay.
    """
    due_at, ended_at = ctx.state.check_due_at, ctx.state.ended_at
    if due_at is not None and ended_at is not None and ctx.now > due_at + ctx.config.command_timeout_s:
        ctx.state.ended_at = ended_at + ctx.now - due_at
    if ctx.state.supervisor_leg.may_be_up:
        end_supervisor_leg(ctx, awaited=False)
    if ctx.state.room.may_be_open:
        ctx.state.room = RoomStatus.STILL_OPEN
        close_room(ctx, awaited=False)
    if ctx.state.caller.may_be_in_consultation:
        check_legs_after_end(ctx)
    schedule_cleanup_check(ctx)


# ── replies during clean-up ──────────────────────────────────────────────────────────────────────


def caller_released(ctx: StepContext, event: CallerReleased) -> None:
    ctx.state.caller_released = True
    ctx.stop_waiting_for(ReleaseCaller)
    if event.cause == "session_closed":
        lose_session(ctx)
        rescue_caller(ctx)
    finish_if_clean(ctx)


def call_ended(ctx: StepContext, event: CallEnded) -> None:
    """The leg is down. The reply to an earlier `EndCall` says nothing about a leg that came up later.

    A copy of a reply that comes later says nothing either.
    """
    if ctx.replied_to is None and event.command_id != ctx.state.last_end_call_id:
        return
    ctx.state.last_end_call_id = ""
    ctx.state.supervisor_leg = ctx.state.supervisor_leg.with_end(confirmed=not event.outcome_unknown)
    if ctx.state.stage is Stage.UNWINDING:
        finish_if_clean(ctx)
    else:
        _end_checks_if_clean(ctx)


def consultation_left(ctx: StepContext, event: ConsultationLeft) -> None:
    leave_over(ctx)
    finish_if_clean(ctx)


def leave_over(ctx: StepContext) -> None:
    """The briefing agent has left, or does not answer: end the leg that stayed up for its notice."""
    if ctx.state.end_leg_on_leave:
        end_supervisor_leg(ctx, awaited=not ctx.state.stage.ended)


def room_closed(ctx: StepContext, event: RoomClosed) -> None:
    ctx.state.room = ctx.state.room.close_confirmed()
    if ctx.state.stage is Stage.UNWINDING:
        finish_if_clean(ctx)
    else:
        _end_checks_if_clean(ctx)


def _end_checks_if_clean(ctx: StepContext) -> None:
    """Let no clean-up check be due once nothing may be left. Before version 4 only the leg counted here."""
    if not (has_leftovers(ctx) if ctx.state.follows_version_4 else ctx.state.supervisor_leg.may_be_up):
        ctx.state.check_due_at = None


def cleanup_failed(ctx: StepContext, event: CommandFailed) -> None:
    """A clean-up command failed: the evidence says so, and clean-up goes on."""
    ctx.add_evidence(**{f"{wire_name(ctx.replied_command)}_failed": True})
    finish_if_clean(ctx)


def close_failed(ctx: StepContext, event: CommandFailed) -> None:
    ctx.state.room = ctx.state.room.close_unconfirmed()
    cleanup_failed(ctx, event)


def cleanup_timed_out(ctx: StepContext, command: type[Command]) -> None:
    """A clean-up command got no reply: the evidence says so, and clean-up goes on."""
    ctx.add_evidence(**{f"{wire_name(command)}_unanswered": True})
    finish_if_clean(ctx)


def close_timed_out(ctx: StepContext, command: type[Command]) -> None:
    ctx.state.room = ctx.state.room.close_unconfirmed()
    cleanup_timed_out(ctx, command)


def end_call_timed_out(ctx: StepContext, command: type[Command]) -> None:
    end_supervisor_leg(ctx)
