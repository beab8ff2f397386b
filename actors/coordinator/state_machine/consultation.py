"""From the first ring to the supervisor's yes or no."""

from __future__ import annotations

from warmxfer.schemas import (
    AudioStreamEnabled,
    CallCause,
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

from . import preparation_plan, timeouts
from .bridge import begin_switch
from .cleanup import start_cleanup
from .state import PreparationTask, Stage
from .step_context import StepContext


def supervisor_dialed(turn: StepContext, event: SupervisorDialed) -> None:
    turn.state.supervisor_call_id = event.call_id
    turn.publish_phase(
        WarmTransferPhase.SUPERVISOR_DIALED,
        supervisor_call_id=event.call_id,
        consultation_room_id=turn.state.room_id,
        response=event.response,
    )
    turn.mark_done(PreparationTask.DIAL)
    _supervisor_may_have_joined(turn)


def audio_enabled(turn: StepContext, event: AudioStreamEnabled) -> None:
    """The supervisor is live; the room may tell so before the dial's own answer does."""
    is_supervisor = event.participant_id == turn.state.supervisor_participant_id
    if is_supervisor and event.room_id == turn.state.room_id and event.kind == "audio":
        turn.state.supervisor_heard = True
        _supervisor_may_have_joined(turn)


def _supervisor_may_have_joined(turn: StepContext) -> None:
    if turn.is_done(PreparationTask.VOICE) or not (
        turn.is_done(PreparationTask.DIAL) and turn.state.supervisor_heard
    ):
        return
    turn.publish_phase(
        WarmTransferPhase.SUPERVISOR_JOINED, supervisor_participant_id=turn.state.supervisor_participant_id
    )
    if turn.config.record:
        # Nobody waits for it: a briefing is not held up by a recording.
        turn.send(
            RecordParticipant,
            awaited=False,
            room_id=turn.state.room_id,
            participant_id=turn.state.supervisor_participant_id,
        )
    turn.state.stage_due_at = turn.now + timeouts.preparing_timeout_s(
        turn.config.command_timeout_s, turn.config.summary_timeout_s
    )
    turn.mark_done(PreparationTask.VOICE)
    preparation_plan.start_ready_tasks(turn)


def supervisor_ready(turn: StepContext, event: SupervisorReady) -> None:
    turn.publish_phase(WarmTransferPhase.BRIEFING_COMPLETE, resolution="ready")
    begin_switch(turn)


def supervisor_declined(turn: StepContext, event: SupervisorDeclined) -> None:
    _briefing_over(turn, Outcome.DECLINED)
    start_cleanup(turn, Outcome.DECLINED, "The supervisor declined.", said=event.reason)


def voicemail_detected(turn: StepContext, event: VoicemailDetected) -> None:
    _briefing_over(turn, Outcome.VOICEMAIL)
    start_cleanup(turn, Outcome.VOICEMAIL, "An answering machine took the call.")


def briefing_timed_out(turn: StepContext) -> None:
    turn.publish_phase(WarmTransferPhase.BRIEFING_COMPLETE, resolution="timeout")
    if turn.config.on_briefing_timeout == "proceed":
        begin_switch(turn)
        return
    start_cleanup(
        turn,
        Outcome.BRIEFING_TIMEOUT,
        f"The supervisor said neither yes nor no within {turn.config.briefing_timeout_s:g} s.",
        timer="briefing_timeout_s",
    )


def ringing_timed_out(turn: StepContext) -> None:
    if turn.is_done(PreparationTask.VOICE):
        start_cleanup(
            turn, Outcome.BRIEFING_FAILED, "The supervisor was there, the briefing could not begin."
        )
        return
    start_cleanup(
        turn,
        Outcome.SUPERVISOR_JOIN_TIMEOUT,
        f"The supervisor was not heard within {turn.config.supervisor_join_timeout_s:g} s.",
        timer="supervisor_join_timeout_s",
    )


def supervisor_call_ended(turn: StepContext, event: SupervisorCallEnded) -> None:
    if event.attempt == turn.state.attempt:
        supervisor_lost(turn, event.cause, event.sip_code, source="webhook")


def supervisor_left(turn: StepContext) -> None:
    """Seen leaving the consultation room."""
    supervisor_lost(turn, CallCause.HUNG_UP, None, source="room")


def legs_checked(turn: StepContext, event: LegsChecked) -> None:
    """What the provider says of both legs, asked for in case a webhook was lost."""
    timeouts.schedule_check(turn)
    if event.caller is not None and not event.caller.up:
        turn.state.caller_gone = True
        start_cleanup(
            turn,
            Outcome.CALLER_LEFT,
            timeouts.CALLER_HUNG_UP,
            source="provider",
            status=event.caller.status,
        )
    elif event.supervisor is not None and not event.supervisor.up:
        supervisor_lost(
            turn, event.supervisor.cause or CallCause.HUNG_UP, event.supervisor.sip_code, source="provider"
        )


def supervisor_lost(turn: StepContext, cause: CallCause, sip_code: int | None, *, source: str) -> None:
    """The supervisor's leg is down before the switch was asked for."""
    heard = turn.state.supervisor_heard
    outcome = Outcome.SUPERVISOR_DISCONNECTED if heard else timeouts.OUTCOME_BY_CALL_CAUSE[cause]
    if turn.state.stage is Stage.BRIEFING:
        _briefing_over(turn, outcome)
    start_cleanup(
        turn,
        outcome,
        "The supervisor hung up." if heard else f"The supervisor could not be reached: {cause.value}.",
        cause=cause.value,
        sip_code=sip_code,
        source=source,
    )


def _briefing_over(turn: StepContext, outcome: Outcome) -> None:
    if turn.state.stage is Stage.BRIEFING:
        turn.publish_phase(WarmTransferPhase.BRIEFING_COMPLETE, resolution=outcome.value)
