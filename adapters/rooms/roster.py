"""Who else is in the room, folded from what was seen: the difference of two looks is told as events.

Pure. A connection that was lost and had back shows the room anew; what happened meanwhile is the difference.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from .room_client import AudioStarted, ParticipantJoinedRoom, ParticipantLeftRoom, RoomEvent, RoomParticipant


class Roster:
    """The others in one room, by participant id."""

    def __init__(self) -> None:
        self._others: dict[str, RoomParticipant] = {}

    @property
    def others(self) -> tuple[RoomParticipant, ...]:
        return tuple(self._others.values())

    def replace_all(self, participants: Iterable[RoomParticipant]) -> list[RoomEvent]:
        """Take `found` for everybody who is here now; returns what must have happened since the last look."""
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
        """Take one event into account; returns it, or nothing when it is no news."""
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
