"""Which actor may publish which event. Pure.

The broker lets each actor write events on the subject of its own role only (`bus/subject_table.py`). So the
role on the subject is who publishes the event, and an event of another actor's is not accepted.

    why_wrong_role      by the event's type alone: a summarizer has no supervisor who is ready
    why_not_accepted    by the transfer too: who briefs it, which room it is, who was asked to do the command

Invariant: a decision of the supervisor is accepted only from the actor that the transfer was given to brief.
Test: `tests/actors/coordinator/test_event_writers.py`.
"""

from __future__ import annotations

from collections.abc import Mapping

from warmxfer.bus.subject_table import BRIEFING, GATEWAY, PRIMARY, SUMMARIZER
from warmxfer.bus.subjects import WRITERS
from warmxfer.schemas import (
    AudioStreamEnabled,
    BriefSupervisor,
    CallEnded,
    CallerCallEnded,
    CallerCallFound,
    CallerHeld,
    CallerReleased,
    CallerRescued,
    CallerReturned,
    CallerSwitched,
    CallLeft,
    CommandFailed,
    ConsultationJoined,
    ConsultationLeft,
    Event,
    HoldCaller,
    JoinConsultation,
    LeaveCall,
    LeaveConsultation,
    LegsChecked,
    ParticipantJoined,
    ParticipantLeft,
    RecordingStarted,
    ReleaseCaller,
    RoomClosed,
    RoomCreated,
    Summarize,
    SummaryReady,
    SupervisorCallEnded,
    SupervisorDeclined,
    SupervisorDialed,
    SupervisorReady,
    VoicemailDetected,
)

from .state_machine import PendingCommand, Transfer
from .state_machine.state import wire_name

_SESSION = (PRIMARY,)
_GATEWAY = (GATEWAY,)
_CONSULTANTS = (BRIEFING, PRIMARY)
"""A consultation runs in a briefing agent, or in the process of the session."""
_IN_ROOMS = (GATEWAY, BRIEFING, PRIMARY)
"""The gateway has it from a webhook, the others see it in their rooms."""

EVENT_WRITERS: Mapping[type[Event], tuple[str, ...]] = {
    CallerHeld: _SESSION,
    CallerReleased: _SESSION,
    CallLeft: _SESSION,
    SummaryReady: (SUMMARIZER,),
    CallerCallFound: _GATEWAY,
    RoomCreated: _GATEWAY,
    SupervisorDialed: _GATEWAY,
    SupervisorCallEnded: _GATEWAY,
    CallerCallEnded: _GATEWAY,
    CallerSwitched: _GATEWAY,
    CallerReturned: _GATEWAY,
    CallerRescued: _GATEWAY,
    CallEnded: _GATEWAY,
    LegsChecked: _GATEWAY,
    RecordingStarted: _GATEWAY,
    RoomClosed: _GATEWAY,
    ConsultationJoined: _CONSULTANTS,
    SupervisorReady: _CONSULTANTS,
    SupervisorDeclined: _CONSULTANTS,
    VoicemailDetected: _CONSULTANTS,
    ConsultationLeft: _CONSULTANTS,
    AudioStreamEnabled: _IN_ROOMS,
    ParticipantJoined: _IN_ROOMS,
    ParticipantLeft: _IN_ROOMS,
    CommandFailed: WRITERS,
}
"""The roles that may say an event. An event without a row is said by no actor."""
_ROLES = {
    wire_name(command): role
    for role, commands in {
        PRIMARY: (HoldCaller, ReleaseCaller, LeaveCall),
        SUMMARIZER: (Summarize,),
        BRIEFING: (JoinConsultation, BriefSupervisor, LeaveConsultation),
    }.items()
    for command in commands
}
"""The role that replies to a command, by its tag. The gateway replies to all others."""
MAX_SHOWN_CHARS = 40


def why_wrong_role(event: Event, role: str) -> str | None:
    """Return why no `role` may publish such an event, or None."""
    writers = EVENT_WRITERS.get(type(event), ())
    if role in writers:
        return None
    named = " or ".join(writers) or "no actor"
    return f"{type(event).__name__} is accepted from {named}, and not from {role[:MAX_SHOWN_CHARS]!r}"


def why_not_accepted(state: Transfer, event: Event, role: str) -> str | None:
    """Return why this transfer does not accept `event` from `role`, or None.

    `state` may be older than the newest record: it decides only by what does not change.
    """
    if (why := why_wrong_role(event, role)) is not None:
        return why
    if state.request is None:
        return None
    consultant = PRIMARY if state.request.config.brief_by == "session" else BRIEFING
    allowed: tuple[str, ...] = WRITERS
    match event:
        case AudioStreamEnabled() | ParticipantJoined() | ParticipantLeft():
            if event.room_id == state.room_id:
                allowed = (GATEWAY, consultant)
            elif event.room_id == state.request.room_id:
                allowed = (GATEWAY, PRIMARY)
        case CommandFailed():
            asked = state.pending.get(event.command_id)
            if asked is not None:
                allowed = (_replying_role(asked, consultant),)
        case _ if EVENT_WRITERS[type(event)] == _CONSULTANTS:
            allowed = (consultant,)
        case _:
            pass
    if role in allowed:
        return None
    return f"{type(event).__name__} of this transfer is accepted from {' or '.join(allowed)}, not from {role}"


def _replying_role(asked: PendingCommand, consultant: str) -> str:
    role = _ROLES.get(asked.kind, GATEWAY)
    return consultant if role == BRIEFING else role
