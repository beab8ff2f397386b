"""The verdict: what became of one transfer, judged from the ledger alone.

A dial belongs to a transfer when its metadata holds the transfer's key, or an attemptKey that begins with it.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from .ledger import Entry

_OVER = frozenset({"end", "hangup"})


def judge(
    entries: Iterable[Entry], primary_room: str, caller_call_id: str, transfer_key: str
) -> dict[str, Any]:
    """The facts that the invariants of a transfer are about; docs/sandbox.md explains each."""
    ledger = list(entries)
    dials = [entry for entry in ledger if entry["kind"] == "dial" and _belongs(entry, transfer_key)]
    caller = [entry for entry in ledger if entry["callId"] == caller_call_id]
    supervisors = {entry["callId"] for entry in dials}
    over = {entry["callId"] for entry in ledger if entry["kind"] in _OVER}
    goodbye = next((entry for entry in caller if entry["kind"] in _OVER), None)
    return {
        "dials": dict(Counter(_attempt(entry) for entry in dials)),
        "switches": _switches(caller, primary_room),
        "supervisorLegsUp": len(supervisors - over),
        "callerLegUp": goodbye is None and any(entry["kind"] == "answered" for entry in caller),
        "callerEndedBy": goodbye["by"] if goodbye else None,
        "callerRoom": _room_of(caller),
        "callerHeld": _held(ledger, primary_room),
        "talking": _talking(ledger, supervisors | {caller_call_id}),
    }


def _belongs(dial: Entry, transfer_key: str) -> bool:
    metadata = dial["metadata"] or {}
    return transfer_key in metadata.values() or _attempt(dial).startswith(transfer_key)


def _attempt(dial: Entry) -> str:
    return str((dial["metadata"] or {}).get("attemptKey", ""))


def _switches(caller: list[Entry], primary_room: str) -> dict[str, int]:
    """Forward is out of reach of the AI, back is to it."""
    targets = [entry["roomId"] for entry in caller if entry["kind"] == "switch"]
    back = targets.count(primary_room)
    return {"forward": len(targets) - back, "back": back}


def _room_of(caller: list[Entry]) -> str | None:
    """Where the caller is: None when in no room at all."""
    for entry in reversed(caller):
        if entry["kind"] in ("joined", "left"):
            return entry["roomId"] if entry["kind"] == "joined" else None
    return None


def _held(ledger: list[Entry], room: str) -> bool:
    """Is an agent in the room that does not listen?"""
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
    """Who of these people was heard by whom, each pair once, in the order of the first word."""
    people = {e["participantId"] for e in ledger if e["kind"] == "joined" and e["callId"] in call_ids}
    pairs = {
        (entry["participantId"], hearer): None
        for entry in ledger
        if entry["kind"] == "speech" and entry["callId"] in call_ids
        for hearer in entry["heardBy"]
        if hearer in people
    }
    return [list(pair) for pair in pairs]
