"""Rooms, their participants and sessions, and the registry of all rooms.

`room_activity.py` changes them: joins, leaves, speech and listening.
"""

from __future__ import annotations

import math
import secrets
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ..clock import iso, now_s
from ..errors import HttpError
from ..ledger import By, Ledger, LedgerRef
from ..limits import MAX_EMPTY_ROOMS, MAX_ROOMS
from .observer import RoomObserver
from .speech_queue import SpeechQueue

_ROOM_ID_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True, slots=True)
class RoomWebhook:
    """Webhook of one room. Empty `patterns` select all events."""

    url: str
    patterns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SipTag:
    """Phone call of a participant. `direction` is "inbound" or "outbound"."""

    call_id: str
    direction: str


@dataclass(slots=True, eq=False)
class Participant:
    """One participant in one room. `room` is None before it enters and after it leaves."""

    id: str
    name: str
    observer: RoomObserver
    sip: SipTag | None
    metadata: dict[str, Any] | None = None
    audio: bool = False
    listening: bool = True
    recordable_at: float = math.inf
    recorded: bool = False
    room: Room | None = None
    speech: SpeechQueue = field(init=False)

    @property
    def is_agent(self) -> bool:
        return self.sip is None

    @property
    def call_id(self) -> str | None:
        return self.sip.call_id if self.sip else None

    def ledger_ref(self, room: Room) -> LedgerRef:
        """Return the reference to this participant in `room`, for a ledger entry."""
        return LedgerRef(self.call_id, room.id, self.id, self.metadata or None)

    def public_view(self) -> dict[str, Any]:
        """Return this participant as JSON, as frames show it to other participants."""
        sip = {"callId": self.sip.call_id, "type": self.sip.direction} if self.sip else None
        return {"id": self.id, "name": self.name, "audio": self.audio, "sip": sip}


@dataclass(frozen=True, slots=True)
class RoomSession:
    """Period of a room between its first join and its last leave."""

    id: str
    started_at_s: float


@dataclass(slots=True, eq=False)
class Room:
    """One room, its participants and its current session."""

    id: str
    custom_id: str | None
    webhook: RoomWebhook | None
    options: dict[str, Any]
    created_at_s: float = field(default_factory=now_s)
    updated_at_s: float = field(default_factory=now_s)
    record_id: str = field(default_factory=lambda: secrets.token_hex(12))
    disabled: bool = False
    session: RoomSession | None = None
    participants: dict[str, Participant] = field(default_factory=dict)

    @property
    def agents(self) -> Iterator[Participant]:
        return (participant for participant in self.participants.values() if participant.is_agent)

    @property
    def people(self) -> Iterator[Participant]:
        return (participant for participant in self.participants.values() if not participant.is_agent)

    @property
    def held(self) -> bool:
        """Whether an agent in this room has stopped listening. The caller then counts as on hold."""
        return any(not agent.listening for agent in self.agents)

    def record(self, base_url: str) -> dict[str, Any]:
        """Return the room as the REST API shows it."""
        links = {
            "get_room": f"{base_url}/v2/rooms/{self.id}",
            "get_session": f"{base_url}/v2/sessions/?roomId={self.id}",
        }
        return {
            "roomId": self.id,
            "customRoomId": self.custom_id,
            "userId": "sandbox",
            "disabled": self.disabled,
            "createdAt": iso(self.created_at_s),
            "updatedAt": iso(self.updated_at_s),
            "id": self.record_id,
            "links": links,
            **self.options,
        }


class Rooms:
    """Registry of all rooms, by id and by custom id.

    Invariant: no operation looks at rooms that it is not about, however many are used or empty.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._by_id: dict[str, Room] = {}
        self._by_custom_id: dict[str, Room] = {}
        self._empty: OrderedDict[str, Room] = OrderedDict()
        """Rooms without a session, by id; the one that is empty for longest is the first."""

    def __iter__(self) -> Iterator[Room]:
        return iter(self._by_id.values())

    def create(
        self,
        by: By,
        custom_id: str | None = None,
        webhook: RoomWebhook | None = None,
        options: dict[str, Any] | None = None,
        *,
        room_id: str | None = None,
    ) -> Room:
        """Return a new room, or the existing room with this custom id.

        A test may choose `room_id`; otherwise it is random.
        Raises HttpError 429 if MAX_ROOMS rooms have a session.
        """
        if custom_id is not None and custom_id in self._by_custom_id:
            return self._by_custom_id[custom_id]
        if len(self._by_id) - len(self._empty) >= MAX_ROOMS:
            raise HttpError(429, f"{MAX_ROOMS} rooms have an active session: end some.")
        room = Room(room_id or _random_room_id(), custom_id, webhook, options or {})
        self._by_id[room.id] = room
        self.mark_empty(room)
        if custom_id is not None:
            self._by_custom_id[custom_id] = room
        self._ledger.record("room_created", by, LedgerRef(room_id=room.id), customRoomId=custom_id)
        return room

    def find(self, room_id: str) -> Room | None:
        """Return the room with this roomId; None if it does not exist."""
        return self._by_id.get(room_id)

    def find_by_any_id(self, room_or_custom_id: str) -> Room | None:
        """Return the room with this roomId or customRoomId; None if it does not exist."""
        return self._by_id.get(room_or_custom_id) or self._by_custom_id.get(room_or_custom_id)

    def get_active(self, room_id: str) -> Room:
        """Return the active room with this roomId. Raises HttpError 404 if unknown, 400 if deactivated."""
        room = self._by_id.get(room_id)
        if room is None:
            raise HttpError(404, "Room not found.")
        if room.disabled:
            raise HttpError(400, "Room is deactivated.")
        return room

    def disable(self, room: Room) -> None:
        """Deactivate a room, so that no participant can join it. Idempotent."""
        if not room.disabled:
            room.disabled = True
            room.updated_at_s = now_s()
            self._ledger.record("room_deactivated", "api", LedgerRef(room_id=room.id))

    def mark_used(self, room: Room) -> None:
        """Keep a room whose session has begun."""
        self._empty.pop(room.id, None)

    def mark_empty(self, room: Room) -> None:
        """Keep a room without a session; of more than MAX_EMPTY_ROOMS the first one is removed."""
        self._empty[room.id] = room
        if len(self._empty) > MAX_EMPTY_ROOMS:
            _, longest = self._empty.popitem(last=False)
            del self._by_id[longest.id]
            if longest.custom_id is not None:
                del self._by_custom_id[longest.custom_id]

    def clear(self) -> None:
        """Remove all rooms, and detach their participants."""
        for room in self:
            for participant in room.participants.values():
                participant.room = None
        self._by_id.clear()
        self._by_custom_id.clear()
        self._empty.clear()


def _random_room_id() -> str:
    return "-".join("".join(secrets.choice(_ROOM_ID_CHARACTERS) for _ in range(4)) for _ in range(3))
