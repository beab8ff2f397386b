"""Every event that the state machine can receive, as an abstract event: without ids and times."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from warmxfer.actors.coordinator.state_machine import Stage, Transfer
from warmxfer.actors.coordinator.state_machine.state import PendingCommand
from warmxfer.schemas import (
    AnyEvent,
    AudioStreamEnabled,
    CallCause,
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
    FailureKind,
    LegReport,
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
    VoicemailDetected,
)

START, NOW, FAR = 0.0, 1_000.0, 1_000_000.0
CALLER, CALLER_CALL, SUPERVISOR_CALL = "caller", "call-caller", "call-supervisor"
PRIMARY, CONSULTATION = "primary", "consultation"
SUPERVISOR_ID, CALLER_ID = "wxs-t-1", "wxc-t"
NOT_AWAITED = "late"
"""A command id whose reply is not awaited."""

CHECKED = frozenset({Stage.HANDING_OVER, Stage.GUARDING})
"""Stages in which a leg check decides: it completes the transfer, or ends its guard."""

StepArguments = tuple[Transfer, AnyEvent, float]


class AbstractEvent(NamedTuple):
    """An event without ids and times."""

    name: str
    concrete: Callable[[Transfer], StepArguments | None]
    """Returns the arguments for `step()`, or None if the event cannot occur in this state."""
    is_deadline: bool = False

    def __hash__(self) -> int:
        return hash(self.name)


def plain_event(name: str, event: AnyEvent) -> AbstractEvent:
    """Return an event that replies to no command."""
    return AbstractEvent(name, lambda transfer: (transfer, event, NOW))


def reply(
    kind: str, name: str, make: Callable[[str], AnyEvent], *, accepted_late: bool = False
) -> AbstractEvent:
    """Return a reply to the command of this kind; with `accepted_late` also when none is awaited."""

    def concrete(transfer: Transfer) -> StepArguments | None:
        awaited = [each for each, pending in transfer.pending.items() if pending.kind == kind]
        if not awaited and not accepted_late:
            return None
        return transfer, make(awaited[0] if awaited else NOT_AWAITED), NOW

    return AbstractEvent(name, concrete)


def end_reply(name: str, **fields: bool) -> AbstractEvent:
    """Return the reply to the `EndCall` that is awaited, or else to the newest one."""

    def concrete(transfer: Transfer) -> StepArguments | None:
        awaited = [each for each, pending in transfer.pending.items() if pending.kind == "end_call"]
        command_id = awaited[0] if awaited else transfer.last_end_call_id
        if not command_id:
            return None
        return transfer, CallEnded(command_id=command_id, attempt=1, **fields), NOW

    return AbstractEvent(name, concrete)


def failures(kind: str, *faults: FailureKind) -> list[AbstractEvent]:
    """Return `CommandFailed` for each fault that makes a difference."""
    return [
        reply(kind, f"{kind} failed: {fault.value}", _failed(fault))
        for fault in faults or (FailureKind.BROKEN,)
    ]


def _failed(fault: FailureKind) -> Callable[[str], AnyEvent]:
    return lambda command_id: CommandFailed(command_id=command_id, failure=fault)


def leg_check(
    name: str, caller: LegReport | None = None, supervisor: LegReport | None = None
) -> AbstractEvent:
    """Return the reply to the leg check that is awaited, or else to the newest one that may decide late."""

    def concrete(transfer: Transfer) -> StepArguments | None:
        awaited = [each for each, pending in transfer.pending.items() if pending.kind == "check_legs"]
        command_id = awaited[0] if awaited else transfer.last_leg_check_id
        if not command_id:
            return None
        return transfer, LegsChecked(command_id=command_id, caller=caller, supervisor=supervisor), NOW

    return AbstractEvent(f"legs checked: {name}", concrete)


def old_leg_check(
    name: str, caller: LegReport | None = None, supervisor: LegReport | None = None
) -> AbstractEvent:
    """Return the reply to a leg check that was asked before the legs were seen: the provider missed one."""
    event = LegsChecked(command_id=NOT_AWAITED, caller=caller, supervisor=supervisor)
    return plain_event(f"legs checked before they were seen: {name}", event)


def room_event(
    kind: type[AudioStreamEnabled | ParticipantJoined | ParticipantLeft], name: str, participant_id: str
) -> AbstractEvent:
    room = PRIMARY if participant_id in (CALLER, "stranger") else CONSULTATION
    return plain_event(name, kind(room_id=room, participant_id=participant_id))


def reply_deadline(kind: str) -> AbstractEvent:
    """Return the timer that fires because no reply to this command came in time."""

    def concrete(transfer: Transfer) -> StepArguments | None:
        if all(pending.kind != kind for pending in transfer.pending.values()):
            return None
        return _with_waits_due(transfer, lambda pending: pending.kind == kind, stage=False, check=False)

    return AbstractEvent(f"deadline: {kind} unanswered", concrete, is_deadline=True)


def _with_waits_due(
    transfer: Transfer, is_due: Callable[[PendingCommand], bool], *, stage: bool, check: bool
) -> StepArguments | None:
    """Return the transfer with exactly these waits due now, and its timer firing."""
    if transfer.timer_due_at is None:
        return None
    waits = transfer.pending.items()
    timed = msgspec.structs.replace(
        transfer,
        pending={each: PendingCommand(wait.kind, NOW if is_due(wait) else FAR) for each, wait in waits},
        stage_due_at=None if transfer.stage_due_at is None else NOW if stage else FAR,
        check_due_at=None if transfer.check_due_at is None else NOW if check else FAR,
        timer_due_at=NOW,
    )
    return timed, DeadlinePassed(due_at=NOW), NOW


def _stage_due(transfer: Transfer) -> StepArguments | None:
    return _with_waits_due(transfer, lambda _: False, stage=True, check=False)


def _check_due(transfer: Transfer) -> StepArguments | None:
    if transfer.check_due_at is None:
        return None
    return _with_waits_due(transfer, lambda _: False, stage=False, check=True)


def _all_due(transfer: Transfer) -> StepArguments | None:
    # `step()` handles the first wait first. One order stands for all of them, because an event of its own
    # covers each wait that is due alone.
    waits = sorted(transfer.pending.items(), key=lambda wait: wait[1].kind)
    transfer = msgspec.structs.replace(transfer, pending=dict(waits))
    return _with_waits_due(transfer, lambda _: True, stage=True, check=True)


ENDED, UP = LegReport(up=False, status="ended"), LegReport(up=True)
COMMAND_KINDS = (
    "hold_caller",
    "find_caller_call",
    "create_room",
    "summarize",
    "join_consultation",
    "dial_supervisor",
    "brief_supervisor",
    "check_legs",
    "switch_caller",
    "return_caller",
    "release_caller",
    "rescue_caller",
    "end_call",
    "leave_consultation",
    "record_participant",
    "close_room",
)

FAULTS = {
    "switch_caller": tuple(FailureKind),
    "return_caller": tuple(FailureKind),
    "create_room": (FailureKind.REFUSED, FailureKind.UNKNOWN, FailureKind.BROKEN),
    "rescue_caller": (FailureKind.CALLER_GONE, FailureKind.CALLED_OFF, FailureKind.UNKNOWN),
}
LOST_DEADLINE = "a deadline is dead-lettered"
DEAD_LETTERS = {"an event is dead-lettered": "event", LOST_DEADLINE: "timeout"}
"""Messages that were read and could not be handled. No clean end depends on them."""

ABSTRACT_EVENTS: list[AbstractEvent] = [
    plain_event("cancel", CancelRequested(reason="stop")),
    *(
        plain_event(name, TransferBroken(transfer_id="t", kind=kind, cause="a bug"))
        for name, kind in DEAD_LETTERS.items()
    ),
    reply("hold_caller", "held", lambda c: CallerHeld(command_id=c, caller_participant_id=CALLER)),
    reply(
        "find_caller_call",
        "call found",
        lambda c: CallerCallFound(command_id=c, call_id=CALLER_CALL, participant_id=CALLER),
    ),
    reply(
        "create_room",
        "room created",
        lambda c: RoomCreated(command_id=c, room_id=CONSULTATION),
        accepted_late=True,
    ),
    reply("summarize", "summary", lambda c: SummaryReady(command_id=c, summary="s", source="model")),
    reply("join_consultation", "agent joined", lambda c: ConsultationJoined(command_id=c)),
    reply(
        "dial_supervisor",
        "dialed",
        lambda c: SupervisorDialed(command_id=c, attempt=1, call_id=SUPERVISOR_CALL),
        accepted_late=True,
    ),
    room_event(AudioStreamEnabled, "supervisor audio enabled", SUPERVISOR_ID),
    room_event(ParticipantJoined, "supervisor joined the room", SUPERVISOR_ID),
    room_event(ParticipantLeft, "supervisor left the room", SUPERVISOR_ID),
    plain_event(
        "supervisor's call ended",
        SupervisorCallEnded(attempt=1, call_id=SUPERVISOR_CALL, cause=CallCause.HUNG_UP),
    ),
    plain_event("supervisor says yes", SupervisorReady()),
    plain_event("supervisor says no", SupervisorDeclined()),
    plain_event("answering machine", VoicemailDetected()),
    leg_check("nothing new"),
    leg_check("caller gone", caller=ENDED),
    leg_check("supervisor gone", supervisor=ENDED),
    leg_check("caller in primary room", caller=LegReport(up=True, room_id=PRIMARY), supervisor=UP),
    leg_check("caller alone", caller=LegReport(up=True, room_id=CONSULTATION), supervisor=ENDED),
    leg_check("caller with supervisor", caller=LegReport(up=True, room_id=CONSULTATION), supervisor=UP),
    old_leg_check("caller gone", caller=ENDED),
    old_leg_check("supervisor gone", supervisor=ENDED),
    reply("switch_caller", "switched", lambda c: CallerSwitched(command_id=c)),
    room_event(ParticipantJoined, "caller joined the consultation room", CALLER_ID),
    room_event(AudioStreamEnabled, "caller audio enabled in the consultation room", CALLER_ID),
    room_event(ParticipantLeft, "caller left the consultation room", CALLER_ID),
    room_event(ParticipantLeft, "caller left the primary room", CALLER),
    room_event(ParticipantLeft, "another participant left the primary room", "stranger"),
    plain_event("caller's call ended", CallerCallEnded(call_id=CALLER_CALL)),
    reply(
        "return_caller",
        "returned",
        lambda c: CallerReturned(command_id=c, caller_up=True),
        accepted_late=True,
    ),
    reply(
        "return_caller",
        "returned: caller gone",
        lambda c: CallerReturned(command_id=c, caller_up=False),
        accepted_late=True,
    ),
    reply("release_caller", "released", lambda c: CallerReleased(command_id=c)),
    plain_event("released: lease expired", CallerReleased(command_id=None, cause="bus_silent")),
    plain_event("released: session closed", CallerReleased(command_id=None, cause="session_closed")),
    reply("rescue_caller", "rescued", lambda c: CallerRescued(command_id=c, by="agent"), accepted_late=True),
    reply(
        "rescue_caller",
        "rescue_caller failed: not begun",
        lambda c: CommandFailed(command_id=c, failure=FailureKind.REFUSED, not_begun=True),
    ),
    reply(
        "find_caller_call",
        "find_caller_call failed: no room",
        lambda c: CommandFailed(command_id=c, failure=FailureKind.BROKEN, room_missing=True),
    ),
    plain_event("released: new transfer", CallerReleased(command_id=None, cause="new_transfer")),
    end_reply("call ended", existed=True),
    end_reply("call ended: no call existed", existed=False),
    end_reply("call ended: outcome unknown", existed=False, outcome_unknown=True),
    reply("leave_consultation", "agent left", lambda c: ConsultationLeft(command_id=c)),
    reply("close_room", "room closed", lambda c: RoomClosed(command_id=c), accepted_late=True),
    reply(
        "record_participant",
        "caller is recorded",
        lambda c: RecordingStarted(command_id=c, participant_id=CALLER_ID),
    ),
    *(event for kind in COMMAND_KINDS for event in failures(kind, *FAULTS.get(kind, ()))),
    *(reply_deadline(kind) for kind in COMMAND_KINDS),
    AbstractEvent("deadline: stage", _stage_due, is_deadline=True),
    AbstractEvent("deadline: leg check", _check_due, is_deadline=True),
    AbstractEvent("deadline: every wait", _all_due, is_deadline=True),
]
assert len({event.name for event in ABSTRACT_EVENTS}) == len(ABSTRACT_EVENTS)

SUPERVISOR_SEEN = frozenset({"supervisor audio enabled", "supervisor joined the room"})
"""Events that report that the supervisor is there."""
CALLER_SEEN = frozenset(
    {"caller joined the consultation room", "caller audio enabled in the consultation room"}
)
"""Events that report that the caller is in the consultation room."""
CALLER_HANG_UPS = frozenset({"caller's call ended"})
SUPERVISOR_LOST = frozenset(
    {
        "supervisor left the room",
        "supervisor's call ended",
        "legs checked: supervisor gone",
        "legs checked: caller alone",
    }
)
"""Events that report that the supervisor is gone."""
assert {event.name for event in ABSTRACT_EVENTS} > (
    SUPERVISOR_LOST | SUPERVISOR_SEEN | CALLER_SEEN | CALLER_HANG_UPS
)
RECORDING_SETTLED = frozenset({"caller is recorded", "record_participant failed: broken", LOST_DEADLINE})
"""Events that settle whether the caller is recorded. Deadlines settle it too."""
assert {event.name for event in ABSTRACT_EVENTS} > RECORDING_SETTLED
BRIDGE = frozenset({Stage.SWITCHING, Stage.ARRIVING, Stage.HANDING_OVER})
