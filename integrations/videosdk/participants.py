"""Who is in the session's room: read from the room as it is now, never from a display name alone.

The framework takes everybody with "agent" in their name for a machine. A phone is a person whatever its
owner is called.
"""

from __future__ import annotations

from typing import Any


def caller_in(room: Any) -> str | None:
    """The caller's participant id: the only phone, else the only person; None when there is no telling."""
    people = _people(room)
    phones = [id for id in people if _is_phone(room, id)]
    for candidates in (phones, people):
        if candidates:
            return candidates[0] if len(candidates) == 1 else None
    return None


def has_people(room: Any) -> bool:
    """Whether a person is in the room."""
    return bool(_people(room))


def id_if_here(room: Any, participant: Any) -> str | None:
    """The participant's id if they are, or were, in this room: one emitter may carry events of several."""
    id = getattr(participant, "id", None)
    return id if id in (getattr(room, "participants_data", None) or {}) else None


def _people(room: Any) -> list[str]:
    present = getattr(getattr(room, "meeting", None), "participants", None) or {}
    return [id for id, who in present.items() if _is_phone(room, id) or not _is_machine(room, who)]


def _is_phone(room: Any, id: str) -> bool:
    known = (getattr(room, "participants_data", None) or {}).get(id) or {}
    return bool(known.get("sipUser"))


def _is_machine(room: Any, participant: Any) -> bool:
    return bool(room._is_agent_participant(participant))
