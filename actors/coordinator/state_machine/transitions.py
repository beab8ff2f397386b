"""The transition table: which event does what in which stage, and where it may lead.

The whole behaviour of a transfer, as data. An event that has no row in a stage has no effect there.
`step()` refuses a handler that leads where its row does not say, the diagram in the docs is drawn from
these rows, and the exhaustive check finds each of their ways to be taken.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from warmxfer.schemas import (
    AudioStreamEnabled,
    CallEnded,
    CallerCallEnded,
    CallerCallFound,
    CallerHeld,
    CallerReleased,
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

from . import bridge, cleanup, consultation, failures, participant_events, preparation
from .state import Stage

Handler = Callable[[Any, Any], None]


class Transition(Struct, frozen=True):
    """`to` lists every stage the handler may lead to, its own included where it may stay."""

    handler: Handler
    to: frozenset[Stage]


NEW, PREPARING, RINGING, BRIEFING = Stage.NEW, Stage.PREPARING, Stage.RINGING, Stage.BRIEFING
SWITCHING, ARRIVING, HANDING_OVER = Stage.SWITCHING, Stage.ARRIVING, Stage.HANDING_OVER
RETURNING, UNWINDING = Stage.RETURNING, Stage.UNWINDING
COMPLETED, CANCELLED, FAILED = Stage.COMPLETED, Stage.CANCELLED, Stage.FAILED

Rows = dict[Stage, tuple[Stage, ...]]

CONSULTING = (RINGING, BRIEFING)
OVER = (UNWINDING, CANCELLED, FAILED)
"""Decided against; the last two are final."""

TRANSITIONS: dict[tuple[Stage, type[Event]], Transition] = {}


def _on(event: type[Event], handler: Handler, rows: Rows) -> None:
    for stage, to in rows.items():
        TRANSITIONS[stage, event] = Transition(handler, frozenset(to))


def _stay_or(leave: Stage, *stages: Stage) -> Rows:
    return {stage: (stage, leave) for stage in stages}


def _stay(*stages: Stage) -> Rows:
    return {stage: (stage,) for stage in stages}


def _all_to(target: Stage, *stages: Stage) -> Rows:
    return dict.fromkeys(stages, (target,))


# the beginning
_on(TransferRequested, preparation.requested, {NEW: (PREPARING, FAILED)})
_on(TransferRefused, preparation.refused, {NEW: (FAILED,)})

# preparing, in any order
_on(CallerHeld, preparation.caller_held, {PREPARING: (PREPARING, RINGING)})
_on(CallerCallFound, preparation.caller_call_found, {PREPARING: (PREPARING, RINGING)})
_on(RoomCreated, preparation.room_created, {PREPARING: (PREPARING, RINGING)})
_on(SummaryReady, preparation.summary_ready, {PREPARING: (PREPARING,), RINGING: (RINGING, BRIEFING)})
_on(
    ConsultationJoined,
    preparation.consultation_joined,
    {PREPARING: (PREPARING, RINGING), RINGING: (RINGING, BRIEFING)},
)

# the consultation
_on(SupervisorDialed, consultation.supervisor_dialed, {RINGING: (RINGING, BRIEFING)})
_on(AudioStreamEnabled, consultation.audio_enabled, {RINGING: (RINGING, BRIEFING)})
_on(SupervisorCallEnded, consultation.supervisor_call_ended, _stay_or(UNWINDING, *CONSULTING))
_on(VoicemailDetected, consultation.voicemail_detected, _all_to(UNWINDING, *CONSULTING))
_on(SupervisorReady, consultation.supervisor_ready, {BRIEFING: (SWITCHING,)})
_on(SupervisorDeclined, consultation.supervisor_declined, _all_to(UNWINDING, *CONSULTING))
_on(
    LegsChecked,
    consultation.legs_checked,
    {PREPARING: (PREPARING, UNWINDING, CANCELLED), **_stay_or(UNWINDING, *CONSULTING)},
)

# the bridge
_on(
    CallerSwitched,
    bridge.caller_switched,
    {SWITCHING: (ARRIVING, HANDING_OVER, RETURNING, UNWINDING)},
)
for _seen in (ParticipantJoined, AudioStreamEnabled):
    _on(
        _seen,
        bridge.seen_in_consultation,
        {SWITCHING: (SWITCHING,), ARRIVING: (ARRIVING, HANDING_OVER)},
    )
_on(LegsChecked, bridge.legs_checked, {ARRIVING: (ARRIVING, HANDING_OVER, RETURNING, UNWINDING)})
_on(
    SupervisorCallEnded,
    bridge.supervisor_call_ended,
    {SWITCHING: (SWITCHING,), **_stay_or(RETURNING, ARRIVING, HANDING_OVER)},
)
_on(ConsultationLeft, bridge.consultation_left, _stay_or(COMPLETED, HANDING_OVER))
_on(RecordingStarted, bridge.recording_started, _stay_or(COMPLETED, HANDING_OVER))
_on(CallerReturned, bridge.caller_returned, {RETURNING: (UNWINDING,)})

# people who leave, and people who change their minds
_on(
    ParticipantLeft,
    participant_events.left_before_the_bridge,
    {PREPARING: (PREPARING, UNWINDING, CANCELLED), **_stay_or(UNWINDING, *CONSULTING)},
)
_on(
    ParticipantLeft,
    participant_events.left_during_the_bridge,
    {
        SWITCHING: (SWITCHING,),
        ARRIVING: (ARRIVING, RETURNING, UNWINDING),
        HANDING_OVER: (HANDING_OVER, RETURNING, UNWINDING),
    },
)
_on(ParticipantLeft, participant_events.left_before_they_were_found, _stay(UNWINDING))
_on(
    CallerCallEnded,
    participant_events.caller_hung_up,
    {PREPARING: (PREPARING, UNWINDING, CANCELLED), **_stay_or(UNWINDING, *CONSULTING)},
)
_on(
    CallerCallEnded,
    participant_events.caller_hung_up_in_the_bridge,
    {SWITCHING: (SWITCHING,), **_stay_or(UNWINDING, ARRIVING, HANDING_OVER, RETURNING)},
)
_on(
    CancelRequested,
    participant_events.cancelled,
    {PREPARING: (UNWINDING, CANCELLED), **_all_to(UNWINDING, *CONSULTING)},
)
_on(
    CancelRequested,
    participant_events.cancelled_in_the_bridge,
    {SWITCHING: (SWITCHING,), **_all_to(RETURNING, ARRIVING, HANDING_OVER)},
)
_on(
    CallerReleased,
    participant_events.session_released,
    {PREPARING: (UNWINDING, FAILED), **_all_to(UNWINDING, *CONSULTING)},
)
_on(
    CallerReleased,
    participant_events.session_released_in_the_bridge,
    _stay(SWITCHING, ARRIVING, HANDING_OVER),
)

# clearing away
_on(CallerReleased, cleanup.caller_released, {UNWINDING: OVER})
_on(CallEnded, cleanup.call_ended, {UNWINDING: OVER})
_on(ConsultationLeft, cleanup.consultation_left, {UNWINDING: OVER})
_on(RoomClosed, cleanup.room_closed, {UNWINDING: OVER, **_stay(CANCELLED, FAILED)})

# what turns up when it is over
_on(RoomCreated, cleanup.late_room, _stay(*OVER))
_on(SupervisorDialed, cleanup.late_dial, _stay(*OVER))
_on(ParticipantJoined, cleanup.late_leg, _stay(*OVER))
_on(AudioStreamEnabled, cleanup.late_leg, _stay(*OVER))
_on(CallerReturned, cleanup.late_return, _stay(*OVER))
_on(CallerCallEnded, cleanup.late_hang_up, _stay(*OVER))
_on(SupervisorCallEnded, cleanup.supervisor_left_caller_behind, _stay(*OVER))
_on(LegsChecked, cleanup.late_look, _stay(CANCELLED, FAILED))

# what fails, and what takes too long
_on(
    CommandFailed,
    failures.command_failed,
    {
        PREPARING: (PREPARING, UNWINDING, FAILED),
        RINGING: (RINGING, BRIEFING, UNWINDING),
        BRIEFING: (BRIEFING, UNWINDING),
        SWITCHING: (RETURNING, UNWINDING),
        ARRIVING: (ARRIVING,),
        HANDING_OVER: (HANDING_OVER, COMPLETED),
        RETURNING: (RETURNING, UNWINDING),
        UNWINDING: OVER,
    },
)
_on(
    DeadlinePassed,
    failures.deadline_passed,
    {
        PREPARING: (PREPARING, UNWINDING, FAILED),
        RINGING: (RINGING, BRIEFING, UNWINDING),
        BRIEFING: (BRIEFING, SWITCHING, UNWINDING),
        SWITCHING: (SWITCHING, RETURNING),
        ARRIVING: (ARRIVING, RETURNING),
        HANDING_OVER: (HANDING_OVER, COMPLETED),
        RETURNING: (RETURNING, UNWINDING),
        UNWINDING: OVER,
        **_stay(CANCELLED, FAILED),
    },
)
_on(
    TransferBroken,
    failures.transfer_broken,
    {
        NEW: (FAILED,),
        PREPARING: (UNWINDING, FAILED),
        **_all_to(UNWINDING, *CONSULTING),
        **_all_to(RETURNING, SWITCHING, ARRIVING),
        HANDING_OVER: (HANDING_OVER, COMPLETED),
        **_stay_or(UNWINDING, RETURNING),
        UNWINDING: OVER,
    },
)

ACCEPTED_WHEN_LATE: frozenset[type[Event]] = frozenset(
    {SupervisorDialed, RoomCreated, CallerReturned, RoomClosed, LegsChecked}
)
"""Answers that matter even when nobody awaits them any more: something may be up that must come down, nobody
has to look for it any longer, or it was asked for after the end."""
