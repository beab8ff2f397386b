"""Every event the machine can be told, as a symbol: what happened, without ids and times."""

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
LATE = "late"
"""The id of no command that is awaited."""

Told = tuple[Transfer, AnyEvent, float]


class Symbol(NamedTuple):
    """`tell(transfer)`: the arguments for `step()`, or None where it cannot come about."""

    name: str
    tell: Callable[[Transfer], Told | None]
    is_time: bool = False

    def __hash__(self) -> int:
        return hash(self.name)


def fact(name: str, event: AnyEvent) -> Symbol:
    """What answers no command."""
    return Symbol(name, lambda transfer: (transfer, event, NOW))


def answer(kind: str, name: str, make: Callable[[str], AnyEvent], *, matters_late: bool = False) -> Symbol:
    """What answers the command of this kind; `matters_late`: also when nobody awaits it any more."""

    def tell(transfer: Transfer) -> Told | None:
        awaited = [each for each, pending in transfer.pending.items() if pending.kind == kind]
        if not awaited and not matters_late:
            return None
        return transfer, make(awaited[0] if awaited else LATE), NOW

    return Symbol(name, tell)


def failure(kind: str, *faults: FailureKind) -> list[Symbol]:
    """`CommandFailed`, for each fault that makes a difference."""
    return [
        answer(kind, f"{kind} failed: {fault.value}", _failed(fault))
        for fault in faults or (FailureKind.BROKEN,)
    ]


def _failed(fault: FailureKind) -> Callable[[str], AnyEvent]:
    return lambda command_id: CommandFailed(command_id=command_id, failure=fault)


def legs(name: str, caller: LegReport | None = None, supervisor: LegReport | None = None) -> Symbol:
    """What a look that is awaited has seen, or the last one after the end."""

    def tell(transfer: Transfer) -> Told | None:
        awaited = [each for each, pending in transfer.pending.items() if pending.kind == "check_legs"]
        if not awaited and not transfer.last_leg_check_id:
            return None
        look = awaited[0] if awaited else transfer.last_leg_check_id
        return transfer, LegsChecked(command_id=look, caller=caller, supervisor=supervisor), NOW

    return Symbol(f"legs checked: {name}", tell)


def seen(kind: type[AudioStreamEnabled | ParticipantJoined | ParticipantLeft], name: str, who: str) -> Symbol:
    room = PRIMARY if who in (CALLER, "stranger") else CONSULTATION
    return fact(name, kind(room_id=room, participant_id=who))


def overdue(kind: str) -> Symbol:
    """The timer fires because nobody answered this command in time."""

    def tell(transfer: Transfer) -> Told | None:
        if all(pending.kind != kind for pending in transfer.pending.values()):
            return None
        return _at(transfer, lambda pending: pending.kind == kind, stage=False, check=False)

    return Symbol(f"time: {kind} unanswered", tell, is_time=True)


def _at(
    transfer: Transfer, due: Callable[[PendingCommand], bool], *, stage: bool, check: bool
) -> Told | None:
    """The transfer with exactly these waits due now, and its timer firing."""
    if transfer.timer_due_at is None:
        return None
    waits = transfer.pending.items()
    timed = msgspec.structs.replace(
        transfer,
        pending={each: PendingCommand(wait.kind, NOW if due(wait) else FAR) for each, wait in waits},
        stage_due_at=None if transfer.stage_due_at is None else NOW if stage else FAR,
        check_due_at=None if transfer.check_due_at is None else NOW if check else FAR,
        timer_due_at=NOW,
    )
    return timed, DeadlinePassed(due_at=NOW), NOW


def _stage_over(transfer: Transfer) -> Told | None:
    return _at(transfer, lambda _: False, stage=True, check=False)


def _time_for_a_look(transfer: Transfer) -> Told | None:
    if transfer.check_due_at is None:
        return None
    return _at(transfer, lambda _: False, stage=False, check=True)


def _everything_due(transfer: Transfer) -> Told | None:
    # All at one time, and then the first one sent is the first one judged: of that order one stands for all,
    # since every wait that comes first alone is a symbol of its own.
    waits = sorted(transfer.pending.items(), key=lambda wait: wait[1].kind)
    transfer = msgspec.structs.replace(transfer, pending=dict(waits))
    return _at(transfer, lambda _: True, stage=True, check=True)


ENDED, UP = LegReport(up=False, status="ended"), LegReport(up=True)
KINDS = (
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
    "end_call",
    "leave_consultation",
    "record_participant",
    "close_room",
)

FAULTS = {
    "switch_caller": tuple(FailureKind),
    "return_caller": tuple(FailureKind),
    "create_room": (FailureKind.REFUSED, FailureKind.UNKNOWN, FailureKind.BROKEN),
}
LOST_DEADLINE = "a deadline is given up"
BREAKS = {"an event is given up": "event", LOST_DEADLINE: "timeout"}
"""What could be read and not be handled. Nothing counts on it."""

