"""The whole sandbox as one object: its parts, wired once. Everything lives in memory and dies with it."""

from .calls import Calls
from .clock import Clock
from .faults import FaultBook
from .ledger import Ledger
from .phonebook import PhoneBook
from .presence import Presence
from .rooms import Room, Rooms
from .settings import Settings
from .sockets import Sockets
from .telephony import Telephony
from .webhooks import Outbox


class Cloud:
    """All parts, and the two things that concern them all: closing a room, and starting afresh."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock = Clock(settings.time_scale)
        self.faults = FaultBook()
        self.phonebook = PhoneBook()
        self.outbox = Outbox(settings, self.clock, self.faults)
        self._begin()

    def _begin(self) -> None:
        self.ledger = Ledger()
        self.rooms = Rooms(self.ledger)
        self.calls = Calls()
        self.presence = Presence(self.clock, self.ledger, self.outbox)
        self.sockets = Sockets(self.clock, self.presence)
        self.telephony = Telephony(
            self.clock,
            self.ledger,
            self.faults,
            self.outbox,
            self.presence,
            self.rooms,
            self.calls,
            self.phonebook,
        )

    def deactivate(self, room: Room) -> None:
        """Close a room for good: phones in it are hung up, sockets are closed."""
        self.rooms.disable(room)
        for who in list(room.participants.values()):
            if who.call_id is not None:
                self.telephony.hang_up(self.calls.get(who.call_id), "cloud")
            else:
                self.presence.leave(who, "user-left", "cloud")
                who.listener.dismiss("deactivated")

    def reset(self) -> None:
        """Start afresh: no rooms, calls, faults, overrides, webhooks; an empty ledger."""
        self.telephony.clear()
        self.sockets.clear()
        self.faults.clear()
        self.phonebook.clear()
        self.outbox.clear()
        self._begin()

    async def close(self) -> None:
        """Drop everything that still runs."""
        self.telephony.clear()
        self.sockets.clear()
        await self.outbox.close()
