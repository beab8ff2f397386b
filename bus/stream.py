"""Definitions of the streams. `ensure` creates or updates them. `recovery.py` creates them again.

Which stream stores a subject is in `subject_table.py`. Any number of processes may call `ensure` at the same
time. Invariants (`test_stream.py`):

- Subjects are added and never removed, and a stream with a newer layout is not changed. Both keep a rolling
  upgrade safe.
- Replicas are raised and never lowered. A process started without `WARMXFER_REPLICAS` cannot make the streams
  of the others less safe.
- The numbers of a new stream are higher than all numbers of the stream before it: they begin at the time of
  its creation, in microseconds. So an acknowledgement, a cached record or a reader's position of a lost
  stream matches nothing in the new one.
- Only streams that the coordinator alone writes allow more than storing: `WARMXFER_CORE` message schedules,
  rollup and TTL, `WARMXFER_PUBLIC` TTL. A writer of another stream can therefore not delete or replace a
  message.
- A flood of requests fills `WARMXFER_IN` up to its `max_bytes`, and nothing else. It is then refused.
- `WARMXFER_ARCHIVE` keeps one message of each transfer for as many days as its setting says. It has room for
  two, so that what takes the place of a record is stored before that record is overwritten (`Erasure`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import structlog

from .connection import Connection, JetStreamApiError
from .consumers import ensure_consumers
from .errors import InvalidRequest
from .partition import PARTITIONS
from .settings import BusSettings
from .stream_limits import check_limits
from .subjects import ARCHIVE, CORE, IN, PUBLIC, STREAMS, stored_filters

LAYOUT = 4
"""Version of the definitions below. A release raises it if an older release must not undo its change.

1: one stream `WARMXFER`. 2: three streams, subjects with the partition of the transfer. 3: what users read is
in a stream of its own. 4: the archive has room for two messages of a transfer.
"""

DUPLICATE_WINDOW_S = 120
MAX_MESSAGE_BYTES = 128 * 1024
API_DEADLINE_S = 10.0
MAX_OF_ARCHIVED = 2
"""Messages of one transfer in the archive. The newest one counts."""
REQUESTS_MB = (256, 64, 16, 4, 1)
"""Size of a new `WARMXFER_IN` without a setting: the first that the broker's storage allows."""

_BYTES_PER_MB = 1_000_000
_NS = 1_000_000_000
_US = 1_000_000
_DAY_NS = 86_400 * _NS
_LAYOUT_KEY = "warmxfer.layout"
_STREAM_NOT_FOUND = 10059
_NAME_IN_USE = 10058
_SUBJECTS_OVERLAP = 10065
_NO_STORAGE = (10028, 10047)

log = structlog.get_logger(__name__)


def stream_definition(name: str, settings: BusSettings) -> dict[str, Any]:
    """Return a stream as a JetStream configuration; durations in nanoseconds."""
    definition = {
        "name": name,
        "subjects": list(stored_filters(name)),
        "storage": "file",
        # Work-queue retention lost message schedules, so only age removes messages.
        "retention": "limits",
        "discard": "old",
        "max_age": round(settings.max_age_s * _NS),
        "max_msg_size": MAX_MESSAGE_BYTES,
        "duplicate_window": DUPLICATE_WINDOW_S * _NS,
        "num_replicas": settings.replicas,
        "allow_direct": True,
        "metadata": {_LAYOUT_KEY: str(LAYOUT)},
    }
    if name == CORE:
        return {**definition, "allow_msg_schedules": True, "allow_msg_ttl": True, "allow_rollup_hdrs": True}
    if name == ARCHIVE:
        return {
            **definition,
            "max_age": settings.archive_days * _DAY_NS,
            "max_msgs_per_subject": MAX_OF_ARCHIVED,
            "compression": "s2",
        }
    if name == PUBLIC:
        return {**definition, "allow_msg_ttl": True}
    if name != IN:
        return definition
    transform = {
        "src": "warmxfer.*.*",
        "dest": f"wx.{{{{partition({PARTITIONS},1)}}}}.{{{{wildcard(1)}}}}.{{{{wildcard(2)}}}}",
    }
    limit = {} if settings.requests_mb is None else {"max_bytes": _max_bytes(settings.requests_mb)}
    return {**definition, "discard": "new", "subject_transform": transform, **limit}


