"""The other participants of a room, and the events between two snapshots. Pure.

A reconnect delivers a new snapshot of the room. Its difference to the old one is what happened meanwhile.

Here the texts of a room come in. A participant chooses their own id: one whose id is too long for a message
is left out, because warmxfer looks for no such participant. Other texts are cut.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from warmxfer.schemas.fields import REASON_MAX_CHARS, WORD_MAX_CHARS, provider_id

from .room_client import AudioStarted, ParticipantJoinedRoom, ParticipantLeftRoom, RoomEvent, RoomParticipant


class Roster:
    """The other participants of one room, by participant id."""

    def __init__(self) -> None:
        self._others: dict[str, RoomParticipant] = {}

    @property
    def others(self) -> tuple[RoomParticipant, ...]:
        return tuple(self._others.values())

    def replace_all(self, participants: Iterable[RoomParticipant]) -> list[RoomEvent]:
        """Replace all participants. Returns the events that must have happened since the last update."""
        present = {each.id: each for each in participants if provider_id(each.id) is not None}
        events: list[RoomEvent] = [
            ParticipantLeftRoom(id, "left while the connection was down")
            for id in self._others
            if id not in present
        ]
        for participant in present.values():
            known = self._others.get(participant.id)
            if known is None:
                events.append(ParticipantJoinedRoom(participant))
            elif participant.audible and not known.audible:
                events.append(AudioStarted(participant.id))
        self._others = present
        return events

    def apply(self, event: RoomEvent | None) -> list[RoomEvent]:
        """Apply one event. Returns it in a list, or an empty list if it changes nothing."""
        match event:
            case None:
                return []
            case ParticipantJoinedRoom(participant):
                if participant.id in self._others or provider_id(participant.id) is None:
                    return []
                self._others[participant.id] = participant
            case ParticipantLeftRoom(participant_id, reason):
                if self._others.pop(participant_id, None) is None:
                    return []
                event = ParticipantLeftRoom(participant_id, reason[:REASON_MAX_CHARS])
            case AudioStarted(participant_id, kind):
                if provider_id(participant_id) is None:
                    return []
                event = AudioStarted(participant_id, kind[:WORD_MAX_CHARS])
                known = self._others.get(participant_id, RoomParticipant(participant_id))
                self._others[participant_id] = msgspec.structs.replace(known, audible=True)
            case _:
                pass
        return [event]
