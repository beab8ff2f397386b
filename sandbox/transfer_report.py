"""Report about one transfer, computed from the ledger alone.

A dial belongs to a transfer if a value of its metadata is the transfer's key, or if its attemptKey begins
with that key. A dial or a dispatch whose metadata has the attempt `rescue` is a rescue: it is counted alone,
and its leg is not the supervisor's.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from .ledger import Entry

RESCUE = "rescue"
_END_KINDS = frozenset({"end", "hangup"})


def report(
    entries: Iterable[Entry], primary_room: str, caller_call_id: str, transfer_key: str
) -> dict[str, Any]:
    """Return the facts that the invariants of a transfer refer to; docs/sandbox.md explains each field."""
    ledger = list(entries)
    attempts = [e for e in ledger if e["kind"] in ("dial", "dispatch") and _belongs(e, transfer_key)]
    rescues = [entry for entry in attempts if _is_rescue(entry)]
    dials = [entry for entry in attempts if entry["kind"] == "dial" and not _is_rescue(entry)]
    caller = [entry for entry in ledger if entry["callId"] == caller_call_id]
    supervisor_call_ids = {entry["callId"] for entry in dials}
    ended_call_ids = {entry["callId"] for entry in ledger if entry["kind"] in _END_KINDS}
    present = _participants_in(ledger, _room_of(caller))
    caller_leg_up = caller_call_id not in ended_call_ids and any(
        entry["kind"] == "answered" for entry in caller
    )
    return {
        "dials": dict(Counter(_attempt(entry) for entry in dials)),
        "rescues": len(rescues),
        "switches": _switches(caller, primary_room),
        "supervisorLegsUp": len(supervisor_call_ids - ended_call_ids),
        "supervisorEndedBy": _ended_by(entry for entry in ledger if entry["callId"] in supervisor_call_ids),
        "supervisorEndedAt": _last_end(entry for entry in ledger if entry["callId"] in supervisor_call_ids),
        "callerLegUp": caller_leg_up,
        "callerEndedBy": _ended_by(caller),
        "callerRoom": _room_of(caller),
        "callerHeld": _is_held(ledger, primary_room),
        "callerAlone": caller_leg_up
        and not any(
            _can_talk_to_caller(participant, caller_call_id, primary_room) for participant in present
        ),
        "talking": _talking(ledger, supervisor_call_ids | {caller_call_id}),
    }


def _belongs(dial: Entry, transfer_key: str) -> bool:
    metadata = dial["metadata"] or {}
    return transfer_key in metadata.values() or _attempt(dial).startswith(transfer_key)


def _is_rescue(entry: Entry) -> bool:
    return (entry["metadata"] or {}).get("attempt") == RESCUE


def _attempt(dial: Entry) -> str:
    return str((dial["metadata"] or {}).get("attemptKey", ""))


def _ended_by(entries: Iterable[Entry]) -> str | None:
    return next((entry["by"] for entry in entries if entry["kind"] in _END_KINDS), None)


def _last_end(entries: Iterable[Entry]) -> float | None:
    return max((entry["at"] for entry in entries if entry["kind"] in _END_KINDS), default=None)


def _switches(caller: list[Entry], primary_room: str) -> dict[str, int]:
    """Count the caller's switches: `back` into the primary room, `forward` into any other room."""
    targets = [entry["roomId"] for entry in caller if entry["kind"] == "switch"]
    back = targets.count(primary_room)
    return {"forward": len(targets) - back, "back": back}


def _room_of(caller: list[Entry]) -> str | None:
    """Return the caller's room id; None if the caller is in no room."""
    for entry in reversed(caller):
        if entry["kind"] in ("joined", "left"):
            return entry["roomId"] if entry["kind"] == "joined" else None
    return None


def _participants_in(ledger: list[Entry], room: str | None) -> list[Entry]:
    """Return the `joined` entry of each participant that is in `room`."""
    present: dict[str, Entry] = {}
    for entry in ledger:
        if entry["roomId"] == room and entry["kind"] == "joined":
            present[entry["participantId"]] = entry
        elif entry["roomId"] == room and entry["kind"] == "left":
            present.pop(entry["participantId"], None)
    return list(present.values()) if room is not None else []


def _can_talk_to_caller(participant: Entry, caller_call_id: str, primary_room: str) -> bool:
    """Return whether the caller can talk to this participant: another phone or the primary room's agent."""
    if participant["callId"] is None:
        return participant["roomId"] == primary_room
    return participant["callId"] != caller_call_id


def _is_held(ledger: list[Entry], room: str) -> bool:
    """Return whether an agent in the room has stopped listening."""
    not_listening: set[str] = set()
    for entry in ledger:
        if entry["roomId"] != room:
            continue
        if entry["kind"] == "listen" and not entry["enabled"]:
            not_listening.add(entry["participantId"])
        elif entry["kind"] in ("listen", "joined", "left"):
            not_listening.discard(entry["participantId"])
    return bool(not_listening)


def _talking(ledger: list[Entry], call_ids: set[str]) -> list[list[str]]:
    """Return pairs of participant ids of these calls: the first spoke and the second heard it.

    Each pair occurs once, in the order of first speech.
    """
    person_ids = {e["participantId"] for e in ledger if e["kind"] == "joined" and e["callId"] in call_ids}
    pairs = {
        (entry["participantId"], listener_id): None
        for entry in ledger
        if entry["kind"] == "speech" and entry["callId"] in call_ids
        for listener_id in entry["heardBy"]
        if listener_id in person_ids
    }
    return [list(pair) for pair in pairs]
