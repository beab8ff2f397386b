"""Events inside a room. Agents' sockets receive the JSON frame of an event, phones the event itself.

An event whose frame is None goes only to phones. The WebSocket protocol does not report it.
"""

from __future__ import annotations

from dataclasses import dataclass

from .observer import Frame
from .rooms import Participant


@dataclass(frozen=True, slots=True)
class Joined:
    participant: Participant

    def frame(self) -> Frame | None:
        return {"type": "participant-joined", "participant": self.participant.public_view()}


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
    """An utterance ended. `text` is the part that was spoken before the end or the interruption."""

    speaker: Participant
    text: str

    def frame(self) -> Frame | None:
        return {"type": "speech", "participantId": self.speaker.id, "text": self.text}


@dataclass(frozen=True, slots=True)
class KeyPressed:
    """A person pressed a key of the phone. It is reported in order with speech."""

    participant: Participant
    digit: str

    def frame(self) -> Frame | None:
        return {"type": "key", "participantId": self.participant.id, "digit": self.digit}


@dataclass(frozen=True, slots=True)
class ListenChanged:
    participant: Participant

    def frame(self) -> Frame | None:
        return None


@dataclass(frozen=True, slots=True)
class ParticipantMoved:
    """The receiver of this event was switched into another room and has just arrived there."""

    def frame(self) -> Frame | None:
        return None
