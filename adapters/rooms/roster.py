"""The other participants of a room, and the events between two snapshots. Pure.

A reconnect delivers a new snapshot of the room. Its difference to the old one is what happened meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

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
        present = {participant.id: participant for participant in participants}
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
                if participant.id in self._others:
                    return []
                self._others[participant.id] = participant
            case ParticipantLeftRoom(participant_id):
                if self._others.pop(participant_id, None) is None:
                    return []
            case AudioStarted(participant_id):
                known = self._others.get(participant_id, RoomParticipant(participant_id))
                self._others[participant_id] = msgspec.structs.replace(known, audible=True)
            case _:
                pass
        return [event]
