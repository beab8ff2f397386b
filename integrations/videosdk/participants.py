"""The people in a session's room, read from the room as it is now.

The framework takes each participant whose name contains "agent" for an agent. A phone is a person, whatever
its owner's name is.
"""

from __future__ import annotations

from typing import Any

from warmxfer.adapters.rooms.videosdk.framework import is_agent, participant_data_of, participants_of


def caller_in(room: Any) -> str | None:
    """Return the participant id of the only phone, else of the only person; None if there are several."""
    people = _people(room)
    phones = [id for id in people if _is_phone(room, id)]
    for candidates in (phones, people):
        if candidates:
            return candidates[0] if len(candidates) == 1 else None
    return None


def has_people(room: Any) -> bool:
    """Return whether a person is in the room."""
    return bool(_people(room))


def id_if_in_room(room: Any, participant: Any) -> str | None:
    """Return the participant's id if they are or were in this room; else None.

    One emitter may carry the events of several rooms.
    """
    id = getattr(participant, "id", None)
    return id if id in participant_data_of(room) else None


def _people(room: Any) -> list[str]:
    return [
        id
        for id, participant in participants_of(room).items()
        if _is_phone(room, id) or not is_agent(room, participant)
    ]


def _is_phone(room: Any, id: str) -> bool:
    return bool((participant_data_of(room).get(id) or {}).get("sipUser"))
