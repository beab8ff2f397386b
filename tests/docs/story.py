"""Whole transfers told by the real machine, with people and actors who answer at once.

What the pages say about phases (which, in what order, carrying what) is compared with these.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Literal

from warmxfer.actors.machine import Moved, Transfer, step
from warmxfer.schemas import (
    AnyCommand,
    AnyEvent,
    AudioStreamEnabled,
    BriefSupervisor,
    CallEnded,
    CallerCallFound,
    CallerHeld,
    CallerReleased,
    CallerSwitched,
    CloseRoom,
    ConsultationJoined,
    ConsultationLeft,
    CreateRoom,
    DialSupervisor,
    EndCall,
    FindCallerCall,
    HoldCaller,
    JoinConsultation,
    LeaveConsultation,
    ParticipantJoined,
    PhaseChanged,
    ReleaseCaller,
    RoomClosed,
    RoomCreated,
    SIPDestination,
    Summarize,
    SummaryReady,
    SupervisorDialed,
    SupervisorReady,
    SwitchCaller,
    TransferRequested,
    WarmTransferConfig,
    WarmTransferPhase,
    WarmTransferRequest,
    WarmTransferResult,
)

ID = "refund-4417"
NOW = 1_781_532_000.0
CALLER_CALL = "8f14e45fceea4671a5a3dd4b7b1e2c90"
MAX_TURNS = 100

Output = object
Twist = Callable[[PhaseChanged], AnyEvent | None]
"""What happens to a transfer once a phase has been said, beside the answers."""


def request(pacing: Literal["overlap", "sequential"] = "overlap") -> TransferRequested:
    destination = SIPDestination("rule-outbound-us", "+14155550101", "+14155550199")
    config = WarmTransferConfig(destination, pacing=pacing)
    return TransferRequested(transfer_id=ID, request=WarmTransferRequest("m9wk-4tzs-c2ha", config))


def tell(first: AnyEvent, *, twist: Twist | None = None) -> list[Output]:
    """Everything that goes out from `first` to the end, in order."""
    state: Transfer | None = None
    waiting: deque[AnyEvent] = deque([first])
    told: list[Output] = []
    for _ in range(MAX_TURNS):
        if not waiting:
            return told
        moved = step(state, waiting.popleft(), NOW)
        if not isinstance(moved, Moved):
            continue
        state = moved.state
        told += moved.outbox
        phases = [each for each in moved.outbox if isinstance(each, PhaseChanged)]
        waiting.extendleft(event for phase in phases if twist and (event := twist(phase)) is not None)
        for output in moved.outbox:
            waiting.extend(_answers(output, state))
    raise AssertionError(f"the story did not end within {MAX_TURNS} turns")


def after(phase: WarmTransferPhase, event: AnyEvent) -> Twist:
    """`event` happens right after `phase`."""
    return lambda said: event if said.phase is phase else None


def phases(told: Sequence[Output]) -> list[PhaseChanged]:
    return [each for each in told if isinstance(each, PhaseChanged)]


def result(told: Sequence[Output]) -> WarmTransferResult:
    return next(each for each in told if isinstance(each, WarmTransferResult))


def heard(told: Sequence[Output]) -> str | None:
    """The line the caller hears on being given back; None: none."""
    return next((each.line for each in told if isinstance(each, ReleaseCaller)), None)


def _answers(command: AnyCommand | Output, state: Transfer) -> list[AnyEvent]:
    match command:
        case HoldCaller(command_id=k):
            return [CallerHeld(command_id=k, caller_participant_id="caller-7f3a")]
        case FindCallerCall(command_id=k):
            return [CallerCallFound(command_id=k, call_id=CALLER_CALL)]
        case CreateRoom(command_id=k):
            return [RoomCreated(command_id=k, room_id="k3vd-2mzp-q8xn")]
        case Summarize(command_id=k):
            return [SummaryReady(command_id=k, summary="Ann was charged twice.", source="model")]
        case JoinConsultation(command_id=k):
            return [ConsultationJoined(command_id=k, session_id="68e7a1c25d0f4b9a3c6e8d12")]
        case DialSupervisor(command_id=k, room_id=room, participant_id=who):
            return [
                SupervisorDialed(command_id=k, attempt=1, call_id="2b7e151628aed2a6abf7158809cf4f3c"),
                AudioStreamEnabled(room_id=room, participant_id=who),
            ]
        case BriefSupervisor():
            return [SupervisorReady()]
        case SwitchCaller(command_id=k, room_id=room, participant_id=who):
            return [CallerSwitched(command_id=k), ParticipantJoined(room_id=room, participant_id=who)]
        case LeaveConsultation(command_id=k):
            return [ConsultationLeft(command_id=k)]
        case ReleaseCaller(command_id=k):
            return [CallerReleased(command_id=k)]
        case EndCall(command_id=k, attempt=attempt):
            return [CallEnded(command_id=k, attempt=attempt, existed=True)]
        case CloseRoom(command_id=k):
            return [RoomClosed(command_id=k)]
        case _:
            return []
