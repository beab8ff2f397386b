"""The names by which people and legs of a transfer are known at the provider, made and read back. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

Role = Literal["supervisor", "caller", "agent"]

_PREFIXES: dict[str, Role] = {"wxs": "supervisor", "wxc": "caller", "wxr": "caller", "wxa": "agent"}
_OURS = re.compile(r"(?P<prefix>wx[scra])-(?P<id>[A-Za-z0-9_-]{1,64})", re.ASCII)
_SUPERVISOR = re.compile(r"wxs-(?P<id>[A-Za-z0-9_-]{1,64})-(?P<attempt>[1-9][0-9]{0,2})", re.ASCII)
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_ATTEMPT = re.compile(r"[1-9][0-9]{0,2}", re.ASCII)


class Who(NamedTuple):
    """Whose a name is; `attempt` only for a supervisor."""

    role: Role
    transfer_id: str
    attempt: int | None = None


def attempt_key(transfer_id: str, attempt: int) -> str:
    """What makes one attempt's leg unmistakable."""
    return f"{transfer_id}-{attempt}"


def marks(transfer_id: str, attempt: int, house: str | None = None) -> dict[str, str]:
    """The metadata a dialled leg carries."""
    return {
        "warmxferId": transfer_id,
        "attempt": str(attempt),
        "attemptKey": attempt_key(transfer_id, attempt),
        **(house_marks(house) if house else {}),
    }


def house_marks(house: str) -> dict[str, str]:
    """What all legs that a house dials have in common."""
    return {"warmxferHouse": house}


def moved_caller(transfer_id: str) -> str:
    """The caller's participant id in the consultation room."""
    return f"wxc-{transfer_id}"


def whose(participant_id: str) -> Who | None:
    """Read a participant id of ours: wxs-<id>-<n>, wxc-<id>, wxr-<id>, wxa-<id>; None for any other."""
    if found := _SUPERVISOR.fullmatch(participant_id):
        return Who("supervisor", found["id"], int(found["attempt"]))
    found = _OURS.fullmatch(participant_id)
    if found is None or found["prefix"] == "wxs":
        return None
    return Who(_PREFIXES[found["prefix"]], found["id"])


def marked(metadata: Mapping[str, Any]) -> Who | None:
    """Read the metadata of a dialled leg; None when it is not one of ours."""
    transfer_id, attempt = metadata.get("warmxferId"), metadata.get("attempt")
    if not isinstance(transfer_id, str) or not isinstance(attempt, str):
        return None
    if _ID.fullmatch(transfer_id) is None or _ATTEMPT.fullmatch(attempt) is None:
        return None
    return Who("supervisor", transfer_id, int(attempt))
