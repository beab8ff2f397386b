"""Registry of injected faults: what fails, where, and how many times.

This module selects and counts faults. Other modules carry them out:

- HTTP requests: `api/fault_injection.py`
- chat completions: `api/chat_completions.py`
- joins: `api/rooms.py`
- pressed keys: `telephony/keypad.py`
- room switches: `telephony/room_switch.py`
- webhooks: `webhooks.py`
"""

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final

from .api import request_fields
from .errors import HttpError
from .limits import MAX_FAULTS

LLM_PATH: Final = "/v1/chat/completions"

HTTP_KINDS: Final = frozenset(
    [
        "delay",
        "status",
        "reset",
        "execute_then_reset",
        "execute_then_timeout",
        "execute_late",
        "execute_twice",
        "garbage",
        "wrong_schema",
        "slow_drip",
    ]
)
LLM_KINDS: Final = frozenset({"hang", "endless", "refuse", "empty"})
WEBHOOK_KINDS: Final = frozenset({"drop", "duplicate", "delay", "reorder"})
SWITCH_KINDS: Final = frozenset({"never_arrives", "arrives_late", "fails"})
JOIN_KINDS: Final = frozenset({"delay", "refuse"})
KEY_KINDS: Final = frozenset({"drop", "duplicate", "delay"})

_KINDS_BY_PLACE: Final = {
    "http": HTTP_KINDS,
    "llm": LLM_KINDS | HTTP_KINDS,
    "webhook": WEBHOOK_KINDS,
    "switch": SWITCH_KINDS,
    "join": JOIN_KINDS,
    "key": KEY_KINDS,
}
UNLIMITED: Final = 0


@dataclass(slots=True)
class Fault:
    """One injected fault.

    `place` and `match` select the operations that it applies to. `left` is the number of remaining
    applications (None: unlimited), `struck` the number so far.
    """

    place: str
    kind: str
    match: dict[str, str]
    delay_s: float = 0.0
    hold_s: float = 0.0
    retry_after_s: float | None = None
    status: int = 500
    body: Any = None
    left: int | None = 1
    struck: int = field(default=0)

    def record(self) -> dict[str, Any]:
        return {
            "place": self.place,
            "kind": self.kind,
            "match": self.match,
            "delayS": self.delay_s,
            "holdS": self.hold_s,
            "retryAfterS": self.retry_after_s,
            "status": self.status,
            "left": self.left,
            "struck": self.struck,
        }


class FaultRegistry:
    """All active faults, oldest first. The first fault that matches an operation applies."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, body: request_fields.Body) -> Fault:
        """Activate a fault. Raises HttpError 400 if `body` is invalid or too many faults are active."""
        if len(self._faults) >= MAX_FAULTS:
            raise HttpError(400, f"{MAX_FAULTS} faults are active: remove them (DELETE /sandbox/faults).")
        fault = _parse_fault(body)
        self._faults.append(fault)
        return fault

    def records(self) -> list[dict[str, Any]]:
        return [fault.record() for fault in self._faults]

    def clear(self) -> None:
        self._faults.clear()

    def any_for_http(self) -> bool:
        return any(fault.place in ("http", "llm") for fault in self._faults)

    def for_http(self, method: str, path: str, room_ids: set[str]) -> Fault | None:
        """Return the fault for this request and count it as applied; None if no fault matches."""
        for fault in self._faults:
            if fault.place not in ("http", "llm") or fault.match.get("roomId") not in (None, *room_ids):
                continue
            if fault.match.get("method", method) == method and fnmatchcase(path, fault.match["path"]):
                return self._count_use(fault)
        return None

    def for_webhook(self, webhook: str) -> Fault | None:
        for fault in self._faults:
            if fault.place == "webhook" and fnmatchcase(webhook, fault.match["webhook"]):
                return self._count_use(fault)
        return None

    def for_switch(self, call_id: str, room_id: str) -> Fault | None:
        return self._by_ids("switch", {"callId": call_id, "roomId": room_id})

    def for_join(self, participant_id: str, room_id: str) -> Fault | None:
        return self._by_ids("join", {"participantId": participant_id, "roomId": room_id})

    def for_key(self, participant_id: str, digit: str) -> Fault | None:
        return self._by_ids("key", {"participantId": participant_id, "digit": digit})

    def _by_ids(self, place: str, ids: dict[str, str]) -> Fault | None:
        for fault in self._faults:
            if fault.place == place and all(
                fault.match.get(name, value) == value for name, value in ids.items()
            ):
                return self._count_use(fault)
        return None

    def _count_use(self, fault: Fault) -> Fault:
        fault.struck += 1
        if fault.left is not None:
            fault.left -= 1
            if fault.left == 0:
                self._faults.remove(fault)
        return fault


def _parse_fault(body: request_fields.Body) -> Fault:
    match = request_fields.optional_object(body, "match")
    place = _place_of(match)
    kind = request_fields.text(body, "kind")
    if kind not in _KINDS_BY_PLACE[place]:
        raise HttpError(
            400,
            f"kind {kind} does not exist for this match: choose {', '.join(sorted(_KINDS_BY_PLACE[place]))}.",
        )
    times = body.get("times", 1)
    if isinstance(times, bool) or not isinstance(times, int) or times < 0:
        raise HttpError(400, "times must be a whole number of 0 or more; 0 is unlimited.")
    status = body.get("status", 500)
    if isinstance(status, bool) or not isinstance(status, int) or not 200 <= status <= 599:
        raise HttpError(400, "status must be an HTTP status from 200 to 599.")
    return Fault(
        place,
        kind,
        {name: str(value) for name, value in match.items()},
        delay_s=request_fields.seconds(body, "delayS", 0.0),
        hold_s=request_fields.seconds(body, "holdS", 0.0),
        retry_after_s=request_fields.seconds(body, "retryAfterS", 0.0) if "retryAfterS" in body else None,
        status=status,
        body=body.get("body"),
        left=None if times == UNLIMITED else times,
    )


def _place_of(match: request_fields.Body) -> str:
    for place in ("webhook", "switch", "join", "key"):
        if match.get(place):
            return place
    path = request_fields.text(match, "path")
    return "llm" if path == LLM_PATH else "http"
