"""The calls of the fake cloud, as the ledger's entries leave them.

A caller is in the room of their AI session until they are moved. The ids say the rest, so nothing is kept of
a call to which nothing happened.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from msgspec import Struct

from .ledger import Entry

MAX_CALLS = 200_000
"""Calls that one process remembers; the oldest are forgotten. More than any row has under way."""

READY_NUMBER = "+14155550101"
"""The supervisor answers at once."""
RINGING_NUMBER = "+14155550102"
"""The phone rings until the benchmark answers it."""
SILENT_NUMBER = "+14155550104"
"""The supervisor answers at once, and says yes when the benchmark says so."""
SLOW_NUMBER = "+14155550103"
"""As `RINGING_NUMBER`, and the cloud needs `SLOW_DIAL_S` to reply to the dial."""
SLOW_DIAL_S = 1.0
NUMBERS = frozenset({READY_NUMBER, RINGING_NUMBER, SLOW_NUMBER, SILENT_NUMBER})
CALLER = "in-"


class Place(NamedTuple):
    """A participant in a room."""

    room_id: str
    participant_id: str


class Call(Struct):
    """One leg. `up` is false once it was ended."""

    call_id: str
    room_id: str
    participant_id: str
    answered: bool = False
    silent: bool = False
    up: bool = True
    moves: int = 0

    @property
    def place(self) -> Place | None:
        """Where the participant of the call is; None while the phone rings and after its end."""
        return Place(self.room_id, self.participant_id) if self.up and self.answered else None


def caller_call(room_id: str) -> str:
    """Return the id of the call of the caller whose AI session is in `room_id`."""
    return f"{CALLER}{room_id}"


def supervisor_call(participant_id: str) -> str:
    """Return the id of the call that joins a room as `participant_id`."""
    return f"out-{participant_id}"


class Change(NamedTuple):
    """What one entry did to a call: which room its participant left, and which one they entered."""

    call: Call
    left: Place | None
    entered: Place | None

    @property
    def reason(self) -> str:
        """Why the participant left."""
        return "moved" if self.call.up else "hung up"


class Calls:
    """The calls to which something happened."""

    def __init__(self) -> None:
        self._calls: OrderedDict[str, Call] = OrderedDict()
        self._rooms: dict[str, dict[str, Call]] = {}

    def apply(self, entry: Entry) -> Change:
        """Apply one entry and return what it changed."""
        call = self.get(entry.call_id) or Call(entry.call_id, "", "")
        before = call.place
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
                call.silent |= entry.silent
                self._rooms.setdefault(call.room_id, {})[call.call_id] = call
            case "answer":
                call.answered = True
            case "yes":
                call.silent = False
            case "end":
                call.up = False
                self._leave_room(call)
        after = call.place
        return Change(call, None, None) if before == after else Change(call, before, after)

    def get(self, call_id: str) -> Call | None:
        """Return a call; None if it was never dialled. A caller is on the phone before anything happens."""
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
