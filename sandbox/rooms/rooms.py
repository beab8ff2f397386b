"""Rooms, their participants and sessions, and the registry of all rooms.

`room_activity.py` changes them: joins, leaves, speech and listening.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ..clock import iso, now_s
from ..errors import HttpError
from ..ledger import About, By, Ledger
from ..limits import MAX_ROOMS
from .observer import RoomObserver
from .speech_queue import SpeechQueue

_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True, slots=True)
class Hook:
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
        """Return the reference to this participant in `room`, for a ledger entry."""
        return About(self.call_id, room.id, self.id, self.metadata or None)

    def card(self) -> dict[str, Any]:
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
    id: str
    custom_id: str | None
    hook: Hook | None
    options: dict[str, Any]
    created_at_s: float = field(default_factory=now_s)
    updated_at_s: float = field(default_factory=now_s)
    record_id: str = field(default_factory=lambda: secrets.token_hex(12))
    disabled: bool = False
    session: RoomSession | None = None
    participants: dict[str, Participant] = field(default_factory=dict)

    @property
    def agents(self) -> Iterator[Participant]:
        return (who for who in self.participants.values() if who.is_agent)

    @property
    def people(self) -> Iterator[Participant]:
        return (who for who in self.participants.values() if not who.is_agent)

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
    """Registry of all rooms, by id and by custom id."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._by_id: dict[str, Room] = {}
        self._by_custom_id: dict[str, Room] = {}

    def __iter__(self) -> Iterator[Room]:
        return iter(self._by_id.values())

    def create(
        self,
        by: By,
        custom_id: str | None = None,
        hook: Hook | None = None,
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
        if len(self._by_id) >= MAX_ROOMS:
            self._forget_one()
        room = Room(room_id or _room_id(), custom_id, hook, options or {})
        self._by_id[room.id] = room
        if custom_id is not None:
            self._by_custom_id[custom_id] = room
        self._ledger.record("room_created", by, About(room_id=room.id), customRoomId=custom_id)
        return room

    def find(self, room_id: str) -> Room | None:
        """Return the room with this roomId; None if it does not exist."""
        return self._by_id.get(room_id)

    def find_either(self, room_or_custom_id: str) -> Room | None:
        """Return the room with this roomId or customRoomId; None if it does not exist."""
        return self._by_id.get(room_or_custom_id) or self._by_custom_id.get(room_or_custom_id)

    def open(self, room_id: str) -> Room:
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
            self._ledger.record("room_deactivated", "api", About(room_id=room.id))

    def clear(self) -> None:
        """Remove all rooms, and detach their participants."""
        for room in self:
            for who in room.participants.values():
                who.room = None
        self._by_id.clear()
        self._by_custom_id.clear()

    def _forget_one(self) -> None:
        empty = next((room for room in self if room.session is None), None)
        if empty is None:
            raise HttpError(429, f"The sandbox holds {MAX_ROOMS} rooms with somebody in them: close some.")
        del self._by_id[empty.id]
        if empty.custom_id is not None:
            del self._by_custom_id[empty.custom_id]


def _room_id() -> str:
    return "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(3))
