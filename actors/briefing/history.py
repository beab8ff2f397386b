"""What earlier workers published about a consultation, so that another worker can continue it. Pure.

A worker that takes over did not see the room before. It rebuilds three facts from the transfer's events:
whether the decision was published, who is in the room, and how often each participant left.

The events are read twice: before the join and after it. A participant who was present in both readings, but
is not in the room, has left. A participant who arrived between the readings may simply be newer than the
room's snapshot.
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
HISTORY_EVENTS = (ParticipantJoined, AudioStreamEnabled, ParticipantLeft, *DECISIONS)
"""The events that a history is made of. No other event needs to be kept."""


@dataclass(slots=True)
class ConsultationHistory:
    """State of one consultation, by its published events.

    `present` holds participants who joined and did not leave. `departures` counts leaves by participant id.
    """

    decided: bool = False
    present: set[str] = field(default_factory=set[str])
    departures: Counter[str] = field(default_factory=Counter[str])


def from_events(events: Iterable[tuple[int, AnyEvent]], room_id: str, since_seq: int) -> ConsultationHistory:
    """Return the history of `room_id` from all `events` of a transfer; decisions count after `since_seq`."""
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
