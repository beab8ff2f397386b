"""The whole sandbox as one object: creates and connects its parts. All state is in memory."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from .clock import Clock
from .faults import FaultRegistry
from .ledger import Ledger
from .people.phonebook import PhoneBook
from .rooms.recordings import Recordings
from .rooms.room_activity import RoomActivity
from .rooms.rooms import Participant, Room, Rooms
from .rooms.websocket import Sockets
from .settings import Settings
from .telephony.call_engine import CallEngine
from .telephony.call_status import CallStatus
from .telephony.calls import Calls
from .telephony.room_switch import RoomSwitch
from .webhooks import WebhookSender


class Cloud:
    """All parts of the sandbox, and the actions that involve several parts."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock = Clock(settings.time_scale)
        self.faults = FaultRegistry()
        self.phonebook = PhoneBook()
        self.outbox = WebhookSender(settings, self.clock, self.faults)
        self._late: set[asyncio.Task[None]] = set()
        self._begin()

    def put_out(self, who: Participant, reason: str) -> None:
        """Remove a participant from its room: hang up a phone, or close an agent's socket with `reason`."""
        if who.call_id is not None:
            self.telephony.hang_up(self.calls.get(who.call_id), "cloud")
        else:
            self.presence.leave(who, "user-left", "cloud")
            who.listener.dismiss(reason)

    def deactivate(self, room: Room) -> None:
        """Close a room permanently and remove all its participants."""
        self.rooms.disable(room)
        for who in list(room.participants.values()):
            self.put_out(who, "deactivated")

    def in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` in a task. `reset` and `close` cancel it."""
        task = asyncio.get_running_loop().create_task(work)
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    def reset(self) -> None:
        """Remove all rooms, calls, faults, overrides and webhooks, and empty the ledger."""
        self._drop_everything()
        self.faults.clear()
        self.phonebook.clear()
        self.outbox.clear()
        self._begin()

    async def close(self) -> None:
        """Cancel all tasks and timers, and close all sockets."""
        self._drop_everything()
        await self.outbox.close()

    def _drop_everything(self) -> None:
        for task in self._late:
            task.cancel()
        self.telephony.clear()
        self.sockets.clear()
        self.rooms.clear()

    def _begin(self) -> None:
        self.requests = 0
        self.ledger = Ledger()
        self.rooms = Rooms(self.ledger)
        self.calls = Calls()
        self.recordings = Recordings(self.clock, self.ledger)
        self.presence = RoomActivity(self.clock, self.ledger, self.outbox, self.recordings)
        self.sockets = Sockets(self.clock, self.presence)
        news = CallStatus(self.outbox, self.rooms)
        self.telephony = CallEngine(
            self.clock, self.ledger, self.presence, self.rooms, self.calls, self.phonebook, news
        )
        self.switchboard = RoomSwitch(self.clock, self.ledger, self.faults, self.presence, self.calls, news)
