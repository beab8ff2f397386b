"""Call records and their registry. `call_engine.py` and `room_switch.py` change them."""

import asyncio
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from ..clock import Clock, iso, now_s
from ..errors import HttpError
from ..ledger import LedgerRef
from ..limits import MAX_ENDED_CALLS, MAX_LIVE_CALLS
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
    statuses: tuple[tuple[str, float, dict[str, Any] | None], ...] = ()
    """Each status so far, the time when it was set, and its details."""
    session_id: str | None = None
    started_at_s: float = field(default_factory=now_s)
    ended_at_s: float | None = None
    answered: bool = False
    participant: Participant | None = None
    task: asyncio.Task[None] | None = None
    timers: set[asyncio.TimerHandle] | None = None
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

        timers = self.timers
        if timers is None:
            timers = self.timers = set()

        def run() -> None:
            timers.discard(timer)
            callback()

        timer = clock.call_later(delay_s, run, min_real_s)
        timers.add(timer)

    def add_status(self, status: str, **details: object) -> None:
        """Set the status and append it to the timelog."""
        self.status = status
        self.statuses = (*self.statuses, (status, now_s(), details or None))

    @property
    def timelog(self) -> list[dict[str, Any]]:
        return [
            {"status": status, "timestamp": iso(at_s), **(details or {})}
            for status, at_s, details in self.statuses
        ]

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
            "timelog": self.timelog,
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
            "timelog": self.timelog,
            "additionalDetails": {},
        }


class Calls:
    """Registry of all calls: by id, by room, and the live ones by participant.

    Invariant: no operation looks at calls that it is not about, however many are live or have ended.
    """

    def __init__(self) -> None:
        self._by_id: dict[str, Call] = {}
        self._by_room: dict[str, dict[str, Call]] = {}
        self._live_by_participant: dict[str, dict[str, Call]] = {}
        self._ended: deque[Call] = deque()
        """Ended calls, oldest end first."""

    def __iter__(self) -> Iterator[Call]:
        return iter(self._by_id.values())

    def newest_first(self) -> Iterator[Call]:
        return reversed(self._by_id.values())

    def add(self, call: Call) -> None:
        """Add a new call. Raises HttpError 429 if MAX_LIVE_CALLS calls are live."""
        if len(self._by_id) - len(self._ended) >= MAX_LIVE_CALLS:
            raise HttpError(429, f"{MAX_LIVE_CALLS} calls are live: end some.")
        self._by_id[call.id] = call
        self._by_room.setdefault(call.room_id, {})[call.id] = call
        self._live_by_participant.setdefault(call.participant_id, {})[call.id] = call

    def get(self, call_id: str) -> Call:
        """Return the call with this id. Raises HttpError 404 if it does not exist."""
        call = self._by_id.get(call_id)
        if call is None:
            raise HttpError(404, "Call not found.")
        return call

    def of_room(self, room_id: str) -> list[Call]:
        """Return the calls of a room, newest first."""
        calls = self._by_room.get(room_id, {}).values()
        return sorted(calls, key=lambda call: call.started_at_s, reverse=True)

    def live_of(self, participant_id: str) -> list[Call]:
        return list(self._live_by_participant.get(participant_id, {}).values())

    def move(self, call: Call, room_id: str, participant_id: str) -> None:
        """Give a live call another room and another participant id."""
        _drop(self._by_room, call.room_id, call)
        _drop(self._live_by_participant, call.participant_id, call)
        call.room_id, call.participant_id = room_id, participant_id
        self._by_room.setdefault(room_id, {})[call.id] = call
        self._live_by_participant.setdefault(participant_id, {})[call.id] = call

    def mark_ended(self, call: Call) -> None:
        """Keep an ended call for lists and look-ups; of more than MAX_ENDED_CALLS the oldest is removed."""
        _drop(self._live_by_participant, call.participant_id, call)
        self._ended.append(call)
        if len(self._ended) > MAX_ENDED_CALLS:
            oldest = self._ended.popleft()
            del self._by_id[oldest.id]
            _drop(self._by_room, oldest.room_id, oldest)

    def clear(self) -> None:
        self._by_id.clear()
        self._by_room.clear()
        self._live_by_participant.clear()
        self._ended.clear()


def _drop(index: dict[str, dict[str, Call]], key: str, call: Call) -> None:
    calls = index.get(key, {})
    calls.pop(call.id, None)
    if not calls:
        index.pop(key, None)
