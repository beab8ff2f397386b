"""AI sessions of the fake cloud: attached to the bus as a voice agent's would be, each with a caller."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from msgspec import Struct

from warmxfer.actors.primary import attach
from warmxfer.adapters.rooms import ParticipantLeftRoom, RoomEvent
from warmxfer.bus import Bus
from warmxfer.schemas import PhaseChanged, TranscriptTurn

from .rooms import BenchRooms

ATTACHED_AT_ONCE = 50
TURNS = (
    TranscriptTurn("agent", "Hi, I'm the AI assistant. How can I help you today?"),
    TranscriptTurn("caller", "Hello. I was charged twice for order 4417, and I want one charge back."),
    TranscriptTurn("agent", "I'm sorry about that. When were you charged?"),
    TranscriptTurn("caller", "On the third of May, twice on the same day, 89 dollars each time."),
    TranscriptTurn("agent", "Thank you, I can see both charges. What would you like us to do?"),
    TranscriptTurn("caller", "Please refund the second one, and let me talk to a supervisor."),
    TranscriptTurn("agent", "Of course. Let me get a supervisor for you."),
)


class SessionsSettings(Struct, frozen=True):
    """The names of the sessions of one process, and the rooms in which their callers are."""

    rooms: BenchRooms
    names: Sequence[str]


class BenchSession:
    """`Session` that speaks at once."""

    def __init__(self, room_id: str) -> None:
        self.room_id = room_id
        self.caller_participant_id: str | None = f"sip-{room_id}"
        self.left = asyncio.Event()

    async def mute(self) -> None:
        return

    async def unmute(self) -> None:
        return

    async def suspend_auto_end(self) -> None:
        return

    async def restore_auto_end(self) -> None:
        return

    async def say(self, text: str, *, interruptible: bool) -> None:
        return

    async def history(self) -> list[TranscriptTurn]:
        return list(TURNS)

    async def summarize(self, prompt: str) -> str | None:
        return None

    async def leave(self) -> None:
        self.left.set()

    async def on_phase(self, phase: PhaseChanged) -> None:
        return


async def serve_sessions(
    bus: Bus, settings: SessionsSettings, *, ready: Callable[[], None] = lambda: None
) -> None:
    """Attach a session for each name, until each has left its call or this is cancelled."""
    attaching = asyncio.Semaphore(ATTACHED_AT_ONCE)
    left = len(settings.names)

    def on_attached() -> None:
        nonlocal left
        attaching.release()
        left -= 1
        if not left:
            ready()

    async with settings.rooms, asyncio.TaskGroup() as tasks:
        for name in settings.names:
            await attaching.acquire()
            tasks.create_task(_serve(bus, settings.rooms, name, on_attached))
        await asyncio.Event().wait()


async def _serve(bus: Bus, rooms: BenchRooms, name: str, on_attached: Callable[[], None]) -> None:
    session = BenchSession(name)
    async with attach(bus, session, name) as attachment:

        def on_event(event: RoomEvent) -> None:
            match event:
                case ParticipantLeftRoom(participant_id=participant_id, reason=reason):
                    session.caller_participant_id = None
                    attachment.participant_left(participant_id, reason)
                case _:
                    return

        rooms.watch(name, on_event)
        on_attached()
        try:
            await session.left.wait()
        finally:
            rooms.stop_watching(name)
            attachment.closed()