SYMBOLS: list[Symbol] = [
    fact("cancel", CancelRequested(reason="stop")),
    *(fact(name, TransferBroken(transfer_id="t", kind=kind, cause="a bug")) for name, kind in BREAKS.items()),
    answer("hold_caller", "held", lambda c: CallerHeld(command_id=c, caller_participant_id=CALLER)),
    answer(
        "find_caller_call",
        "call found",
        lambda c: CallerCallFound(command_id=c, call_id=CALLER_CALL, participant_id=CALLER),
    ),
    answer(
        "create_room",
        "room created",
        lambda c: RoomCreated(command_id=c, room_id=CONSULTATION),
        matters_late=True,
    ),
    answer("summarize", "summary", lambda c: SummaryReady(command_id=c, summary="s", source="model")),
    answer("join_consultation", "agent joined", lambda c: ConsultationJoined(command_id=c)),
    answer(
        "dial_supervisor",
        "dialed",
        lambda c: SupervisorDialed(command_id=c, attempt=1, call_id=SUPERVISOR_CALL),
        matters_late=True,
    ),
    seen(AudioStreamEnabled, "supervisor heard", SUPERVISOR_ID),
    seen(ParticipantJoined, "supervisor joined the room", SUPERVISOR_ID),
    seen(ParticipantLeft, "supervisor left the room", SUPERVISOR_ID),
    fact(
        "supervisor's call ended",
        SupervisorCallEnded(attempt=1, call_id=SUPERVISOR_CALL, cause=CallCause.HUNG_UP),
    ),
    fact("supervisor says yes", SupervisorReady()),
    fact("supervisor says no", SupervisorDeclined()),
    fact("answering machine", VoicemailDetected()),
    legs("nothing new"),
    legs("caller gone", caller=ENDED),
    legs("supervisor gone", supervisor=ENDED),
    legs("caller at home", caller=LegReport(up=True, room_id=PRIMARY), supervisor=UP),
    legs("caller alone", caller=LegReport(up=True, room_id=CONSULTATION), supervisor=ENDED),
    legs("caller with the supervisor", caller=LegReport(up=True, room_id=CONSULTATION), supervisor=UP),
    answer("switch_caller", "switched", lambda c: CallerSwitched(command_id=c)),
    seen(ParticipantJoined, "caller seen with the supervisor", CALLER_ID),
    seen(AudioStreamEnabled, "caller heard with the supervisor", CALLER_ID),
    seen(ParticipantLeft, "caller left the supervisor", CALLER_ID),
    seen(ParticipantLeft, "caller left the primary room", CALLER),
    seen(ParticipantLeft, "a stranger left the primary room", "stranger"),
    fact("caller's call ended", CallerCallEnded(call_id=CALLER_CALL)),
    answer(
        "return_caller",
        "returned",
        lambda c: CallerReturned(command_id=c, caller_up=True),
        matters_late=True,
    ),
    answer(
        "return_caller",
        "returned: caller gone",
        lambda c: CallerReturned(command_id=c, caller_up=False),
        matters_late=True,
    ),
    answer("release_caller", "released", lambda c: CallerReleased(command_id=c)),
    fact("released by the session itself", CallerReleased(command_id=None, cause="bus_silent")),
    fact("session closed", CallerReleased(command_id=None, cause="session_closed")),
    answer("end_call", "call ended", lambda c: CallEnded(command_id=c, attempt=1, existed=True)),
    answer(
        "end_call",
        "call ended: there was none",
        lambda c: CallEnded(command_id=c, attempt=1, existed=False),
    ),
    answer(
        "end_call",
        "call ended: none to be seen",
        lambda c: CallEnded(command_id=c, attempt=1, existed=False, outcome_unknown=True),
    ),
    answer("leave_consultation", "agent left", lambda c: ConsultationLeft(command_id=c)),
    answer("close_room", "room closed", lambda c: RoomClosed(command_id=c), matters_late=True),
    answer(
        "record_participant",
        "the caller is recorded",
        lambda c: RecordingStarted(command_id=c, participant_id=CALLER_ID),
    ),
    *(symbol for kind in KINDS for symbol in failure(kind, *FAULTS.get(kind, ()))),
    *(overdue(kind) for kind in KINDS),
    Symbol("time: stage over", _stage_over, is_time=True),
    Symbol("time: look at the legs", _time_for_a_look, is_time=True),
    Symbol("time: everything is due", _everything_due, is_time=True),
]
assert len({symbol.name for symbol in SYMBOLS}) == len(SYMBOLS)

SIGHTINGS = frozenset({"supervisor heard", "supervisor joined the room"})
"""What tells the coordinator that the supervisor is there."""
HANG_UPS = frozenset({"caller's call ended"})
LOSSES = frozenset(
    {
        "supervisor left the room",
        "supervisor's call ended",
        "legs checked: supervisor gone",
        "legs checked: caller alone",
    }
)
"""What tells the coordinator that the supervisor is gone."""
assert {symbol.name for symbol in SYMBOLS} > LOSSES | SIGHTINGS | HANG_UPS
RECORDED = frozenset({"the caller is recorded", "record_participant failed: broken", LOST_DEADLINE})
"""What settles whether the caller is recorded; beside time itself."""
assert {symbol.name for symbol in SYMBOLS} > RECORDED
BRIDGE = frozenset({Stage.SWITCHING, Stage.ARRIVING, Stage.HANDING_OVER})
