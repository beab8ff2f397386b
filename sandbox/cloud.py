"""The whole sandbox as one object: creates and connects its parts. All state is in memory."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from .clock import Clock
from .faults import FaultRegistry
from .ledger import Ledger
from .people.phonebook import PhoneBook
from .rooms.dispatched_agents import DispatchedAgents
from .rooms.recordings import Recordings
from .rooms.room_activity import RoomActivity
from .rooms.rooms import Participant, Room, Rooms
from .rooms.websocket import AgentSockets
from .settings import Settings
from .telephony.call_engine import CallEngine
from .telephony.call_status import CallStatus
from .telephony.calls import Calls
from .telephony.keypad import Keypad
from .telephony.room_switch import RoomSwitch
from .tokens import TokenVerifier
from .webhooks import WebhookSender


class Cloud:
    """All parts of the sandbox, and the actions that involve several parts."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock = Clock(settings.time_scale)
        self.faults = FaultRegistry()
        self.tokens = TokenVerifier(settings)
        self.phonebook = PhoneBook()
        self.webhooks = WebhookSender(settings, self.clock, self.faults)
        self._background_tasks: set[asyncio.Task[None]] = set()
        self._create_parts()

    def remove_participant(self, participant: Participant, reason: str) -> None:
        """Remove a participant from its room: hang up a phone, or close an agent's socket with `reason`."""
        if participant.call_id is not None:
            self.call_engine.hang_up(self.calls.get(participant.call_id), "cloud")
        else:
            self.activity.leave(participant, "user-left", "cloud")
            participant.observer.on_removed(reason)

    def deactivate(self, room: Room) -> None:
        """Close a room permanently and remove all its participants."""
        self.rooms.disable(room)
        for participant in list(room.participants.values()):
            self.remove_participant(participant, "deactivated")

    def run_in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` in a task. `reset` and `close` cancel it."""
        task = asyncio.get_running_loop().create_task(work)
        self._background_tasks.add(task)
        task.add_done_callback(self._background_tasks.discard)

    def reset(self) -> None:
        """Remove all rooms, calls, faults, overrides and webhooks, and empty the ledger."""
        self._stop_parts()
        self.faults.clear()
        self.phonebook.clear()
        self.webhooks.clear()
        self._create_parts()

    async def close(self) -> None:
        """Cancel all tasks and timers, and close all sockets."""
        self._stop_parts()
        await self.webhooks.close()

    def _stop_parts(self) -> None:
        for task in self._background_tasks:
            task.cancel()
        self.call_engine.clear()
        self.sockets.clear()
        self.rooms.clear()

    def _create_parts(self) -> None:
        self.requests = 0
        self.ledger = Ledger()
        self.rooms = Rooms(self.ledger)
        self.calls = Calls()
        self.recordings = Recordings(self.clock, self.ledger)
        self.activity = RoomActivity(self.clock, self.ledger, self.rooms, self.webhooks, self.recordings)
        self.sockets = AgentSockets(self.clock, self.activity)
        self.dispatched_agents = DispatchedAgents(self.clock, self.ledger, self.activity)
        call_status = CallStatus(self.webhooks, self.rooms)
        self.keypad = Keypad(self.clock, self.faults, self.activity)
        self.call_engine = CallEngine(
            self.clock,
            self.ledger,
            self.activity,
            self.rooms,
            self.calls,
            self.phonebook,
            call_status,
            self.keypad,
        )
        self.room_switch = RoomSwitch(
            self.clock, self.ledger, self.faults, self.activity, self.calls, call_status
        )
