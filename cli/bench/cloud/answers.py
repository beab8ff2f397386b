"""All other actors as one cheap process: it answers each command of the coordinator at once.

It makes the coordinator what limits the rate. It writes the same ledger as the fake provider.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from msgspec import Struct

from warmxfer.bus import Bus, Delivery, Outgoing, Subscription, Worker, subjects
from warmxfer.schemas import (
    AnyCommand,
    AnyEvent,
    AudioStreamEnabled,
    BriefSupervisor,
    CallerCallFound,
    CallerHeld,
    CallerSwitched,
    CheckLegs,
    ConsultationJoined,
    ConsultationLeft,
    CreateRoom,
    DialSupervisor,
    FindCallerCall,
    HoldCaller,
    JoinConsultation,
    LeaveConsultation,
    LegReport,
    LegsChecked,
    ParticipantJoined,
    RoomCreated,
    Summarize,
    SummaryReady,
    SupervisorDialed,
    SupervisorReady,
    SwitchCaller,
    decode_command,
    encode,
    undecoded_transfer_id,
)

from .calls import caller_call, supervisor_call
from .ledger import Entry, Ledger

SUMMARY = "Ann was charged twice for order 4417 and asks for a refund of the second charge. " * 3
JOBS = 512


class AnswersSettings(Struct, frozen=True):
    """The directory of the ledger, and the sessions whose commands are answered."""

    cloud: Path
    sessions: Sequence[str]


class Answers:
    """Answers the commands of every transfer."""

    def __init__(self, bus: Bus, ledger: Ledger) -> None:
        self._bus = bus
        self._ledger = ledger

    async def handle(self, delivery: Delivery) -> None:
        """Answer one command of a work queue. A consultation is answered until it is left."""
        command = decode_command(delivery.data)
        if isinstance(command, JoinConsultation):
            async with self._bus.subscribe(subjects.consult(delivery.transfer_id)) as commands:
                await self._answer(delivery.transfer_id, command, "briefing")
                await self._consult(delivery.transfer_id, commands)
        else:
            await self._answer(delivery.transfer_id, command, delivery.rest)

    async def follow(self, commands: Subscription) -> None:
        """Answer the level commands of one session."""
        async for message in commands:
            id = undecoded_transfer_id(message.data)
            if id is not None:
                await self._answer(id, decode_command(message.data), "primary")

    async def _consult(self, id: str, commands: Subscription) -> None:
        async for message in commands:
            command = decode_command(message.data)
            await self._answer(id, command, "briefing")
            if isinstance(command, LeaveConsultation):
                return

    async def _answer(self, id: str, command: AnyCommand, role: str) -> None:
        answers = self._answers(id, command)
        await self._bus.publish_all(
            [
                Outgoing(subjects.event(id, role), encode(event), f"{command.command_id}:answer:{number}")
                for number, event in enumerate(answers)
            ]
        )

    def _answers(self, id: str, command: AnyCommand) -> list[AnyEvent]:
        command_id = command.command_id
        match command:
            case HoldCaller():
                return [CallerHeld(command_id=command_id, caller_participant_id=None)]
            case FindCallerCall():
                return [CallerCallFound(command_id=command_id, call_id=caller_call(command.room_id))]
            case CreateRoom():
                return [RoomCreated(command_id=command_id, room_id=f"c-{command.key}")]
            case Summarize():
                return [SummaryReady(command_id=command_id, summary=SUMMARY, source="extract")]
            case JoinConsultation():
                return [ConsultationJoined(command_id=command_id)]
            case DialSupervisor(room_id=room_id, participant_id=participant_id):
                call_id = supervisor_call(participant_id)
                self._ledger.append(Entry("dial", call_id, room_id, participant_id, answered=True))
                return [
                    SupervisorDialed(command_id=command_id, attempt=command.attempt, call_id=call_id),
                    AudioStreamEnabled(room_id=room_id, participant_id=participant_id),
                ]
            case BriefSupervisor():
                return [SupervisorReady()]
            case SwitchCaller(room_id=room_id, participant_id=participant_id):
                self._ledger.append(Entry("move", command.caller_call_id, room_id, participant_id))
                return [
                    CallerSwitched(command_id=command_id),
                    ParticipantJoined(room_id=room_id, participant_id=participant_id),
                ]
            case CheckLegs():
                up = LegReport(up=True)
                return [LegsChecked(command_id=command_id, caller=up, supervisor=up)]
            case LeaveConsultation():
                return [ConsultationLeft(command_id=command_id)]
            case _:
                return []


async def serve_answers(
    bus: Bus, settings: AnswersSettings, *, ready: Callable[[], None] = lambda: None
) -> None:
    """Answer until cancelled."""
    ledger = Ledger(settings.cloud)
    answers = Answers(bus, ledger)
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
        stack.callback(ledger.close)
        for session in settings.sessions:
            commands = await stack.enter_async_context(bus.subscribe(subjects.session_commands(session)))
            tasks.create_task(answers.follow(commands))
        for queue in ("gateway", "summarizer", "briefing"):
            await stack.enter_async_context(Worker(bus, queue, answers.handle, jobs=JOBS, progress=True))
        ready()
        await asyncio.Event().wait()
