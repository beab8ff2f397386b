"""Protocols of room events and of their receivers."""

from __future__ import annotations

from typing import Any, Protocol

Frame = dict[str, Any]


class RoomEvent(Protocol):
    """An event in a room. `room_events.py` holds all of them."""

    def frame(self) -> Frame | None:
        """Return the event as a JSON frame; None if sockets do not receive it."""
        ...


class RoomObserver(Protocol):
    """Receiver of a participant's events: an agent's socket or a person's phone."""

    def on_event(self, event: RoomEvent) -> None:
        """Receive an event of the room. Does not block."""
        ...

    def on_utterance_ended(self, utterance_id: str, interrupted: bool) -> None:
        """Receive the end of this participant's own utterance."""
        ...

    def on_removed(self, reason: str) -> None:
        """Receive that the cloud removed this participant from the room."""
        ...
