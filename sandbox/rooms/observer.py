"""What stands behind a participant, and the events of the room that it receives."""

from __future__ import annotations

from typing import Any, Protocol

Frame = dict[str, Any]


class RoomEvent(Protocol):
    """An event in a room; `room_events.py` has them all."""

    def frame(self) -> Frame | None:
        """The event as a JSON frame for a socket; None if no agent receives it."""
        ...


class RoomObserver(Protocol):
    """What stands behind a participant: a socket, or a person with a phone."""

    def notice(self, happening: RoomEvent) -> None:
        """Take note of something in the room; returns at once."""
        ...

    def utterance_ended(self, utterance_id: str, interrupted: bool) -> None:
        """An utterance of this participant's own has ended."""
        ...

    def dismiss(self, reason: str) -> None:
        """This participant is no longer in the room, and not by its own doing."""
        ...
