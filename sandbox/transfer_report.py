"""Report about one transfer, computed from the ledger alone.

A dial belongs to a transfer if a value of its metadata is the transfer's key, or if its attemptKey begins
with that key.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from .ledger import Entry

_OVER = frozenset({"end", "hangup"})


def report(
    entries: Iterable[Entry], primary_room: str, caller_call_id: str, transfer_key: str
) -> dict[str, Any]:
    """Return the facts that the invariants of a transfer refer to; docs/sandbox.md explains each field."""
    ledger = list(entries)
    dials = [entry for entry in ledger if entry["kind"] == "dial" and _belongs(entry, transfer_key)]
    caller = [entry for entry in ledger if entry["callId"] == caller_call_id]
    supervisors = {entry["callId"] for entry in dials}
    over = {entry["callId"] for entry in ledger if entry["kind"] in _OVER}
    there = _those_in(ledger, _room_of(caller))
    up = caller_call_id not in over and any(entry["kind"] == "answered" for entry in caller)
    return {
        "dials": dict(Counter(_attempt(entry) for entry in dials)),
        "switches": _switches(caller, primary_room),
        "supervisorLegsUp": len(supervisors - over),
        "supervisorEndedBy": _ended_by(entry for entry in ledger if entry["callId"] in supervisors),
        "callerLegUp": up,
        "callerEndedBy": _ended_by(caller),
        "callerRoom": _room_of(caller),
        "callerHeld": _held(ledger, primary_room),
        "callerAlone": up and not any(_is_company(who, caller_call_id, primary_room) for who in there),
        "talking": _talking(ledger, supervisors | {caller_call_id}),
    }


def _belongs(dial: Entry, transfer_key: str) -> bool:
    metadata = dial["metadata"] or {}
    return transfer_key in metadata.values() or _attempt(dial).startswith(transfer_key)


def _attempt(dial: Entry) -> str:
    return str((dial["metadata"] or {}).get("attemptKey", ""))


def _ended_by(entries: Iterable[Entry]) -> str | None:
    return next((entry["by"] for entry in entries if entry["kind"] in _OVER), None)


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


def _those_in(ledger: list[Entry], room: str | None) -> list[Entry]:
    """Return the `joined` entry of each participant that is in `room`."""
    there: dict[str, Entry] = {}
    for entry in ledger:
        if entry["roomId"] == room and entry["kind"] == "joined":
            there[entry["participantId"]] = entry
        elif entry["roomId"] == room and entry["kind"] == "left":
            there.pop(entry["participantId"], None)
    return list(there.values()) if room is not None else []


def _is_company(who: Entry, caller_call_id: str, primary_room: str) -> bool:
    """Return whether the caller can talk to this participant: another phone or the primary room's agent."""
    if who["callId"] is None:
        return who["roomId"] == primary_room
    return who["callId"] != caller_call_id


def _held(ledger: list[Entry], room: str) -> bool:
    """Return whether an agent in the room has stopped listening."""
    deaf: set[str] = set()
    for entry in ledger:
        if entry["roomId"] != room:
            continue
        if entry["kind"] == "listen" and not entry["enabled"]:
            deaf.add(entry["participantId"])
        elif entry["kind"] in ("listen", "joined", "left"):
            deaf.discard(entry["participantId"])
    return bool(deaf)


def _talking(ledger: list[Entry], call_ids: set[str]) -> list[list[str]]:
    """Return pairs of participant ids of these calls: the first spoke and the second heard it.

    Each pair occurs once, in the order of first speech.
    """
    people = {e["participantId"] for e in ledger if e["kind"] == "joined" and e["callId"] in call_ids}
    pairs = {
        (entry["participantId"], hearer): None
        for entry in ledger
        if entry["kind"] == "speech" and entry["callId"] in call_ids
        for hearer in entry["heardBy"]
        if hearer in people
    }
    return [list(pair) for pair in pairs]
