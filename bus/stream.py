"""The stream and its consumers, as data; `ensure` creates them, or brings what is there up to date.

One stream holds everything about a transfer. Any number of processes may ensure it at the same moment.
Two rules keep a rolling upgrade safe: subjects are added, never taken away, and a stream that a newer
release laid out is left alone. Replicas are raised, never lowered, so that one process started without
`WARMXFER_REPLICAS` cannot take the safety from the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog

from .connection import Connection, JetStreamApiError
from .errors import InvalidRequest
from .settings import BusSettings
from .subjects import ROLES, STREAM_SUBJECTS

STREAM = "WARMXFER"
LAYOUT = 1
"""Raised when a release changes what is below in a way an older release must not undo."""

DUPLICATE_WINDOW_S = 120
MAX_MESSAGE_BYTES = 128 * 1024
MAX_ACK_PENDING = 10_000
MAX_WAITING_PULLS = 2_048
COORDINATOR = "coordinator"
CONSUMERS = (COORDINATOR, *ROLES)

_NS = 1_000_000_000
_LAYOUT_KEY = "warmxfer.layout"
_STREAM_NOT_FOUND = 10059
_NAME_IN_USE = 10058

log = structlog.get_logger(__name__)


def stream_definition(settings: BusSettings) -> dict[str, Any]:
    """The stream in the broker's own words; durations in nanoseconds."""
    return {
        "name": STREAM,
        "subjects": list(STREAM_SUBJECTS),
        "storage": "file",
        # Schedules and work-queue retention do not mix (schedules were lost); age alone removes.
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
    """The durable pull consumers by name; `max_deliver` is the worker's, which must write a cause."""
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


async def ensure(link: Connection, settings: BusSettings) -> None:
    """Create the stream and its consumers, or update them; raises `Refused` for what cannot be updated."""
    if await _ensure_stream(link, stream_definition(settings)):
        for definition in consumer_definitions(settings).values():
            await _ensure_consumer(link, definition)


def _filters() -> dict[str, tuple[str, ...]]:
    triggers = tuple(f"warmxfer.*.{kind}" for kind in ("request", "cancel", "event", "timeout"))
    return {COORDINATOR: triggers, **{role: (f"warmxfer.*.do.{role}",) for role in ROLES}}


async def _ensure_stream(link: Connection, wanted: dict[str, Any]) -> bool:
    """Returns False when a newer release owns the stream, which is then left as it is."""
    found = await _stream_config(link)
    if found is None:
        try:
            await link.api(f"STREAM.CREATE.{STREAM}", wanted)
        except JetStreamApiError as error:
            # Lost a race against a process with other settings: verify what it made.
            if error.err_code != _NAME_IN_USE:
                raise InvalidRequest(
                    f"The broker refused to create stream {STREAM}: {error.description}"
                ) from error
            found = await _stream_config(link)
        else:
            log.info("stream_created", stream=STREAM, replicas=wanted["num_replicas"])
    if found is None:
        return True
    metadata: Mapping[str, str] = found.get("metadata") or {}
    if int(metadata.get(_LAYOUT_KEY, "0")) > LAYOUT:
        log.warning("stream_left_alone", stream=STREAM, layout=metadata[_LAYOUT_KEY], ours=LAYOUT)
        return False
    changed = diff(found, wanted)
    if not changed:
        return True
    try:
        await link.api(f"STREAM.UPDATE.{STREAM}", {**found, **changed})
    except JetStreamApiError as error:
        fields = ", ".join(f"{name}={found.get(name)!r}" for name in changed if name != "subjects")
        raise InvalidRequest(
            f"Stream {STREAM} has {fields or 'other subjects'} and cannot be changed in place "
            f"({error.description}); back it up, delete it (nats stream rm {STREAM}) and start again"
        ) from error
    log.info("stream_updated", stream=STREAM, fields=sorted(changed))
    return True


def diff(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What of `wanted` differs from `found` and is to be written; see the law of this file."""
    changed = {name: value for name, value in wanted.items() if found.get(name) != value}
    subjects: list[str] = list(found.get("subjects") or ())
    missing = [subject for subject in wanted["subjects"] if subject not in subjects]
    changed.pop("subjects", None)
    if missing:
        changed["subjects"] = subjects + missing
    if found.get("num_replicas", 1) >= wanted["num_replicas"]:
        changed.pop("num_replicas", None)
    # The broker adds metadata of its own (its version), which is no difference.
    metadata: dict[str, str] = {**(found.get("metadata") or {}), **wanted["metadata"]}
    changed.pop("metadata", None)
    if metadata != found.get("metadata"):
        changed["metadata"] = metadata
    return changed


async def _stream_config(link: Connection) -> dict[str, Any] | None:
    try:
        return (await link.api(f"STREAM.INFO.{STREAM}"))["config"]
    except JetStreamApiError as error:
        if error.err_code == _STREAM_NOT_FOUND:
            return None
        raise InvalidRequest(f"The broker does not show stream {STREAM}: {error.description}") from error


async def _ensure_consumer(link: Connection, wanted: dict[str, Any]) -> None:
    name = wanted["name"]
    try:
        # Creating what is there updates it; the same definition twice is no error.
        await link.api(f"CONSUMER.CREATE.{STREAM}.{name}", {"stream_name": STREAM, "config": wanted})
    except JetStreamApiError as error:
        raise InvalidRequest(
            f"Consumer {name} of stream {STREAM} cannot be changed in place ({error.description}); "
            f"delete it while no worker runs (nats consumer rm {STREAM} {name}) and start again"
        ) from error
