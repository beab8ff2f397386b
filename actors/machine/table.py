"""The transition table: which event does what in which stage, and where it may lead.

The whole behaviour of a transfer, as data. An event that has no row in a stage has no effect there.
`step()` refuses a handler that leads where its row does not say, and the diagram in the docs is drawn from
these rows.
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
    Fact,
    LegsChecked,
    ParticipantJoined,
    ParticipantLeft,
    RoomClosed,
    RoomCreated,
    SummaryReady,
    SupervisorCallEnded,
    SupervisorDeclined,
    SupervisorDialed,
    SupervisorReady,
    TransferRefused,
    TransferRequested,
    VoicemailDetected,
)

from . import bridging, consulting, mishaps, people, preparing, unwinding
from .state import Stage

Handler = Callable[[Any, Any], None]


class Rule(Struct, frozen=True):
    """`to` lists every stage the handler may lead to, its own included where it may stay."""

    handler: Handler
    to: frozenset[Stage]


NEW, PREPARING, RINGING, BRIEFING = Stage.NEW, Stage.PREPARING, Stage.RINGING, Stage.BRIEFING
SWITCHING, ARRIVING, HANDING_OVER = Stage.SWITCHING, Stage.ARRIVING, Stage.HANDING_OVER
RETURNING, UNWINDING = Stage.RETURNING, Stage.UNWINDING
COMPLETED, CANCELLED, FAILED = Stage.COMPLETED, Stage.CANCELLED, Stage.FAILED

CLEARED = (CANCELLED, FAILED)
"""Where unwinding ends, at once when nothing is outstanding."""
OUT = (UNWINDING, *CLEARED)

TABLE: dict[tuple[Stage, type[Fact]], Rule] = {}


def _on(event: type[Fact], handler: Handler, rows: dict[Stage, tuple[Stage, ...]]) -> None:
    for stage, to in rows.items():
        TABLE[stage, event] = Rule(handler, frozenset(to))


_STAY_OR_OUT: dict[Stage, tuple[Stage, ...]] = {
    stage: (stage, *OUT) for stage in (PREPARING, RINGING, BRIEFING)
}
_OUT: dict[Stage, tuple[Stage, ...]] = dict.fromkeys((PREPARING, RINGING, BRIEFING), OUT)
_BRIDGE: dict[Stage, tuple[Stage, ...]] = {
    SWITCHING: (SWITCHING,),
    ARRIVING: (ARRIVING, RETURNING, *OUT),
    HANDING_OVER: (HANDING_OVER, RETURNING, *OUT),
}

# the beginning
_on(TransferRequested, preparing.requested, {NEW: (PREPARING, FAILED)})
_on(TransferRefused, preparing.refused, {NEW: (FAILED,)})

# preparing, in any order
_on(CallerHeld, preparing.caller_held, {PREPARING: (PREPARING, RINGING)})
_on(CallerCallFound, preparing.caller_call_found, {PREPARING: (PREPARING, RINGING)})
_on(RoomCreated, preparing.room_created, {PREPARING: (PREPARING, RINGING)})
_on(
    SummaryReady,
    preparing.summary_ready,
    {PREPARING: (PREPARING, RINGING), RINGING: (RINGING, BRIEFING)},
)
_on(
    ConsultationJoined,
    preparing.consultation_joined,
    {PREPARING: (PREPARING, RINGING), RINGING: (RINGING, BRIEFING)},
)

# the consultation
_on(SupervisorDialed, consulting.supervisor_dialed, {RINGING: (RINGING, BRIEFING)})
_on(AudioStreamEnabled, consulting.audio_enabled, {RINGING: (RINGING, BRIEFING)})
_on(SupervisorCallEnded, consulting.supervisor_call_ended, {s: _STAY_OR_OUT[s] for s in (RINGING, BRIEFING)})
_on(VoicemailDetected, consulting.voicemail_detected, dict.fromkeys((RINGING, BRIEFING), OUT))
_on(SupervisorReady, consulting.supervisor_ready, {BRIEFING: (SWITCHING,)})
_on(SupervisorDeclined, consulting.supervisor_declined, dict.fromkeys((RINGING, BRIEFING), OUT))
_on(LegsChecked, consulting.legs_checked, _STAY_OR_OUT)

# the bridge
_on(
    CallerSwitched,
    bridging.caller_switched,
    {SWITCHING: (ARRIVING, HANDING_OVER, RETURNING, *OUT)},
)
for _seen in (ParticipantJoined, AudioStreamEnabled):
    _on(
        _seen,
        bridging.seen_in_consultation,
        {SWITCHING: (SWITCHING,), ARRIVING: (ARRIVING, HANDING_OVER)},
    )
_on(LegsChecked, bridging.legs_checked, {ARRIVING: (ARRIVING, HANDING_OVER, RETURNING, *OUT)})
_on(SupervisorCallEnded, bridging.supervisor_call_ended, _BRIDGE)
_on(ConsultationLeft, bridging.consultation_left, {HANDING_OVER: (COMPLETED,)})
_on(CallerReturned, bridging.caller_returned, {RETURNING: OUT})

# people who leave, and people who change their minds
_on(ParticipantLeft, people.left_before_the_bridge, _STAY_OR_OUT)
_on(ParticipantLeft, people.left_during_the_bridge, _BRIDGE)
_on(CallerCallEnded, people.caller_hung_up, _STAY_OR_OUT)
_on(CallerCallEnded, people.caller_hung_up_in_the_bridge, _BRIDGE)
_on(CancelRequested, people.cancelled, _OUT)
_on(CancelRequested, people.cancelled_in_the_bridge, _BRIDGE)
_on(CallerReleased, people.session_released, _OUT)
_on(CallerReleased, people.session_released_in_the_bridge, _BRIDGE)

# clearing away
_on(CallerReleased, unwinding.caller_released, {UNWINDING: OUT})
_on(CallEnded, unwinding.call_ended, {UNWINDING: OUT})
_on(ConsultationLeft, unwinding.consultation_left, {UNWINDING: OUT})
_on(RoomClosed, unwinding.room_closed, {UNWINDING: OUT})
_on(RoomCreated, unwinding.late_room, {UNWINDING: OUT, CANCELLED: (CANCELLED,), FAILED: (FAILED,)})
_on(CallerReturned, unwinding.late_return, {s: (s,) for s in (UNWINDING, CANCELLED, FAILED)})
_on(CallerCallEnded, unwinding.late_hang_up, {s: (s,) for s in (UNWINDING, CANCELLED, FAILED)})

# what turns up when it is over
for _late in (ParticipantJoined, AudioStreamEnabled):
    _on(_late, unwinding.late_leg, {s: (s,) for s in (UNWINDING, CANCELLED, FAILED)})
_on(SupervisorDialed, unwinding.late_dial, {s: (s,) for s in (UNWINDING, CANCELLED, FAILED)})

# what fails, and what takes too long
_on(
    CommandFailed,
    mishaps.command_failed,
    {
        PREPARING: (PREPARING, RINGING, *OUT),
        RINGING: (RINGING, BRIEFING, *OUT),
        BRIEFING: (BRIEFING, *OUT),
        SWITCHING: (SWITCHING, RETURNING, *OUT),
        ARRIVING: (ARRIVING, *OUT),
        HANDING_OVER: (HANDING_OVER, COMPLETED, *OUT),
        RETURNING: (RETURNING, *OUT),
        UNWINDING: OUT,
    },
)
_on(
    DeadlinePassed,
    mishaps.deadline_passed,
    {
        PREPARING: (PREPARING, RINGING, *OUT),
        RINGING: (RINGING, BRIEFING, *OUT),
        BRIEFING: (BRIEFING, SWITCHING, *OUT),
        SWITCHING: (SWITCHING, RETURNING),
        ARRIVING: (ARRIVING, RETURNING, *OUT),
        HANDING_OVER: (HANDING_OVER, COMPLETED),
        RETURNING: (RETURNING, *OUT),
        UNWINDING: OUT,
    },
)

UNASKED: frozenset[type[Fact]] = frozenset({SupervisorDialed, RoomCreated, CallerReturned})
"""Answers that matter even when nobody awaits them any more: something may be up that must come down."""
