"""Driver of one consultation: it sends the coordinator's commands, and reads the published events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal, TypeVar

import pytest_asyncio
from msgspec import UNSET

from tests.testkit.provider_sandbox import WAIT_S, Cloud, open_cloud
from tests.testkit.sent_log import store_in_log
from tests.testkit.stored import events_of
from warmxfer.actors.briefing import BriefingSettings, run
from warmxfer.adapters.llm import ModelSettings
from warmxfer.bus import Bus, BusSettings, LiveMessage, subjects
from warmxfer.schemas import (
    AudioStreamEnabled,
    BriefSupervisor,
    Command,
    Event,
    JoinConsultation,
    LeaveConsultation,
    RoomTokenQuery,
    decode_as,
    decode_event,
    encode,
)

E = TypeVar("E", bound=Event)

TIME_SCALE = 0.02
SUMMARY = "Ann was charged twice. She wants one charge refunded."
GREETING = "Hi, I'm the AI assistant."
QUESTION = "Are you ready to take the call?"
CONNECTING = "Connecting the caller now. Stand by."
ONE_MOMENT = "Just a moment, the briefing is being written."
UNDERSTOOD = "All right, the caller stays with me."


class ConsultationDriver:
    """Sender of commands for one consultation, and reader of its events and of the room's ledger."""

    def __init__(self, bus: Bus, cloud: Cloud, transfer_id: str, room_id: str) -> None:
        self.bus = bus
        self.cloud = cloud
        self.id = transfer_id
        self.room_id = room_id
        self.session: str | None = None
        """Session whose process runs the consultation; None means a briefing worker."""
        self.rooms_url: str | None = None
        """Address of the rooms in the tokens; None means the sandbox itself."""
        self.agent, self.supervisor, self.caller = (f"{kind}-{transfer_id}" for kind in ("wxa", "wxs", "wxc"))
        self._commands = 0

    async def join(self, *, timeout_s: float = 10.0) -> str:
        command = JoinConsultation(
            **self._command(timeout_s),
            room_id=self.room_id,
            participant_id=self.agent,
            supervisor_participant_id=self.supervisor,
            caller_participant_id=self.caller,
            fence=self._commands,
            one_moment=ONE_MOMENT,
            transfer_id=self.id if self.session else UNSET,
        )
        await self.send(command, self.join_subject)
        return command.command_id

    async def send(self, command: Command, subject: str) -> None:
        """Send a command that the log holds."""
        await store_in_log(self.bus, self.id, command, session=self.session or "room")
        await self.bus.publish(subject, encode(command))

    @property
    def join_subject(self) -> str:
        return (
            subjects.session_briefing(self.session)
            if self.session
            else subjects.work_queue(self.id, "briefing")
        )

    async def brief(
        self, summary: str = SUMMARY, accept_by: Literal["voice", "either", "key"] = "voice"
    ) -> float:
        """Send BriefSupervisor; returns the monotonic time at which it was sent."""
        command = BriefSupervisor(
            **self._command(60.0),
            fence=self._commands,
            summary=summary,
            greeting=GREETING,
            question=QUESTION,
            connecting=CONNECTING,
            understood=UNDERSTOOD,
            accept_by=accept_by,
        )
        await self.send(command, subjects.consult(self.id))
        return time.monotonic()

    async def leave(self, notice: str | None = None, finish_s: float = 0.0) -> str:
        command = LeaveConsultation(
            **self._command(10.0), fence=self._commands, notice=notice, finish_s=finish_s
        )
        await self.send(command, subjects.consult(self.id))
        return command.command_id

    async def dial(self, number: str) -> str:
        return await self.cloud.dial(self.room_id, self.supervisor, number)

    async def person_answers(self) -> None:
        """Let the supervisor, once they can be heard, say hello."""
        await self.wait_for(AudioStreamEnabled, participant_id=self.supervisor)
        await self.cloud.say(self.supervisor, "Hello?")

    async def events(self) -> list[Event]:
        """Return all events published so far."""
        return [decode_event(stored.data) for stored in await events_of(self.bus, self.id)]

    async def wait_for(self, kind: type[E], count: int = 1, within_s: float = WAIT_S, **fields: Any) -> E:
        """Return the `count`th event of this kind with these fields; blocks until it is published."""
        async with asyncio.timeout(within_s):
            while True:
                found = [
                    event
                    for event in await self.events()
                    if isinstance(event, kind)
                    and all(getattr(event, name) == value for name, value in fields.items())
                ]
                if len(found) >= count:
                    return found[count - 1]
                await asyncio.sleep(0.01)

    async def said(self) -> list[str]:
        """Return the lines that the agent said in the room, in order."""
        spoken = await self.cloud.ledger(self.room_id, "speech")
        return [entry["text"] for entry in spoken if entry["participantId"] == self.agent]

    async def wait_said(self, text: str, count: int = 1) -> None:
        async with asyncio.timeout(WAIT_S):
            while True:
                if (await self.said()).count(text) >= count:
                    return
                await asyncio.sleep(0.01)

    def _command(self, timeout_s: float) -> dict[str, Any]:
        self._commands += 1
        return {"command_id": f"{self.id}-{self._commands}", "deadline_at": time.time() + timeout_s}


@pytest_asyncio.fixture
async def cloud() -> AsyncIterator[Cloud]:
    """A sandbox with fast speech, because a consultation is mostly speech."""
    async with open_cloud(TIME_SCALE) as cloud:
        yield cloud


@pytest_asyncio.fixture
async def driver(bus: Bus, cloud: Cloud, transfer_id: str) -> AsyncIterator[ConsultationDriver]:
    """A driver on the shared broker, without a briefing worker."""
    async with open_driver(bus, cloud, transfer_id) as driver:
        yield driver


@asynccontextmanager
async def open_driver(bus: Bus, cloud: Cloud, transfer_id: str) -> AsyncIterator[ConsultationDriver]:
    """Open a driver, and serve room tokens as the gateway does."""
    driver = ConsultationDriver(bus, cloud, transfer_id, await cloud.open_room())

    async def token(message: LiveMessage) -> bytes:
        query = decode_as(RoomTokenQuery, message.data)
        return encode(await cloud.ticket(query.room_id, query.participant_id, driver.rooms_url)())

    async with (
        bus.serve(subjects.ASK_ROOM_TOKEN, token, queue="gateway"),
        bus.serve(subjects.ANY_SESSION_TOKEN, token, queue="gateway"),
    ):
        yield driver


class BriefingWorker:
    """A running briefing worker that a test can stop or disconnect."""

    def __init__(self, bus: Bus, task: asyncio.Task[None]) -> None:
        self._bus = bus
        self._task = task

    async def stop(self) -> None:
        """Stop as on SIGTERM: the broker redelivers the running consultations."""
        self._task.cancel()
        await asyncio.wait((self._task,), timeout=WAIT_S)

    async def disconnect(self) -> None:
        """Close the worker's connection to the broker, for good."""
        await self._bus.close()


@asynccontextmanager
async def briefing_worker(
    settings: BusSettings, model: ModelSettings | None = None
) -> AsyncIterator[BriefingWorker]:
    """Run a briefing worker with its own connection."""
    async with await Bus.connect(settings, name="briefing") as bus:
        worker = BriefingWorker(bus, asyncio.create_task(run(bus, BriefingSettings(model=model))))
        yield worker
        await worker.stop()
