"""Somebody in a room: an agent behind a socket, or a person behind a phone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .happenings import RoomObserver
from .ledger import About
from .speech import SpeechQueue

if TYPE_CHECKING:
    from .rooms import Room


@dataclass(frozen=True, slots=True)
class SipTag:
    """The phone call behind a participant; `direction` is "inbound" or "outbound"."""

    call_id: str
    direction: str


@dataclass(slots=True, eq=False)
class Participant:
    """One presence in one room; `room` is None before it entered and after it left."""

    id: str
    name: str
    listener: RoomObserver
    sip: SipTag | None
    metadata: dict[str, Any] | None = None
    audio: bool = False
    listening: bool = True
    recordable: bool = False
    recorded: bool = False
    room: Room | None = None
    speech: SpeechQueue = field(init=False)

    @property
    def is_agent(self) -> bool:
        return self.sip is None

    @property
    def call_id(self) -> str | None:
        return self.sip.call_id if self.sip else None

    def about(self, room: Room) -> About:
        """This participant in that room, for the ledger."""
        return About(self.call_id, room.id, self.id, self.metadata or None)

    def card(self) -> dict[str, Any]:
        """How the others see this participant, on the wire."""
        sip = {"callId": self.sip.call_id, "type": self.sip.direction} if self.sip else None
        return {"id": self.id, "name": self.name, "audio": self.audio, "sip": sip}
