"""Consultation: from the first ring to the supervisor's answer."""

from __future__ import annotations

from collections.abc import Mapping

from warmxfer.schemas import (
    AudioStreamEnabled,
    CallCause,
    Command,
    LegsChecked,
    Outcome,
    RecordParticipant,
    SupervisorCallEnded,
    SupervisorDeclined,
    SupervisorDialed,
    SupervisorReady,
    VoicemailDetected,
    WarmTransferPhase,
)

from . import timeouts
from .bridge import CALLER_HUNG_UP, begin_switch
from .cleanup import start_cleanup
from .leg_checks import leg_seen, record_webhooks, schedule_check
from .preparation import start_ready_tasks
from .state import CallerPlace, PreparationTask, Stage
from .step_context import StepContext

OUTCOME_BY_CALL_CAUSE: Mapping[CallCause, Outcome] = {
    CallCause.BUSY: Outcome.SUPERVISOR_BUSY,
    CallCause.NO_ANSWER: Outcome.SUPERVISOR_NO_ANSWER,
    CallCause.REJECTED: Outcome.SUPERVISOR_REJECTED,
    CallCause.ABANDONED: Outcome.SUPERVISOR_UNREACHABLE,
    CallCause.FAILED: Outcome.SUPERVISOR_UNREACHABLE,
    CallCause.HUNG_UP: Outcome.SUPERVISOR_DISCONNECTED,
}
"""The outcome of a supervisor's leg that went down before the supervisor was heard."""


def supervisor_dialed(ctx: StepContext, event: SupervisorDialed) -> None:
    ctx.state.supervisor_call_id = event.call_id
    ctx.publish_phase(
        WarmTransferPhase.SUPERVISOR_DIALED,
        supervisor_call_id=event.call_id,
        consultation_room_id=ctx.state.room_id,
        response=event.response,
    )
    ctx.mark_done(PreparationTask.DIAL)
    _join_when_dialed_and_heard(ctx)


def audio_enabled(ctx: StepContext, event: AudioStreamEnabled) -> None:
    """The supervisor's audio is on. The room may report it before the gateway replies to the dial."""
    is_supervisor = event.participant_id == ctx.state.supervisor_participant_id
    if is_supervisor and event.room_id == ctx.state.room_id and event.kind == "audio":
        leg_seen(ctx)
        ctx.state.supervisor_leg = ctx.state.supervisor_leg.heard()
        _join_when_dialed_and_heard(ctx)


def _join_when_dialed_and_heard(ctx: StepContext) -> None:
    dialed_and_heard = ctx.is_done(PreparationTask.DIAL) and ctx.state.supervisor_leg.was_heard
    if ctx.is_done(PreparationTask.VOICE) or not dialed_and_heard:
        return
    ctx.publish_phase(
        WarmTransferPhase.SUPERVISOR_JOINED, supervisor_participant_id=ctx.state.supervisor_participant_id
    )
    if ctx.config.record:
        # Not awaited: a recording does not delay a briefing.
        ctx.send(
            RecordParticipant,
            awaited=False,
            room_id=ctx.state.room_id,
            participant_id=ctx.state.supervisor_participant_id,
        )
    ctx.state.stage_due_at = ctx.now + timeouts.preparation_s(ctx.config)
    ctx.mark_done(PreparationTask.VOICE)
    start_ready_tasks(ctx)


def supervisor_ready(ctx: StepContext, event: SupervisorReady) -> None:
    ctx.state.accepted_by, ctx.state.accepted_words = event.by or "", event.words
    ctx.publish_phase(WarmTransferPhase.BRIEFING_COMPLETE, resolution="ready")
    begin_switch(ctx)


def supervisor_declined(ctx: StepContext, event: SupervisorDeclined) -> None:
    _publish_briefing_complete(ctx, Outcome.DECLINED)
    start_cleanup(ctx, Outcome.DECLINED, "The supervisor declined.", said=event.reason)


def voicemail_detected(ctx: StepContext, event: VoicemailDetected) -> None:
    _publish_briefing_complete(ctx, Outcome.VOICEMAIL)
    start_cleanup(ctx, Outcome.VOICEMAIL, "An answering machine took the call.")


def briefing_timed_out(ctx: StepContext) -> None:
    ctx.publish_phase(WarmTransferPhase.BRIEFING_COMPLETE, resolution="timeout")
    if ctx.config.on_briefing_timeout == "proceed":
        begin_switch(ctx)
        return
    start_cleanup(
        ctx,
        Outcome.BRIEFING_TIMEOUT,
        f"The supervisor said neither yes nor no within {ctx.config.briefing_timeout_s:g} s.",
        timer="briefing_timeout_s",
    )


def brief_command_timed_out(ctx: StepContext, command: type[Command]) -> None:
    briefing_timed_out(ctx)


def ringing_timed_out(ctx: StepContext) -> None:
    if ctx.is_done(PreparationTask.VOICE):
        start_cleanup(ctx, Outcome.BRIEFING_FAILED, "The supervisor was there, the briefing could not begin.")
        return
    start_cleanup(
        ctx,
        Outcome.SUPERVISOR_JOIN_TIMEOUT,
        f"The supervisor was not heard within {ctx.config.supervisor_join_timeout_s:g} s.",
        timer="supervisor_join_timeout_s",
    )


def supervisor_call_ended(ctx: StepContext, event: SupervisorCallEnded) -> None:
    if ctx.state.is_supervisors_leg(event):
        _supervisor_lost(ctx, event.cause, event.sip_code, source="webhook")


def supervisor_left(ctx: StepContext) -> None:
    """The room reports that the supervisor left it."""
    _supervisor_lost(ctx, CallCause.HUNG_UP, None, source="room")


def legs_checked(ctx: StepContext, event: LegsChecked) -> None:
    """The provider's call records say whether both legs are up. They replace a webhook that was lost."""
    record_webhooks(ctx, event)
    schedule_check(ctx)
    if event.caller is not None and not event.caller.up:
        ctx.state.caller = CallerPlace.HUNG_UP
        start_cleanup(
            ctx,
            Outcome.CALLER_LEFT,
            CALLER_HUNG_UP,
            source="provider",
            status=event.caller.status,
        )
    elif event.supervisor is not None and not event.supervisor.up:
        cause = event.supervisor.cause or CallCause.HUNG_UP
        _supervisor_lost(ctx, cause, event.supervisor.sip_code, source="provider")


def _supervisor_lost(ctx: StepContext, cause: CallCause, sip_code: int | None, *, source: str) -> None:
    """The supervisor's leg is down before the switch was requested."""
    heard = ctx.state.supervisor_leg.was_heard
    unheard = OUTCOME_BY_CALL_CAUSE.get(cause, Outcome.SUPERVISOR_UNREACHABLE)
    outcome = Outcome.SUPERVISOR_DISCONNECTED if heard else unheard
    if ctx.state.stage is Stage.BRIEFING:
        _publish_briefing_complete(ctx, outcome)
    start_cleanup(
        ctx,
        outcome,
        "The supervisor hung up." if heard else f"The supervisor could not be reached: {cause.value}.",
        cause=cause.value,
        sip_code=sip_code,
        source=source,
    )


def _publish_briefing_complete(ctx: StepContext, outcome: Outcome) -> None:
    if ctx.state.stage is Stage.BRIEFING:
        ctx.publish_phase(WarmTransferPhase.BRIEFING_COMPLETE, resolution=outcome.value)
