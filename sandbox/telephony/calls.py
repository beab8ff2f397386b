"""Call records and their registry. `call_engine.py` and `room_switch.py` change them."""

import asyncio
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from ..clock import Clock, iso, now_s
from ..errors import HttpError
from ..ledger import About
from ..limits import MAX_CALLS
from ..rooms.rooms import Participant

Direction = Literal["inbound", "outbound"]

TERMINAL: Final = frozenset({"missed", "not-answered", "failed", "rejected", "abandoned", "ended"})
DEFAULT_RINGING_TIMEOUT_S: Final = 60.0
MIN_PAUSE_S: Final = 0.005
"""Minimum delay of a person's timers in real seconds, at any time scale."""


@dataclass(slots=True, eq=False)
class Call:
    """One call leg between the cloud and a phone. Times are epoch seconds, durations simulated seconds."""

    direction: Direction
    caller: str
    callee: str
    room_id: str
    participant_id: str
    participant_name: str
    metadata: dict[str, Any] = field(default_factory=dict)
    routing_rule_id: str | None = None
    gateway_id: str | None = None
    ringing_timeout_s: float = DEFAULT_RINGING_TIMEOUT_S
    max_duration_s: float | None = None
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    status: str = ""
    timelog: list[dict[str, Any]] = field(default_factory=list)
    session_id: str | None = None
    started_at_s: float = field(default_factory=now_s)
    ended_at_s: float | None = None
    answered: bool = False
    participant: Participant | None = None
    life: asyncio.Task[None] | None = None
    timers: set[asyncio.TimerHandle] = field(default_factory=set)
    moving: asyncio.TimerHandle | None = None

    @property
    def over(self) -> bool:
        return self.status in TERMINAL

    @property
    def active(self) -> bool:
        """Whether the call was answered and has not ended."""
        return self.answered and not self.over

    @property
    def number(self) -> str:
        """Number of the phone at the far end."""
        return self.callee if self.direction == "outbound" else self.caller

    @property
    def about(self) -> About:
        return About(self.id, self.room_id, self.participant_id, self.metadata or None)

    def after(self, clock: Clock, delay_s: float, act: Callable[[], None]) -> None:
        """Run `act` after `delay_s`, unless this call has ended by then."""

        def fire() -> None:
            self.timers.discard(timer)
            act()

        timer = clock.later(delay_s, fire, MIN_PAUSE_S)
        self.timers.add(timer)

    def mark(self, status: str, **details: object) -> None:
        """Set the status and append it to the timelog."""
        self.status = status
        self.timelog.append({"status": status, "timestamp": iso(now_s()), **details})

    def summary(self) -> dict[str, Any]:
        """Return the short form, for POST responses and webhooks."""
        return {
            "callId": self.id,
            "status": self.status,
            "roomId": self.room_id,
            "sipCallTo": self.callee,
            "sipCallFrom": self.caller,
            "gatewayId": self.gateway_id,
            "metadata": self.metadata,
            "timelog": list(self.timelog),
        }

    def record(self) -> dict[str, Any]:
        """Return the long form, for GET responses.

        It has no id: a list names it `callId`, a single record `id`.
        """
        return {
            "type": self.direction,
            "gatewayId": self.gateway_id,
            "ruleId": self.routing_rule_id,
            "roomId": self.room_id,
            "sessionId": self.session_id,
            "from": self.caller,
            "to": self.callee,
            "sipCallFrom": self.caller,
            "sipCallTo": self.callee,
            "status": self.status,
            "transport": "udp",
            "provider": "sandbox",
            "region": "local",
            "metadata": self.metadata,
            "start": iso(self.started_at_s),
            "end": iso(self.ended_at_s) if self.ended_at_s is not None else None,
            "transfer": None,
            "timelog": list(self.timelog),
            "additionalDetails": {},
        }


class Calls:
    """Registry of all calls, by id and by room."""

    def __init__(self) -> None:
        self._by_id: dict[str, Call] = {}
        self._by_room: dict[str, dict[str, Call]] = {}

    def __iter__(self) -> Iterator[Call]:
        return iter(self._by_id.values())

    def add(self, call: Call) -> None:
        """Add a new call. Raises HttpError 429 if MAX_CALLS calls are live."""
        if len(self._by_id) >= MAX_CALLS:
            self._forget_one()
        self._by_id[call.id] = call
        self._by_room.setdefault(call.room_id, {})[call.id] = call

    def get(self, call_id: str) -> Call:
        """Return the call with this id. Raises HttpError 404 if it does not exist."""
        call = self._by_id.get(call_id)
        if call is None:
            raise HttpError(404, "Call not found.")
        return call

    def of_room(self, room_id: str) -> list[Call]:
        return list(self._by_room.get(room_id, {}).values())

    def move(self, call: Call, room_id: str) -> None:
        """Move a call to another room in the registry."""
        self._drop_from_room(call)
        call.room_id = room_id
        self._by_room.setdefault(room_id, {})[call.id] = call

    def clear(self) -> None:
        self._by_id.clear()
        self._by_room.clear()

    def _forget_one(self) -> None:
        ended = next((call for call in self if call.over), None)
        if ended is None:
            raise HttpError(429, f"The sandbox carries {MAX_CALLS} calls: end some.")
        del self._by_id[ended.id]
        self._drop_from_room(ended)

    def _drop_from_room(self, call: Call) -> None:
        siblings = self._by_room.get(call.room_id, {})
        siblings.pop(call.id, None)
        if not siblings:
            self._by_room.pop(call.room_id, None)
