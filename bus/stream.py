"""Definitions of the stream and its consumers. `ensure` creates or updates them. `recovery.py` creates again.

One stream holds everything about a transfer. Any number of processes may call `ensure` at the same time.
Invariants (`test_stream.py`):

- Subjects are added and never removed, and a stream with a newer layout is not changed. Both keep a rolling
  upgrade safe.
- Replicas are raised and never lowered. A process started without `WARMXFER_REPLICAS` cannot make the stream
  of the others less safe.
- The numbers of a new stream are higher than all numbers of the stream before it: they begin at the time of
  its creation, in microseconds. So an acknowledgement, a cached record or a reader's position of a lost
  stream matches nothing in the new one.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import structlog

from .connection import STREAM, Connection, JetStreamApiError
from .errors import InvalidRequest
from .settings import BusSettings
from .stream_limits import check_limits
from .subjects import ROLES, STREAM_SUBJECTS

LAYOUT = 1
"""Version of the definitions below. A release raises it if an older release must not undo its change."""

DUPLICATE_WINDOW_S = 120
MAX_MESSAGE_BYTES = 128 * 1024
MAX_ACK_PENDING = 10_000
MAX_WAITING_PULLS = 2_048
API_DEADLINE_S = 10.0
COORDINATOR = "coordinator"
CONSUMERS = (COORDINATOR, *ROLES)

_NS = 1_000_000_000
_US = 1_000_000
_LAYOUT_KEY = "warmxfer.layout"
_STREAM_NOT_FOUND = 10059
_CONSUMER_NOT_FOUND = 10014
_NAME_IN_USE = 10058

log = structlog.get_logger(__name__)


def stream_definition(settings: BusSettings) -> dict[str, Any]:
    """Return the stream as a JetStream configuration; durations in nanoseconds."""
    return {
        "name": STREAM,
        "subjects": list(STREAM_SUBJECTS),
        "storage": "file",
        # Work-queue retention lost message schedules, so only age removes messages.
        "retention": "limits",
        "discard": "old",
        "max_age": round(settings.max_age_s * _NS),
        "max_msg_size": MAX_MESSAGE_BYTES,
        "duplicate_window": DUPLICATE_WINDOW_S * _NS,
        "num_replicas": settings.replicas,
        "allow_direct": True,
        "allow_msg_schedules": True,
        "allow_msg_ttl": True,
        "allow_rollup_hdrs": True,
        "metadata": {_LAYOUT_KEY: str(LAYOUT)},
    }


def consumer_definitions(settings: BusSettings) -> dict[str, dict[str, Any]]:
    """Return the durable pull consumers by name.

    The worker enforces `max_deliver`, to write a dead letter.
    """
    return {
        name: {
            "name": name,
            "durable_name": name,
            "filter_subjects": list(filters),
            "ack_policy": "explicit",
            "deliver_policy": "all",
            "replay_policy": "instant",
            "ack_wait": round(settings.ack_wait_s * _NS),
            "max_deliver": -1,
            "max_ack_pending": MAX_ACK_PENDING,
            "max_waiting": MAX_WAITING_PULLS,
        }
        for name, filters in _filters().items()
    }


async def ensure(connection: Connection) -> None:
    """Create or update the stream and its consumers. Raises InvalidRequest for what cannot be updated."""
    if await ensure_stream(connection, API_DEADLINE_S):
        for name in CONSUMERS:
            await ensure_consumer(connection, name, API_DEADLINE_S)


async def consumer_info(connection: Connection, name: str, deadline_s: float) -> dict[str, Any] | None:
    """Return what the broker knows about a consumer, or None if it does not exist.

    Raises `StreamMissing`, `Unavailable`, `AccessDenied`, `InvalidRequest`.
    """
    try:
        return await connection.api(f"CONSUMER.INFO.{STREAM}.{name}", None, deadline_s)
    except JetStreamApiError as error:
        if error.err_code == _CONSUMER_NOT_FOUND:
            return None
        if error.err_code == _STREAM_NOT_FOUND:
            raise connection.stream_missing() from error
        raise InvalidRequest(f"The broker does not show consumer {name}: {error.description}") from error


async def move_consumer(connection: Connection, name: str, seq: int, deadline_s: float) -> None:
    """Let a consumer deliver from number `seq` on. Messages before it count as acknowledged.

    Its definition stays the same, so a release that knows only that definition can still update it.
    """
    await connection.api(f"CONSUMER.RESET.{STREAM}.{name}", {"seq": seq}, deadline_s)


def _filters() -> dict[str, tuple[str, ...]]:
    triggers = tuple(f"warmxfer.*.{kind}" for kind in ("request", "cancel", "event", "timeout"))
    return {COORDINATOR: triggers, **{role: (f"warmxfer.*.do.{role}",) for role in ROLES}}


async def ensure_stream(connection: Connection, deadline_s: float) -> bool:
    """Create or update the stream, without its consumers. Raises as `ensure` does.

    Returns False if a newer release owns the stream; it is then not changed.
    """
    wanted = stream_definition(connection.settings)
    found = await _stream_config(connection, deadline_s)
    if found is None:
        try:
            first = {"first_seq": round(time.time() * _US)}
            await connection.api(f"STREAM.CREATE.{STREAM}", wanted | first, deadline_s)
        except JetStreamApiError as error:
            # Another process was first, perhaps with other settings: check what it created.
            if error.err_code != _NAME_IN_USE:
                raise InvalidRequest(
                    f"The broker refused to create stream {STREAM}: {error.description}"
                ) from error
            found = await _stream_config(connection, deadline_s)
        else:
            log.info("stream_created", stream=STREAM, replicas=wanted["num_replicas"])
    if found is None:
        return True
    check_limits(STREAM, found)
    metadata: Mapping[str, str] = found.get("metadata") or {}
    if int(metadata.get(_LAYOUT_KEY, "0")) > LAYOUT:
        log.warning("newer_stream_kept", stream=STREAM, layout=metadata[_LAYOUT_KEY], ours=LAYOUT)
        return False
    changed = changes_needed(found, wanted)
    if not changed:
        return True
    try:
        await connection.api(f"STREAM.UPDATE.{STREAM}", {**found, **changed}, deadline_s)
    except JetStreamApiError as error:
        fields = ", ".join(f"{name}={found.get(name)!r}" for name in changed if name != "subjects")
        raise InvalidRequest(
            f"Stream {STREAM} has {fields or 'other subjects'} and cannot be changed in place "
            f"({error.description}); back it up, delete it (nats stream rm {STREAM}) and start again"
        ) from error
    log.info("stream_updated", stream=STREAM, fields=sorted(changed))
    return True


def changes_needed(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of `wanted` that must be written over `found`. Keeps the invariants of this module."""
    changed = {name: value for name, value in wanted.items() if found.get(name) != value}
    subjects: list[str] = list(found.get("subjects") or ())
    missing = [subject for subject in wanted["subjects"] if subject not in subjects]
    changed.pop("subjects", None)
    if missing:
        changed["subjects"] = subjects + missing
    if found.get("num_replicas", 1) >= wanted["num_replicas"]:
        changed.pop("num_replicas", None)
    # The broker adds metadata of its own (its version). That is no difference.
    metadata: dict[str, str] = {**(found.get("metadata") or {}), **wanted["metadata"]}
    changed.pop("metadata", None)
    if metadata != found.get("metadata"):
        changed["metadata"] = metadata
    return changed


async def _stream_config(connection: Connection, deadline_s: float) -> dict[str, Any] | None:
    try:
        return (await connection.api(f"STREAM.INFO.{STREAM}", None, deadline_s))["config"]
    except JetStreamApiError as error:
        if error.err_code == _STREAM_NOT_FOUND:
            return None
        raise InvalidRequest(f"The broker does not show stream {STREAM}: {error.description}") from error


async def ensure_consumer(connection: Connection, name: str, deadline_s: float) -> dict[str, Any]:
    """Create or update a consumer, and return what the broker knows about it. Raises as `ensure` does."""
    wanted = consumer_definitions(connection.settings)[name]
    try:
        # CREATE updates an existing consumer. The same definition twice is no error.
        return await connection.api(
            f"CONSUMER.CREATE.{STREAM}.{name}", {"stream_name": STREAM, "config": wanted}, deadline_s
        )
    except JetStreamApiError as error:
        if error.err_code == _STREAM_NOT_FOUND:
            raise connection.stream_missing() from error
        raise InvalidRequest(
            f"Consumer {name} of stream {STREAM} cannot be changed in place ({error.description}); "
            f"delete it while no worker runs (nats consumer rm {STREAM} {name}) and start again"
        ) from error
