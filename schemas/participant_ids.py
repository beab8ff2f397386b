"""Participant ids that warmxfer assigns, built and parsed in one place. Pure.

wxs-<transfer id>-<attempt>   the supervisor in the consultation room
wxc-<transfer id>             the caller in the consultation room
wxr-<transfer id>             the caller after the return to the primary room
wxa-<transfer id>             the briefing agent in the consultation room
wxh-<transfer id>             the person who was dialled to rescue the caller, in the primary room
agent-<room id>               the AI session of `warmxfer run primary`, in its primary room
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

TRANSFER_ID = r"[A-Za-z0-9_-]{1,64}"
ATTEMPT = r"[1-9][0-9]{0,2}"
"""Patterns of the two parts: a transfer id, and the number of a dial attempt."""

Role = Literal["supervisor", "caller", "agent", "rescuer"]

_ROLES: dict[str, Role] = {"wxc": "caller", "wxr": "caller", "wxa": "agent", "wxh": "rescuer"}
_SUPERVISOR = re.compile(rf"wxs-(?P<id>{TRANSFER_ID})-(?P<attempt>{ATTEMPT})", re.ASCII)
_OTHER = re.compile(rf"(?P<prefix>wx[crah])-(?P<id>{TRANSFER_ID})", re.ASCII)


class ParticipantId(NamedTuple):
    """The parts of a participant id. Only a supervisor's has an `attempt`."""

    role: Role
    transfer_id: str
    attempt: int | None = None


def supervisor(transfer_id: str, attempt: int) -> str:
    """Return the supervisor's id in the consultation room."""
    return f"wxs-{transfer_id}-{attempt}"


def caller_consult(transfer_id: str) -> str:
    """Return the caller's id in the consultation room."""
    return f"wxc-{transfer_id}"


def caller_return(transfer_id: str) -> str:
    """Return the caller's id after the return to the primary room."""
    return f"wxr-{transfer_id}"


def agent(transfer_id: str) -> str:
    """Return the briefing agent's id in the consultation room."""
    return f"wxa-{transfer_id}"


def rescuer(transfer_id: str) -> str:
    """Return the id of the person who was dialled to rescue the caller."""
    return f"wxh-{transfer_id}"


def session_agent(room_id: str) -> str:
    """Return the id of the AI session in its primary room. A restarted process joins under the same id."""
    return f"agent-{room_id}"


def parse(participant_id: str) -> ParticipantId | None:
    """Return the parts of `participant_id`, or None if warmxfer did not assign it."""
    if found := _SUPERVISOR.fullmatch(participant_id):
        return ParticipantId("supervisor", found["id"], int(found["attempt"]))
    if found := _OTHER.fullmatch(participant_id):
        return ParticipantId(_ROLES[found["prefix"]], found["id"])
    return None
