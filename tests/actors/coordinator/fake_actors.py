"""The other four actors, reduced to their answers: what a coordinator alone is tested against."""

from __future__ import annotations

from collections.abc import Callable

from warmxfer.bus import Bus, subjects
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
    Summarize,
    SummaryReady,
    SupervisorDialed,
    SupervisorReady,
    SwitchCaller,
    WarmTransferResult,
    decode_command,
    decode_phase,
    decode_result,
    encode,
)

CALLER_CALL = "call-1"


def answers(command: AnyCommand) -> list[AnyEvent]:
    """What willing people and faultless actors answer."""
    k = command.command_id
    match command:
        case HoldCaller():
            return [CallerHeld(command_id=k, caller_participant_id="caller-1")]
        case FindCallerCall():
            return [CallerCallFound(command_id=k, call_id=CALLER_CALL)]
        case CreateRoom():
            return [RoomCreated(command_id=k, room_id=f"room-{command.key}"[:64])]
        case Summarize():
            return [SummaryReady(command_id=k, summary="Ann wants a refund.", source="model")]
        case JoinConsultation():
            return [ConsultationJoined(command_id=k)]
        case DialSupervisor():
            return [
                SupervisorDialed(command_id=k, attempt=command.attempt, call_id="call-2"),
                AudioStreamEnabled(room_id=command.room_id, participant_id=command.participant_id),
            ]
        case BriefSupervisor():
            return [SupervisorReady()]
        case SwitchCaller():
            return [
                CallerSwitched(command_id=k),
                ParticipantJoined(room_id=command.room_id, participant_id=command.participant_id),
            ]
        case LeaveConsultation():
            return [ConsultationLeft(command_id=k)]
        case ReleaseCaller():
            return [CallerReleased(command_id=k)]
        case EndCall():
            return [CallEnded(command_id=k, attempt=command.attempt, existed=True)]
        case CloseRoom():
            return [RoomClosed(command_id=k)]
        case _:
            return []


class Cast:
    """Answers every command of one transfer, and keeps what it heard."""

    def __init__(self, bus: Bus, id: str, script: Callable[[AnyCommand], list[AnyEvent]] = answers) -> None:
        self.bus = bus
        self.id = id
        self.script = script
        self.commands: list[AnyCommand] = []
        self.phases: list[PhaseChanged] = []

    async def play(self, request: bytes) -> WarmTransferResult:
        """Publish `request`, answer everything, return the result."""
        async with self.bus.subscribe(subjects.all_of(self.id)) as heard:
            await self.bus.publish(subjects.request(self.id), request, msg_id=f"{self.id}:request")
            async for message in heard:
                kind = subjects.parse(message.subject).kind
                if kind == "do":
                    command = decode_command(message.data)
                    if command.command_id in {each.command_id for each in self.commands}:
                        continue  # heard live twice, stored once: a consumer gets it once
                    self.commands.append(command)
                    for event in self.script(command):
                        await self.tell(event)
                elif kind == "phase":
                    self.phases.append(decode_phase(message.data))
                elif kind == "result":
                    return decode_result(message.data)
        raise AssertionError("the bus fell silent")

    async def tell(self, event: AnyEvent) -> None:
        """Publish one event of this transfer."""
        await self.bus.publish(subjects.event(self.id), encode(event))

    @property
    def told(self) -> list[str]:
        """The commands heard, by name."""
        return [type(command).__name__ for command in self.commands]