def _max_bytes(megabytes: int) -> int:
    """Return `max_bytes` of a `WARMXFER_IN` of this size: one byte less.

    The broker reserves these bytes. If they were the whole storage of an account, it would refuse to create
    another stream, now or after that stream was lost.
    """
    return megabytes * _BYTES_PER_MB - 1


def layout_of(config: Mapping[str, Any]) -> int:
    """Return the layout of a stored stream; 0 if no release of ours has named it."""
    metadata: Mapping[str, str] = config.get("metadata") or {}
    return int(metadata.get(_LAYOUT_KEY, "0"))


async def ensure(connection: Connection) -> None:
    """Create or update the streams and their consumers. Raises InvalidRequest for what cannot be updated."""
    current = await asyncio.gather(*(ensure_stream(connection, name, API_DEADLINE_S) for name in STREAMS))
    if all(current):
        for name in STREAMS:
            await ensure_consumers(connection, name, API_DEADLINE_S)


async def ensure_stream(connection: Connection, name: str, deadline_s: float) -> bool:
    """Create or update a stream, without its consumers. Raises as `ensure` does.

    Returns False if a newer release owns the stream; it is then not changed.
    """
    wanted = stream_definition(name, connection.settings)
    found = await _stream_config(connection, name, deadline_s)
    if found is None:
        found = await _create(connection, wanted, deadline_s)
    if found is None:
        return True
    check_limits(name, found)
    if layout_of(found) > LAYOUT:
        log.warning("newer_stream_kept", stream=name, layout=layout_of(found), ours=LAYOUT)
        return False
    changed = changes_needed(found, wanted)
    if not changed:
        return True
    try:
        await connection.api(f"STREAM.UPDATE.{name}", {**found, **changed}, deadline_s)
    except JetStreamApiError as error:
        fields = ", ".join(f"{field}={found.get(field)!r}" for field in changed if field != "subjects")
        raise InvalidRequest(
            f"Stream {name} has {fields or 'other subjects'} and cannot be changed in place "
            f"({error.description}); back it up, delete it (nats stream rm {name}) and start again"
        ) from error
    log.info("stream_updated", stream=name, fields=sorted(changed))
    return True


async def _create(
    connection: Connection, wanted: Mapping[str, Any], deadline_s: float
) -> Mapping[str, Any] | None:
    """Create a stream. Returns its configuration if another process was first, or else None."""
    name = wanted["name"]
    sizes: tuple[int | None, ...] = REQUESTS_MB if name == IN and "max_bytes" not in wanted else (None,)
    for megabytes in sizes:
        limit = {} if megabytes is None else {"max_bytes": _max_bytes(megabytes)}
        first = {"first_seq": round(time.time() * _US)}
        try:
            await connection.api(f"STREAM.CREATE.{name}", {**wanted, **limit, **first}, deadline_s)
        except JetStreamApiError as error:
            if error.err_code == _NAME_IN_USE:
                # Another process was first, perhaps with other settings: check what it created.
                return await _stream_config(connection, name, deadline_s)
            if error.err_code == _SUBJECTS_OVERLAP:
                raise await _overlap(connection, name, wanted["subjects"], deadline_s) from error
            if error.err_code in _NO_STORAGE and megabytes not in (None, REQUESTS_MB[-1]):
                continue
            raise InvalidRequest(
                f"The broker refused to create stream {name}: {error.description}"
            ) from error
        log.info("stream_created", stream=name, replicas=wanted["num_replicas"])
        return None
    return None


async def _overlap(
    connection: Connection, name: str, filters: list[str], deadline_s: float
) -> InvalidRequest:
    """Return the error for a stream whose subjects another stream stores, such as that of layout 1."""
    holders: set[str] = set()
    for subject in filters:
        found = await connection.api("STREAM.NAMES", {"subject": subject}, deadline_s)
        holders.update(found.get("streams") or ())
    others = ", ".join(sorted(holders)) or "another stream"
    return InvalidRequest(
        f"Stream {name} cannot be created, because {others} stores its subjects, as an older release did; "
        f"let the transfers of that release end, delete it (nats stream rm {others}) and start again"
    )


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


async def _stream_config(connection: Connection, name: str, deadline_s: float) -> dict[str, Any] | None:
    try:
        return (await connection.api(f"STREAM.INFO.{name}", None, deadline_s))["config"]
    except JetStreamApiError as error:
        if error.err_code == _STREAM_NOT_FOUND:
            return None
        raise InvalidRequest(f"The broker does not show stream {name}: {error.description}") from error
