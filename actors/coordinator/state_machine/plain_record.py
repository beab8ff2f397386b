"""What can be read of a log that this version cannot continue: plain JSON, each value checked by itself.

A coordinator gives such a transfer up (`step.give_up`). It needs a state for that, from any source: a
record of a newer version, a record that was cut off, or only the request.

Invariant: nothing in this file raises for any bytes. Test: `tests/golden/test_newer.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

import msgspec

from warmxfer.schemas import (
    SUMMARY_MAX_CHARS,
    SIPDestination,
    WarmTransferConfig,
    WarmTransferRequest,
    read_leniently,
)
from warmxfer.schemas.lenient import is_token

from .record import StoredTransfer, from_stored
from .state import LAST_STAGES, PreparationTask, Stage, Transfer

UNKNOWN = "unknown"
UNKNOWN_DESTINATION = SIPDestination(UNKNOWN, "sip:unknown@unknown.invalid", "sip:unknown@unknown.invalid")
"""Stands for a destination that cannot be read. A transfer that is given up dials nothing."""
FENCE_STEP = 100
"""Added to the number of commands if the newest record cannot be read: it may have sent some."""
MAX_NUMBER = 1e12
"""Greatest number of a state that can be true: a time in seconds, or a count."""
MAX_SEQUENCE = 2**63
"""The number of a stored message is less."""

Json = dict[str, Any]


def plain_record(data: bytes) -> Json:
    """Return the JSON object in `data`; empty if it holds none."""
    try:
        raw = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return cast("Json", raw) if isinstance(raw, dict) else {}


def plain_state(data: bytes) -> Json:
    """Return the state in the record `data`; empty if it holds none."""
    return _object(plain_record(data), "state")


def plain_stage(data: bytes) -> str:
    """Return the word of the stage in the record `data`; empty if it holds none."""
    stage = plain_state(data).get("stage")
    return stage if isinstance(stage, str) else ""


def plain_timer_due_at(data: bytes) -> float | None:
    """Return when the timer fires that the record `data` has set, or None if it does not say."""
    due_at = plain_state(data).get("armed_at")
    if not isinstance(due_at, int | float) or isinstance(due_at, bool):
        return None
    return float(due_at) if 0 <= due_at <= MAX_NUMBER else None


def plain_waits_for_archive(data: bytes) -> bool:
    """Return whether the record `data` is of a transfer that is over, with its clean-up checks."""
    return plain_stage(data) in LAST_STAGES and plain_state(data).get("check_due_at") is None


def plain_first_event(data: bytes) -> int:
    """Return the number of the transfer's first event that the record `data` names, or 0."""
    number = plain_record(data).get("first_event")
    return number if isinstance(number, int) and 0 < number < MAX_SEQUENCE else 0


def plain_guard_alone(data: bytes) -> bool:
    """Return whether the record `data` is of a bridge guard that moves the caller back, or has moved them."""
    state = plain_state(data)
    if state.get("stage") != Stage.GUARDING or not _is_whole(state):
        return False
    gone, moved, arrived = (
        state.get(each, False) for each in ("caller_gone", "caller_moved", "caller_arrived")
    )
    return gone is False and (moved is False or (moved is True and arrived is False))


def is_of_another(id: str, data: bytes) -> bool:
    """Return whether the record `data` says that it is of another transfer than `id`."""
    return plain_state(data).get("id", id) != id


def salvage(id: str, log: Sequence[bytes], request: bytes, now: float) -> Transfer:
    """Return as much of the state of transfer `id` as its log contains, in stage `unwinding`.

    `log` holds its records, oldest first, and `request` the message that began it. If the newest record
    cannot be read, one before it is used, and everything that may have happened since counts as happened.
    A record of another transfer counts as one that cannot be read: its legs and rooms are not these.
    """
    log = [b"" if is_of_another(id, data) else data for data in log]
    records = [record for data in reversed(log) if (record := plain_record(data))]
    states = [state for record in records if _is_whole(state := _object(record, "state"))]
    stored = _stored(states[0] if states else {}, id, now)
    requests = [_object(each, place).get("request") for each in records for place in ("state", "event")]
    stored.request = _request([*requests, plain_record(request)])
    stored.pending = {}
    stored.attempt = max(stored.attempt, 1)
    if not log or not _is_whole(plain_state(log[-1])):
        stored.seq = len(log)
        stored.commands += FENCE_STEP
        stored.begun = list(PreparationTask)
        stored.caller_moved = PreparationTask.BRIEF in stored.done or stored.supervisor_heard
    stored.caller_moved &= stored.caller_call_id is not None and stored.room_id is not None
    return from_stored(stored)


def _is_whole(state: Json) -> bool:
    """Return whether `state` has what every version writes. One that was cut off has less."""
    return all(name in state for name in ("id", "stage", "started_at", "seq"))


def _object(record: Json, name: str) -> Json:
    value = record.get(name)
    return cast("Json", value) if isinstance(value, dict) else {}


def _stored(state: Json, id: str, now: float) -> StoredTransfer:
    values: Json = {"started_at": now}
    for field in msgspec.structs.fields(StoredTransfer):
        if field.encode_name in state:
            raw = state[field.encode_name]
            if isinstance(raw, int | float) and not 0 <= raw <= MAX_NUMBER:
                continue
            if isinstance(raw, str):
                raw = raw[:SUMMARY_MAX_CHARS]
            try:
                values[field.name] = read_leniently(raw, field.type, words=True, limits=True)
            except msgspec.ValidationError:
                continue
    values |= {"id": id, "stage": Stage.UNWINDING}
    return StoredTransfer(**values)


def _request(candidates: Iterable[Any]) -> WarmTransferRequest:
    """Return the first request that can be read; else one that names only the session of the caller."""
    objects = [cast("Json", each) for each in candidates if isinstance(each, dict)]
    for raw in objects:
        try:
            request: WarmTransferRequest = read_leniently(raw, WarmTransferRequest, words=True, limits=True)
        except msgspec.ValidationError:
            continue
        if is_token(request.session_name) and is_token(request.room_id):
            return request
    raw = next((each for each in objects if is_token(each.get("room_id"))), {"room_id": UNKNOWN})
    session = raw.get("session")
    return WarmTransferRequest(
        room_id=raw["room_id"],
        config=WarmTransferConfig(UNKNOWN_DESTINATION),
        session=session if is_token(session) else None,
    )
