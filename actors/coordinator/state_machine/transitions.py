"""Transition table: the handler of each event in each stage, and the stages it may lead to.

The diagram in docs/architecture.md is generated from the table.

Invariants:

- An event without a row in a stage has no effect there.
- A handler leads only to the stages of its row; `step()` raises `InternalError` otherwise.
- Some sequence of events takes each row to each of its stages (tests/model_check/test_model.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from warmxfer.schemas import (
    AudioStreamEnabled,
    CallEnded,
    CallerCallEnded,
    CallerCallFound,
    CallerHeld,
    CallerReleased,
    CallerRescued,
    CallerReturned,
    CallerSwitched,
    CancelRequested,
    CommandFailed,
    ConsultationJoined,
    ConsultationLeft,
    DeadlinePassed,
    Event,
    LegsChecked,
    ParticipantJoined,
    ParticipantLeft,
    RecordingStarted,
    RoomClosed,
    RoomCreated,
    SummaryReady,
    SupervisorCallEnded,
    SupervisorDeclined,
    SupervisorDialed,
    SupervisorReady,
    TransferBroken,
    TransferRefused,
    TransferRequested,
    VoicemailDetected,
)

from . import (
    bridge,
    cleanup,
    consultation,
    failures,
    guard,
    late_events,
    participant_events,
    preparation,
    rescue_replies,
)
from .state import ENDED, Stage
from .step_context import StepContext

Handler = Callable[[StepContext, Any], None]


class Transition(Struct, frozen=True):
    """Row of the table.

    `to` has every stage the handler may lead to, and the row's own stage if the transfer may stay there.
    """

    handler: Handler
    to: frozenset[Stage]


def to(handler: Handler, *stages: Stage) -> Transition:
    """Return the row of `handler`, which may lead to `stages`."""
    return Transition(handler, frozenset(stages))


NEW, PREPARING, RINGING, BRIEFING = Stage.NEW, Stage.PREPARING, Stage.RINGING, Stage.BRIEFING
SWITCHING, ARRIVING, HANDING_OVER = Stage.SWITCHING, Stage.ARRIVING, Stage.HANDING_OVER
RETURNING, UNWINDING = Stage.RETURNING, Stage.UNWINDING
GUARDING, COMPLETED, CANCELLED, FAILED = Stage.GUARDING, Stage.COMPLETED, Stage.CANCELLED, Stage.FAILED

TRANSITIONS: Mapping[Stage, Mapping[type[Event], Transition]] = {
    NEW: {
        TransferRequested: to(preparation.requested, PREPARING, FAILED),
        TransferRefused: to(preparation.refused, FAILED),
        TransferBroken: to(failures.transfer_broken, FAILED),
    },
    PREPARING: {
        CancelRequested: to(participant_events.cancelled, UNWINDING, CANCELLED),
        TransferBroken: to(failures.transfer_broken, UNWINDING, FAILED),
        CallerHeld: to(preparation.caller_held, PREPARING, RINGING),
        CallerReleased: to(participant_events.session_released, UNWINDING, FAILED),
        SummaryReady: to(preparation.summary_ready, PREPARING),
        CallerCallFound: to(preparation.caller_call_found, PREPARING, RINGING),
        RoomCreated: to(preparation.room_created, PREPARING, RINGING),
        CallerCallEnded: to(participant_events.caller_hung_up, PREPARING, UNWINDING, CANCELLED),
        LegsChecked: to(consultation.legs_checked, PREPARING, UNWINDING, CANCELLED),
        ConsultationJoined: to(preparation.consultation_joined, PREPARING, RINGING),
        ParticipantLeft: to(participant_events.left_before_bridge, PREPARING, UNWINDING, CANCELLED),
        DeadlinePassed: to(failures.deadline_passed, PREPARING, UNWINDING, FAILED),
        CommandFailed: to(failures.command_failed, PREPARING, UNWINDING, FAILED),
    },
    RINGING: {
        CancelRequested: to(participant_events.cancelled, UNWINDING),
        TransferBroken: to(failures.transfer_broken, UNWINDING),
        CallerReleased: to(participant_events.session_released, UNWINDING),
        SummaryReady: to(preparation.summary_ready, RINGING, BRIEFING),
        SupervisorDialed: to(consultation.supervisor_dialed, RINGING, BRIEFING),
        SupervisorCallEnded: to(consultation.supervisor_call_ended, RINGING, UNWINDING),
        CallerCallEnded: to(participant_events.caller_hung_up, RINGING, UNWINDING),
        LegsChecked: to(consultation.legs_checked, RINGING, UNWINDING),
        ConsultationJoined: to(preparation.consultation_joined, RINGING, BRIEFING),
        SupervisorDeclined: to(consultation.supervisor_declined, UNWINDING),
        VoicemailDetected: to(consultation.voicemail_detected, UNWINDING),
        AudioStreamEnabled: to(consultation.audio_enabled, RINGING, BRIEFING),
        ParticipantJoined: to(participant_events.seen, RINGING),
        ParticipantLeft: to(participant_events.left_before_bridge, RINGING, UNWINDING),
        DeadlinePassed: to(failures.deadline_passed, RINGING, BRIEFING, UNWINDING),
        CommandFailed: to(failures.command_failed, RINGING, BRIEFING, UNWINDING),
    },
    BRIEFING: {
        CancelRequested: to(participant_events.cancelled, UNWINDING),
        TransferBroken: to(failures.transfer_broken, UNWINDING),
        CallerReleased: to(participant_events.session_released, UNWINDING),
        SupervisorCallEnded: to(consultation.supervisor_call_ended, BRIEFING, UNWINDING),
        CallerCallEnded: to(participant_events.caller_hung_up, BRIEFING, UNWINDING),
        LegsChecked: to(consultation.legs_checked, BRIEFING, UNWINDING),
        SupervisorReady: to(consultation.supervisor_ready, SWITCHING),
        SupervisorDeclined: to(consultation.supervisor_declined, UNWINDING),
        VoicemailDetected: to(consultation.voicemail_detected, UNWINDING),
        AudioStreamEnabled: to(participant_events.seen, BRIEFING),
        ParticipantJoined: to(participant_events.seen, BRIEFING),
        ParticipantLeft: to(participant_events.left_before_bridge, BRIEFING, UNWINDING),
        DeadlinePassed: to(failures.deadline_passed, BRIEFING, SWITCHING, UNWINDING),
        CommandFailed: to(failures.command_failed, BRIEFING, UNWINDING),
    },
    SWITCHING: {
        CancelRequested: to(participant_events.cancelled_during_bridge, SWITCHING),
        TransferBroken: to(failures.transfer_broken, RETURNING),
        CallerReleased: to(participant_events.session_released_during_bridge, SWITCHING),
        SupervisorCallEnded: to(bridge.supervisor_call_ended, SWITCHING),
        CallerCallEnded: to(participant_events.caller_hung_up_during_bridge, SWITCHING),
        CallerSwitched: to(bridge.caller_switched, ARRIVING, HANDING_OVER, RETURNING, UNWINDING),
        AudioStreamEnabled: to(bridge.seen_in_consultation, SWITCHING),
        ParticipantJoined: to(bridge.seen_in_consultation, SWITCHING),
        ParticipantLeft: to(participant_events.left_during_bridge, SWITCHING),
        DeadlinePassed: to(failures.deadline_passed, SWITCHING, RETURNING),
        CommandFailed: to(failures.command_failed, RETURNING, UNWINDING),
    },
    ARRIVING: {
        CancelRequested: to(participant_events.cancelled_during_bridge, RETURNING),
        TransferBroken: to(failures.transfer_broken, RETURNING),
        CallerReleased: to(participant_events.session_released_during_bridge, ARRIVING),
        SupervisorCallEnded: to(bridge.supervisor_call_ended, ARRIVING, RETURNING),
        CallerCallEnded: to(participant_events.caller_hung_up_during_bridge, ARRIVING, UNWINDING),
        LegsChecked: to(bridge.legs_checked, ARRIVING, HANDING_OVER, RETURNING, UNWINDING),
        AudioStreamEnabled: to(bridge.seen_in_consultation, ARRIVING, HANDING_OVER),
        ParticipantJoined: to(bridge.seen_in_consultation, ARRIVING, HANDING_OVER),
        ParticipantLeft: to(participant_events.left_during_bridge, ARRIVING, RETURNING, UNWINDING),
        DeadlinePassed: to(failures.deadline_passed, ARRIVING, RETURNING),
        CommandFailed: to(failures.command_failed, ARRIVING),
    },
    HANDING_OVER: {
        CancelRequested: to(participant_events.cancelled_during_bridge, RETURNING),
        TransferBroken: to(failures.transfer_broken, HANDING_OVER, GUARDING, COMPLETED),
        CallerReleased: to(participant_events.session_released_during_bridge, HANDING_OVER),
        SupervisorCallEnded: to(bridge.supervisor_call_ended, HANDING_OVER, RETURNING),
        CallerCallEnded: to(participant_events.caller_hung_up_during_bridge, HANDING_OVER, UNWINDING),
        LegsChecked: to(bridge.handover_checked, HANDING_OVER, RETURNING, UNWINDING, GUARDING, COMPLETED),
        RecordingStarted: to(bridge.recording_started, HANDING_OVER, COMPLETED),
        ConsultationLeft: to(bridge.consultation_left, HANDING_OVER, COMPLETED),
        AudioStreamEnabled: to(participant_events.seen, HANDING_OVER),
        ParticipantJoined: to(participant_events.seen, HANDING_OVER),
        ParticipantLeft: to(participant_events.left_during_bridge, HANDING_OVER, RETURNING, UNWINDING),
        DeadlinePassed: to(failures.deadline_passed, HANDING_OVER, GUARDING, COMPLETED),
        CommandFailed: to(failures.command_failed, HANDING_OVER, COMPLETED),
    },
    RETURNING: {
        TransferBroken: to(failures.transfer_broken, RETURNING, UNWINDING),
        CallerCallEnded: to(participant_events.caller_hung_up_during_bridge, RETURNING, UNWINDING),
        CallerReturned: to(bridge.caller_returned, UNWINDING),
        DeadlinePassed: to(failures.deadline_passed, RETURNING, UNWINDING),
        CommandFailed: to(failures.command_failed, RETURNING, UNWINDING),
    },
    UNWINDING: {
        TransferBroken: to(failures.transfer_broken, UNWINDING, CANCELLED, FAILED),
        CallerReleased: to(cleanup.caller_released, UNWINDING, CANCELLED, FAILED),
        CallerRescued: to(rescue_replies.caller_rescued, UNWINDING, CANCELLED, FAILED),
        RoomCreated: to(late_events.late_room, UNWINDING),
        SupervisorDialed: to(late_events.late_dial, UNWINDING),
        SupervisorCallEnded: to(late_events.supervisor_left_caller_behind, UNWINDING),
        CallerCallEnded: to(late_events.late_hang_up, UNWINDING),
        CallerReturned: to(late_events.late_return, UNWINDING),
        CallEnded: to(cleanup.call_ended, UNWINDING, CANCELLED, FAILED),
        RoomClosed: to(cleanup.room_closed, UNWINDING, CANCELLED, FAILED),
        ConsultationLeft: to(cleanup.consultation_left, UNWINDING, CANCELLED, FAILED),
        AudioStreamEnabled: to(late_events.late_leg, UNWINDING),
        ParticipantJoined: to(late_events.late_leg, UNWINDING),
        ParticipantLeft: to(participant_events.left_after_caller_not_found, UNWINDING),
        DeadlinePassed: to(failures.deadline_passed, UNWINDING, CANCELLED, FAILED),
        CommandFailed: to(failures.command_failed, UNWINDING, CANCELLED, FAILED),
    },
    CANCELLED: {
        RoomCreated: to(late_events.late_room, CANCELLED),
        SupervisorDialed: to(late_events.late_dial, CANCELLED),
        SupervisorCallEnded: to(late_events.supervisor_left_caller_behind, CANCELLED),
        CallerCallEnded: to(late_events.late_hang_up, CANCELLED),
        CallerReturned: to(late_events.late_return, CANCELLED),
        LegsChecked: to(late_events.legs_checked_after_end, CANCELLED),
        CallEnded: to(cleanup.call_ended, CANCELLED),
        RoomClosed: to(cleanup.room_closed, CANCELLED),
        AudioStreamEnabled: to(late_events.late_leg, CANCELLED),
        ParticipantJoined: to(late_events.late_leg, CANCELLED),
        DeadlinePassed: to(failures.deadline_passed, CANCELLED),
    },
    FAILED: {
        RoomCreated: to(late_events.late_room, FAILED),
        SupervisorDialed: to(late_events.late_dial, FAILED),
        SupervisorCallEnded: to(late_events.supervisor_left_caller_behind, FAILED),
        CallerCallEnded: to(late_events.late_hang_up, FAILED),
        CallerReturned: to(late_events.late_return, FAILED),
        LegsChecked: to(late_events.legs_checked_after_end, FAILED),
        CallEnded: to(cleanup.call_ended, FAILED),
        RoomClosed: to(cleanup.room_closed, FAILED),
        AudioStreamEnabled: to(late_events.late_leg, FAILED),
        ParticipantJoined: to(late_events.late_leg, FAILED),
        DeadlinePassed: to(failures.deadline_passed, FAILED),
    },
    GUARDING: {
        TransferBroken: to(failures.transfer_broken, GUARDING, COMPLETED),
        CallerReleased: to(guard.session_released, GUARDING, COMPLETED),
        SupervisorCallEnded: to(guard.supervisor_call_ended, GUARDING),
        CallerCallEnded: to(participant_events.caller_hung_up_in_guard, GUARDING, COMPLETED),
        CallerReturned: to(guard.caller_returned, GUARDING, COMPLETED),
        CallerRescued: to(rescue_replies.caller_rescued, GUARDING, COMPLETED),
        LegsChecked: to(guard.legs_checked, GUARDING, COMPLETED),
        AudioStreamEnabled: to(participant_events.seen, GUARDING),
        ParticipantJoined: to(participant_events.seen, GUARDING),
        ParticipantLeft: to(participant_events.left_in_guard, GUARDING, COMPLETED),
        DeadlinePassed: to(failures.deadline_passed, GUARDING, COMPLETED),
        CommandFailed: to(failures.command_failed, GUARDING, COMPLETED),
    },
    COMPLETED: {
        DeadlinePassed: to(failures.deadline_passed, COMPLETED),
    },
}

ACCEPTED_WHEN_LATE: frozenset[type[Event]] = frozenset(
    {SupervisorDialed, RoomCreated, CallerReturned, CallerRescued, CallEnded, RoomClosed, LegsChecked}
)
"""Replies accepted although no wait for them is left.

They may reveal a leg or a room to clean up, end a clean-up check, answer a command sent after the end, or
show that a leg is down.
"""

TAKES_LATE_REPLIES: frozenset[Stage] = frozenset({HANDING_OVER, UNWINDING, *ENDED})
"""Stages in which such a reply is handled. In an earlier stage it repeats an earlier reply."""
