"""What can be noticed in a room. Sockets get a happening as a JSON frame, people get it as it is.

A happening without a frame is only for ears: nobody tells a machine that somebody draws breath.
"""

from __future__ import annotations

from dataclasses import dataclass

from .observer import Frame
from .rooms import Participant


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
