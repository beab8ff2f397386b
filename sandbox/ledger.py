"""Ledger of the actions that the sandbox executed, in order.

Invariant: a request that the sandbox did not execute has no entry.

An entry is a tuple of shared strings, so that 100,000 of them need little memory. Indexes by room, call and
transfer give what belongs to one transfer without a look at the others.
"""

from bisect import bisect_left, insort
from collections import Counter, deque
from collections.abc import Iterable
from typing import Any, Literal, NamedTuple, cast

from .clock import now_s
from .limits import MAX_LEDGER_ENTRIES

By = Literal["api", "person", "cloud"]
"""Origin of an action: a REST request or an agent's socket, a person on a phone, or the cloud itself."""

Entry = dict[str, Any]

FROM_ROOM = "fromRoomId"
_ATTEMPT_KINDS = frozenset({"dial", "dispatch"})


class LedgerRef(NamedTuple):
    """Call, room and participant that an entry refers to. Fields that do not apply are None."""

    call_id: str | None = None
    room_id: str | None = None
    participant_id: str | None = None
    metadata: dict[str, Any] | None = None


_Stored = tuple[
    int,
    float,
    str,
    By,
    str | None,
    str | None,
    str | None,
    dict[str, Any] | None,
    tuple[str, ...],
    tuple[object, ...],
]
"""n, at, kind, by, call id, room id, participant id, metadata, and names and values of the details.

A plain tuple: the garbage collector stops looking at it, so that a full ledger costs nothing.
"""
_N, _KIND, _CALL_ID, _ROOM_ID, _METADATA, _NAMES, _VALUES = 0, 2, 4, 5, 7, 8, 9


class Ledger:
    """Bounded list of entries. A full ledger removes the oldest entry and counts it in `dropped`."""

    def __init__(self) -> None:
        self._entries: deque[_Stored] = deque()
        self._written = 0
        self._counts: Counter[str] = Counter()
        self._names: dict[tuple[str, ...], tuple[str, ...]] = {}
        """The names of details that occur, so that entries share them."""
        self._by_room: dict[str, list[_Stored]] = {}
        self._by_call: dict[str, list[_Stored]] = {}
        self._attempts_by_mark: dict[str, list[_Stored]] = {}
        self._attempts_by_n: dict[int, _Stored] = {}
        self._attempt_keys: list[tuple[str, int]] = []
        """`attemptKey` and n of the dials and dispatches, sorted."""

    @property
    def dropped(self) -> int:
        return self._written - len(self._entries)

    @property
    def counts(self) -> dict[str, int]:
        """Number of entries of each kind since the start, with those that were dropped."""
        return dict(self._counts)

    def record(self, kind: str, by: By, ref: LedgerRef, **details: object) -> None:
        """Append one entry. `details` are additional fields in camelCase."""
        if len(self._entries) >= MAX_LEDGER_ENTRIES:
            self._drop_oldest()
        self._written += 1
        self._counts[kind] += 1
        call_id, room_id, participant_id, metadata = ref
        names = tuple(details)
        names = self._names.setdefault(names, names)
        values = tuple(details.values())
        stored: _Stored = (
            self._written,
            now_s(),
            kind,
            by,
            call_id,
            room_id,
            participant_id,
            metadata,
            names,
            values,
        )
        self._entries.append(stored)
        if call_id is not None:
            _add(self._by_call, call_id, stored)
        for each in _rooms_of(stored):
            _add(self._by_room, each, stored)
        if kind in _ATTEMPT_KINDS and metadata:
            for mark in _marks_of(metadata):
                _add(self._attempts_by_mark, mark, stored)
            self._attempts_by_n[self._written] = stored
            insort(self._attempt_keys, (_attempt_key(metadata), self._written))

    def entries(self, *, room_id: str | None = None, kind: str | None = None) -> list[Entry]:
        """Return the stored entries, oldest first, optionally of one room or one kind."""
        found = self._entries if room_id is None else self._by_room.get(room_id, ())
        return [_entry(stored) for stored in found if kind is None or stored[_KIND] == kind]

    def about(self, primary_room: str, caller_call_id: str, transfer_key: str) -> list[Entry]:
        """Return, oldest first, all entries that `transfer_report.report` needs for one transfer."""
        found = {stored[_N]: stored for stored in self._by_call.get(caller_call_id, ())}
        room_ids = {primary_room, *(stored[_ROOM_ID] for stored in found.values())}
        for attempt in self._attempts(transfer_key):
            found[attempt[_N]] = attempt
            found.update((each[_N], each) for each in self._by_call.get(attempt[_CALL_ID] or "", ()))
        for room_id in room_ids - {None}:
            found.update((each[_N], each) for each in self._by_room.get(str(room_id), ()))
        return [_entry(found[n]) for n in sorted(found)]

    def _attempts(self, transfer_key: str) -> Iterable[_Stored]:
        """Yield dials and dispatches with this value in their metadata, or with this start of their key."""
        yield from self._attempts_by_mark.get(transfer_key, ())
        for at in range(bisect_left(self._attempt_keys, (transfer_key, 0)), len(self._attempt_keys)):
            key, n = self._attempt_keys[at]
            if not key.startswith(transfer_key):
                return
            yield self._attempts_by_n[n]

    def _drop_oldest(self) -> None:
        oldest = self._entries.popleft()
        for room_id in _rooms_of(oldest):
            _drop_first(self._by_room, room_id)
        call_id, metadata = oldest[_CALL_ID], oldest[_METADATA]
        if call_id is not None:
            _drop_first(self._by_call, call_id)
        if oldest[_KIND] in _ATTEMPT_KINDS and metadata:
            for mark in _marks_of(metadata):
                _drop_first(self._attempts_by_mark, mark)
            del self._attempts_by_n[oldest[_N]]
            del self._attempt_keys[bisect_left(self._attempt_keys, (_attempt_key(metadata), oldest[_N]))]


def _entry(stored: _Stored) -> Entry:
    n, at, kind, by, call_id, room_id, participant_id, metadata, names, values = stored
    return {
        "n": n,
        "at": at,
        "kind": kind,
        "by": by,
        "callId": call_id,
        "roomId": room_id,
        "participantId": participant_id,
        "metadata": metadata,
        **dict(zip(names, values, strict=True)),
    }


def _rooms_of(stored: _Stored) -> tuple[str, ...]:
    """Return the room of an entry, and the one from which it moves a call."""
    room_id, names = stored[_ROOM_ID], stored[_NAMES]
    own = () if room_id is None else (room_id,)
    if FROM_ROOM not in names:
        return own
    from_room_id = cast("str | None", stored[_VALUES][names.index(FROM_ROOM)])
    return own if from_room_id in (None, room_id) else (*own, from_room_id)


def _marks_of(metadata: dict[str, Any]) -> set[str]:
    return {value for value in metadata.values() if isinstance(value, str)}


def _attempt_key(metadata: dict[str, Any]) -> str:
    return str(metadata.get("attemptKey", ""))


def _add(index: dict[str, list[_Stored]], key: str, stored: _Stored) -> None:
    entries = index.get(key)
    if entries is None:
        index[key] = [stored]
    else:
        entries.append(stored)


def _drop_first(index: dict[str, list[_Stored]], key: str) -> None:
    index[key].pop(0)
    if not index[key]:
        del index[key]
