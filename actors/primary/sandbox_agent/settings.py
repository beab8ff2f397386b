"""Settings of `warmxfer run primary`, from the environment."""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct

from warmxfer.adapters.rooms import ROOM_KIND_VARIABLE, room_kind
from warmxfer.schemas import TOKEN_PATTERN, InvalidRequest, env_number

from ..hold_lease import DEFAULT_LEASE_S, MAX_LEASE_S, MIN_LEASE_S

MAX_ROOMS = 200


class PrimarySettings(Struct, frozen=True, kw_only=True):
    """One AI session per room. The session name is the room id."""

    room_ids: tuple[str, ...]
    lease_s: float = DEFAULT_LEASE_S

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> PrimarySettings:
        """Read the settings. Raises `InvalidRequest` with the variable, its value and the remedy."""
        lease_s = env_number(env, "WARMXFER_HOLD_LEASE_S", float, DEFAULT_LEASE_S, MIN_LEASE_S, MAX_LEASE_S)
        if (kind := room_kind(env)) != "sandbox":
            raise InvalidRequest(
                f"{ROOM_KIND_VARIABLE} is {kind!r}, but the demo AI sessions run in the sandbox only; "
                "unset it, and attach your own session in its own process (docs/migration.md)",
                field=ROOM_KIND_VARIABLE,
            )
        return cls(room_ids=_room_ids(env), lease_s=lease_s)


def _room_ids(env: Mapping[str, str]) -> tuple[str, ...]:
    value = env.get("WARMXFER_ROOM_ID", "")
    room_ids = tuple(each.strip() for each in value.split(",") if each.strip())
    if not 1 <= len(room_ids) <= MAX_ROOMS or not all(re.match(TOKEN_PATTERN, each) for each in room_ids):
        raise InvalidRequest(
            f"WARMXFER_ROOM_ID is {value[:40]!r}; give the room id of the AI session "
            f"(1 to 64 of A-Z a-z 0-9 _ -), or up to {MAX_ROOMS} of them, separated by commas",
            field="WARMXFER_ROOM_ID",
        )
    return room_ids
