"""What the stream already knows of a consultation: read on joining, so that a take-over goes on. Pure.

A worker that takes over did not see what its predecessor saw. Whether the decision was told already, who was
in the room, and how often somebody left it, is folded from the transfer's events. They are read before the
door and again behind it: who was in the room before, and is not there on entering, has left; of who came
meanwhile that cannot be said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from warmxfer.schemas import (
    AnyEvent,
    AudioStreamEnabled,
    ParticipantJoined,
    ParticipantLeft,
    SupervisorDeclined,
    SupervisorReady,
    VoicemailDetected,
)

DECISIONS = (SupervisorReady, SupervisorDeclined, VoicemailDetected)


@dataclass(slots=True)
class ConsultationHistory:
    """`departures` counts by participant id; `present` are those who came and were not seen leaving."""

    decided: bool = False
    present: set[str] = field(default_factory=set[str])
    departures: Counter[str] = field(default_factory=Counter[str])


def from_events(events: Iterable[tuple[int, AnyEvent]], room_id: str, since_seq: int) -> ConsultationHistory:
    """The past of `room_id` out of all events of the transfer; decisions count from `since_seq` on."""
    history = ConsultationHistory()
    for seq, event in events:
        match event:
            case ParticipantJoined() | AudioStreamEnabled() if event.room_id == room_id:
                history.present.add(event.participant_id)
            case ParticipantLeft() if event.room_id == room_id:
                history.present.discard(event.participant_id)
                history.departures[event.participant_id] += 1
            case _:
                history.decided |= isinstance(event, DECISIONS) and seq > since_seq
    return history
