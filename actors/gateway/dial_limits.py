"""How many calls may be dialled: the limits, and what is counted for them. Pure.

Each count knows the minute of what it counts. So a count that a crash left too high is right again after a
span of time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta, Struct, field

from warmxfer.schemas import env_number
from warmxfer.schemas.fields import Id

DEFAULTS = 1_000, 100, 10, 200
"""Limits beyond a sandbox: per hour, destination and room, and pending. A busy contact centre raises them."""
MAX_LIMIT = 1_000_000
HOUR_MINUTES = 60
MAX_MINUTES = 1_000
"""Minutes of one count. A gateway keeps those of the last hour."""
MAX_PENDING = 5_000
"""All pending calls stand in one message."""
PENDING_MINUTES = 180
"""How long a call counts as pending if no process says that it is over: longer than any consultation."""
MINUTE_S = 60


@dataclass(frozen=True, slots=True)
class DialLimits:
    """Most dials of all gateways together. None: no limit.

    `pending`: calls that ring or are consulted at the same time.
    """

    per_hour: int | None = None
    per_destination: int | None = None
    per_room: int | None = None
    pending: int | None = None

    @classmethod
    def from_env(cls, env: Mapping[str, str], *, sandbox: bool) -> DialLimits:
        """Read the limits. Without a variable a sandbox has none. Raises `InvalidRequest`."""

        hour, to, room, pending = (0, 0, 0, 0) if sandbox else DEFAULTS
        return cls(
            per_hour=env_number(env, "WARMXFER_DIAL_PER_HOUR", int, hour, 1, MAX_LIMIT) or None,
            per_destination=env_number(env, "WARMXFER_DIAL_PER_DESTINATION", int, to, 1, MAX_LIMIT) or None,
            per_room=env_number(env, "WARMXFER_DIAL_PER_ROOM", int, room, 1, MAX_LIMIT) or None,
            pending=env_number(env, "WARMXFER_DIAL_PENDING", int, pending, 1, MAX_PENDING) or None,
        )


class DialCount(Struct, frozen=True):
    """Dials by the minute in which they were counted, since the epoch by the broker's clock."""

    minutes: Annotated[dict[int, int], Meta(max_length=MAX_MINUTES)] = field(default_factory=dict[int, int])

    def recent(self, minute: int, span: int) -> DialCount:
        """Return the count of the last `span` minutes before `minute`, and of `minute` itself."""
        return DialCount({each: n for each, n in self.minutes.items() if each >= minute - span})

    @property
    def total(self) -> int:
        """The number of dials."""
        return sum(self.minutes.values())

    def with_one(self, minute: int) -> DialCount:
        """Return the count with one more dial in `minute`."""
        return DialCount({**self.minutes, minute: self.minutes.get(minute, 0) + 1})

    def free_in(self, minute: int, span: int) -> int:
        """Return after how many minutes the oldest dial does not count any more."""
        return min(self.minutes, default=minute) + span + 1 - minute


class PendingCalls(Struct, frozen=True):
    """Calls that ring or are consulted, each with the minute in which it was dialled."""

    calls: Annotated[dict[Id, int], Meta(max_length=2 * MAX_PENDING)] = field(default_factory=dict[str, int])

    def recent(self, minute: int, span: int) -> PendingCalls:
        """Return the calls that were dialled in the last `span` minutes."""
        return PendingCalls({each: at for each, at in self.calls.items() if at >= minute - span})

    def with_call(self, call: str, minute: int) -> PendingCalls:
        """Return the calls and `call`."""
        return PendingCalls({**self.calls, call: minute})

    def without_call(self, call: str) -> PendingCalls:
        """Return the calls except `call`."""
        return PendingCalls({each: at for each, at in self.calls.items() if each != call})


def minute_of(at: float) -> int:
    """Return the minute of a moment."""
    return int(at // MINUTE_S)
