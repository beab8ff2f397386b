"""The calls of the fake cloud, as the ledger's entries leave them.

A caller is in the room of their AI session until they are moved. The ids say the rest, so nothing is kept of
a call to which nothing happened.
"""

from __future__ import annotations

from collections import OrderedDict

from msgspec import Struct

from .ledger import Entry

MAX_CALLS = 200_000
"""Calls that one process remembers; the oldest are forgotten. More than any row has under way."""

READY_NUMBER = "+14155550101"
"""The supervisor answers at once."""
RINGING_NUMBER = "+14155550102"
"""The phone rings until the benchmark answers it."""
SLOW_NUMBER = "+14155550103"
"""As `RINGING_NUMBER`, and the cloud needs `SLOW_DIAL_S` to reply to the dial."""
SLOW_DIAL_S = 1.0
CALLER = "in-"


class Call(Struct):
    """One leg. `up` is false once it was ended."""

    call_id: str
    room_id: str
    participant_id: str
    answered: bool = False
    up: bool = True
    moves: int = 0


def caller_call(room_id: str) -> str:
    """Return the id of the call of the caller whose AI session is in `room_id`."""
    return f"{CALLER}{room_id}"


def supervisor_call(participant_id: str) -> str:
    """Return the id of the call that joins a room as `participant_id`."""
    return f"out-{participant_id}"


class Calls:
    """The calls to which something happened."""

    def __init__(self) -> None:
        self._calls: OrderedDict[str, Call] = OrderedDict()
        self._rooms: dict[str, dict[str, Call]] = {}

    def apply(self, entry: Entry) -> Call:
        """Apply one entry and return the call as it is now."""
        call = self.get(entry.call_id) or Call(entry.call_id, "", "")
        if entry.call_id not in self._calls:
            self._calls[entry.call_id] = call
            if len(self._calls) > MAX_CALLS:
                self._leave_room(self._calls.popitem(last=False)[1])
        match entry.kind:
            case "dial" | "move":
                self._leave_room(call)
                call.room_id, call.participant_id = entry.room_id, entry.participant_id
                call.moves += entry.kind == "move"
                call.answered |= entry.answered
                self._rooms.setdefault(call.room_id, {})[call.call_id] = call
            case "answer":
                call.answered = True
            case "end":
                call.up = False
                self._leave_room(call)
        return call

    def get(self, call_id: str) -> Call | None:
        """Return a call; None if nobody dialled it. A caller is on the phone before anything happens."""
        if call := self._calls.get(call_id):
            return call
        if not call_id.startswith(CALLER):
            return None
        room_id = call_id.removeprefix(CALLER)
        return Call(call_id, room_id, f"sip-{room_id}", answered=True)

    def in_room(self, room_id: str) -> list[Call]:
        """Return the calls that a dial or a move brought into a room, and that are up."""
        return list(self._rooms.get(room_id, {}).values())

    def _leave_room(self, call: Call) -> None:
        if (others := self._rooms.get(call.room_id)) is not None:
            others.pop(call.call_id, None)
            if not others:
                del self._rooms[call.room_id]
