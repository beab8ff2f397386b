"""The other four actors, reduced to their replies."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from warmxfer import tracing
from warmxfer.actors.coordinator.event_writers import EVENT_WRITERS, _replying_role
from warmxfer.actors.coordinator.state_machine import PendingCommand
from warmxfer.actors.coordinator.state_machine.state import wire_name
from warmxfer.bus import Bus, InvalidRequest, LiveMessage, Subscription, subjects
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
    CheckLegs,
    CloseRoom,
    CommandFailed,
    ConsultationJoined,
    ConsultationLeft,
    CreateRoom,
    DialSupervisor,
    EndCall,
    FindCallerCall,
    HoldCaller,
    JoinConsultation,
    LeaveConsultation,
    LegReport,
    LegsChecked,
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
    undecoded_command_id,
    undecoded_transfer_id,
)

CALLER_CALL = "call-1"


def answers(command: AnyCommand) -> list[AnyEvent]:
    """Return the replies of faultless actors and of people who accept."""
    command_id = command.command_id
    match command:
        case HoldCaller():
            return [CallerHeld(command_id=command_id, caller_participant_id="caller-1")]
        case FindCallerCall():
            return [CallerCallFound(command_id=command_id, call_id=CALLER_CALL)]
        case CreateRoom():
            return [RoomCreated(command_id=command_id, room_id=f"room-{command.key}"[:64])]
        case Summarize():
            return [SummaryReady(command_id=command_id, summary="Ann wants a refund.", source="model")]
        case JoinConsultation():
            return [ConsultationJoined(command_id=command_id)]
        case DialSupervisor():
            return [
                SupervisorDialed(command_id=command_id, attempt=command.attempt, call_id="call-2"),
                AudioStreamEnabled(room_id=command.room_id, participant_id=command.participant_id),
            ]
        case BriefSupervisor():
            return [SupervisorReady()]
        case SwitchCaller():
            return [
                CallerSwitched(command_id=command_id),
                ParticipantJoined(room_id=command.room_id, participant_id=command.participant_id),
            ]
        case CheckLegs():
            up = LegReport(up=True)
            return [LegsChecked(command_id=command_id, caller=up, supervisor=up)]
        case LeaveConsultation():
            return [ConsultationLeft(command_id=command_id)]
        case ReleaseCaller():
            return [CallerReleased(command_id=command_id)]
        case EndCall():
            return [CallEnded(command_id=command_id, attempt=command.attempt, existed=True)]
        case CloseRoom():
            return [RoomClosed(command_id=command_id)]
        case _:
            return []


class FakeActors:
    """Replies to every command of one transfer, and records what it received."""

    def __init__(self, bus: Bus, id: str, script: Callable[[AnyCommand], list[AnyEvent]] = answers) -> None:
        self.bus = bus
        self.id = id
        self.script = script
        self.consultant = "briefing"
        self.commands: list[AnyCommand] = []
        self.phases: list[PhaseChanged] = []

    async def run_transfer(self, request: bytes) -> WarmTransferResult:
        """Publish `request`, reply to every command, return the result."""
        if b'"brief_by":"session"' in request.replace(b" ", b""):
            self.consultant = "primary"
        async with self._messages(request) as messages:
            await self.bus.publish(subjects.request(self.id), request, msg_id=f"{self.id}:request")
            while True:
                message = await messages.get()
                kind = self._kind_of(message)
                if kind == "do":
                    command = decode_command(message.data)
                    if command.command_id in {each.command_id for each in self.commands}:
                        continue  # received twice live, stored once: a consumer gets it once
                    self.commands.append(command)
                    with tracing.handle("process fake", tracing.received(message.headers)):
                        for event in self.script(command):
                            await self.publish(event)
                elif kind == "phase":
                    self.phases.append(decode_phase(message.data))
                elif kind == "result":
                    return decode_result(message.data)

    @asynccontextmanager
    async def _messages(self, request: bytes) -> AsyncIterator[asyncio.Queue[LiveMessage]]:
        """Receive what is published for the actors, the users and the session of this transfer."""
        messages: asyncio.Queue[LiveMessage] = asyncio.Queue()
        filters = [subjects.for_actors(self.id), subjects.for_users(self.id)]
        if session := _session_of(request):
            filters += [subjects.session_commands(session), subjects.session_briefing(session)]

        async def forward(subscription: Subscription) -> None:
            async for message in subscription:
                messages.put_nowait(message)

        async with AsyncExitStack() as stack:
            for each in filters:
                subscription = await stack.enter_async_context(self.bus.subscribe(each))
                task = asyncio.create_task(forward(subscription))
                stack.callback(task.cancel)
            yield messages

    def _kind_of(self, message: LiveMessage) -> str:
        """Return the kind of a message of this transfer, and an empty string for any other message."""
        if subjects.is_of_session(message.subject):
            is_command = undecoded_command_id(message.data) is not None
            return "do" if is_command and undecoded_transfer_id(message.data) == self.id else ""
        try:
            address = subjects.parse(message.subject)
        except InvalidRequest:
            return ""
        return address.kind if address.id == self.id else ""

    async def publish(self, event: AnyEvent) -> None:
        """Publish one event of this transfer."""
        await self.bus.publish(subjects.event(self.id, self._role_of(event)), encode(event))

    def _role_of(self, event: AnyEvent) -> str:
        """Return the actor that says `event`: of several, the one that this transfer accepts."""
        if isinstance(event, CommandFailed):
            command = next(each for each in self.commands if each.command_id == event.command_id)
            return _replying_role(PendingCommand(wire_name(type(command)), 0.0), self.consultant)
        writers = EVENT_WRITERS.get(type(event), ("gateway",))
        return self.consultant if writers == EVENT_WRITERS[SupervisorReady] else writers[0]

    @property
    def command_names(self) -> list[str]:
        """The received commands, by class name."""
        return [type(command).__name__ for command in self.commands]


def _session_of(request: bytes) -> str | None:
    """Return the session of a request, or None if it cannot be read."""
    try:
        body = json.loads(request)
        return subjects.check_token(body.get("session") or body["room_id"], "session")
    except (ValueError, KeyError, TypeError, AttributeError, InvalidRequest):
        return None
