"""Call records and their registry. `call_engine.py` and `room_switch.py` change them."""

import asyncio
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from ..clock import Clock, iso, now_s
from ..errors import HttpError
from ..ledger import LedgerRef
from ..limits import MAX_CALLS
from ..rooms.rooms import Participant

Direction = Literal["inbound", "outbound"]

TERMINAL_STATUSES: Final = frozenset({"missed", "not-answered", "failed", "rejected", "abandoned", "ended"})
DEFAULT_RINGING_TIMEOUT_S: Final = 60.0
MIN_TIMER_REAL_S: Final = 0.005
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
    task: asyncio.Task[None] | None = None
    timers: set[asyncio.TimerHandle] = field(default_factory=set)
    pending_switch: asyncio.TimerHandle | None = None

    @property
    def has_ended(self) -> bool:
        return self.status in TERMINAL_STATUSES

    @property
    def active(self) -> bool:
        """Whether the call was answered and has not ended."""
        return self.answered and not self.has_ended

    @property
    def number(self) -> str:
        """Number of the phone at the far end."""
        return self.callee if self.direction == "outbound" else self.caller

    @property
    def ledger_ref(self) -> LedgerRef:
        return LedgerRef(self.id, self.room_id, self.participant_id, self.metadata or None)

    def call_later(
        self, clock: Clock, delay_s: float, callback: Callable[[], None], min_real_s: float = MIN_TIMER_REAL_S
    ) -> None:
        """Run `callback` after `delay_s`, unless this call has ended by then."""

        def run() -> None:
            self.timers.discard(timer)
            callback()

        timer = clock.call_later(delay_s, run, min_real_s)
        self.timers.add(timer)

    def add_status(self, status: str, **details: object) -> None:
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
            self._remove_ended()
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

    def _remove_ended(self) -> None:
        ended = next((call for call in self if call.has_ended), None)
        if ended is None:
            raise HttpError(429, f"{MAX_CALLS} calls are live: end some.")
        del self._by_id[ended.id]
        self._drop_from_room(ended)

    def _drop_from_room(self, call: Call) -> None:
        room_calls = self._by_room.get(call.room_id, {})
        room_calls.pop(call.id, None)
        if not room_calls:
            self._by_room.pop(call.room_id, None)
