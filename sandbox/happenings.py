"""What can be noticed in a room. Sockets get a happening as a JSON frame, people get it as it is.

A happening without a frame is only for ears: nobody tells a machine that somebody draws breath.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from .participants import Participant

Frame = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Joined:
    participant: Participant

    def frame(self) -> Frame | None:
        return {"type": "participant-joined", "participant": self.participant.card()}


@dataclass(frozen=True, slots=True)
class Left:
    participant: Participant
    reason: str

    def frame(self) -> Frame | None:
        return {"type": "participant-left", "participantId": self.participant.id, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class AudioEnabled:
    participant: Participant

    def frame(self) -> Frame | None:
        return {"type": "audio-stream-enabled", "participantId": self.participant.id, "kind": "audio"}


@dataclass(frozen=True, slots=True)
class SpeechBegan:
    speaker: Participant

    def frame(self) -> Frame | None:
        return None


@dataclass(frozen=True, slots=True)
class Spoke:
    """An utterance ended. `text` is what was really heard of it."""

    speaker: Participant
    text: str

    def frame(self) -> Frame | None:
        return {"type": "speech", "participantId": self.speaker.id, "text": self.text}


@dataclass(frozen=True, slots=True)
class ListenChanged:
    participant: Participant

    def frame(self) -> Frame | None:
        return None


@dataclass(frozen=True, slots=True)
class ParticipantMoved:
    """The one who notices this was switched into another room and has just arrived there."""

    def frame(self) -> Frame | None:
        return None


RoomEvent = Joined | Left | AudioEnabled | SpeechBegan | Spoke | ListenChanged | ParticipantMoved


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
