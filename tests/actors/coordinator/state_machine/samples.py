"""Sample of every event, expected or not, to apply in any stage."""

from __future__ import annotations

from warmxfer.schemas import (
    AnyEvent,
    AudioStreamEnabled,
    CallCause,
    CallerCallEnded,
    CallerReleased,
    CallerReturned,
    CallLeft,
    CancelRequested,
    CommandFailed,
    CommandReply,
    FailureKind,
    LegReport,
    LegsChecked,
    ParticipantJoined,
    ParticipantLeft,
    SupervisorCallEnded,
    SupervisorDeclined,
    SupervisorReady,
    TransferBroken,
    TransferRefused,
    TransferRequested,
    VoicemailDetected,
)

from .transfer_builder import CALLER, CALLER_CALL, CONSULTATION, PRIMARY, REPLIES, SUPERVISOR_CALL, request

SAMPLES: list[AnyEvent] = [
    TransferRequested(transfer_id="t1", request=request()),
    TransferRefused(transfer_id="t1", detail="room_id is missing; use 1 to 64 of A-Z a-z 0-9 _ -."),
    TransferBroken(transfer_id="t1", kind="event", cause="KeyError at bridge.py:42"),
    TransferBroken(transfer_id="t1", kind="timeout", cause="KeyError at bridge.py:42"),
    CancelRequested(reason="changed my mind"),
    CallerReleased(command_id=None, cause="bus_silent"),
    CallerReleased(command_id=None, cause="session_closed"),
    SupervisorCallEnded(attempt=1, call_id=SUPERVISOR_CALL, cause=CallCause.BUSY, sip_code=486),
    SupervisorCallEnded(attempt=2, call_id="call-other", cause=CallCause.HUNG_UP),
    CallerCallEnded(call_id=CALLER_CALL),
    CallerCallEnded(call_id="call-other"),
    SupervisorReady(),
    SupervisorDeclined(reason="in a meeting"),
    VoicemailDetected(),
    *(
        kind(room_id=room, participant_id=participant)
        for kind in (AudioStreamEnabled, ParticipantJoined, ParticipantLeft)
        for room, participant in (
            (CONSULTATION, "wxs-t1-1"),
            (CONSULTATION, "wxc-t1"),
            (CONSULTATION, "wxa-t1"),
            (PRIMARY, CALLER),
            (PRIMARY, "participant-other"),
        )
    ),
]
"""Every event that replies to no command, except `DeadlinePassed`; `TransferBuilder` makes that one."""

LEGS: list[dict[str, LegReport | None]] = [
    {"caller": LegReport(up=False, status="ended")},
    {"caller": LegReport(up=True, room_id=CONSULTATION)},
    {"supervisor": LegReport(up=False, cause=CallCause.NO_ANSWER, sip_code=480)},
    {"caller": LegReport(up=True, room_id=PRIMARY), "supervisor": LegReport(up=True)},
    {},
]


def replies_to(command_id: str) -> list[AnyEvent]:
    """Return every reply, expected or not, to one command."""
    expected = [event for make in REPLIES.values() if isinstance(event := make(command_id), CommandReply)]
    legs = [LegsChecked(command_id=command_id, **legs) for legs in LEGS]
    failures = [CommandFailed(command_id=command_id, failure=fault) for fault in FailureKind]
    others = [CallerReleased(command_id=command_id), CallLeft(command_id=command_id)]
    return [*expected, *legs, *failures, *others, CallerReturned(command_id=command_id, caller_up=False)]
