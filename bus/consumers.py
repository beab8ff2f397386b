"""Creates, updates and reads the durable pull consumers of `consumer_table.py`.

The subject by which a consumer is created names its filter (`CONSUMER.CREATE.<stream>.<name>.<filter>`), so a
permission can allow one consumer and no other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from .connection import Connection, JetStreamApiError
from .consumer_table import CONSUMERS, consumers_of
from .errors import InvalidRequest
from .settings import BusSettings

MAX_ACK_PENDING = 10_000
MAX_WAITING_PULLS = 2_048
CREATED_AT_ONCE = 8
"""Consumers that one process creates at the same time."""
_NS = 1_000_000_000
_STREAM_NOT_FOUND = 10059
_CONSUMER_NOT_FOUND = 10014


def consumer_definition(name: str, settings: BusSettings) -> dict[str, Any]:
    """Return a consumer as a JetStream configuration.

    The worker enforces `max_deliver`, to write a dead letter.
    """
    return {
        "name": name,
        "durable_name": name,
        "filter_subject": CONSUMERS[name].filter,
        "ack_policy": "explicit",
        "deliver_policy": "all",
        "replay_policy": "instant",
        "ack_wait": round(settings.ack_wait_s * _NS),
        "max_deliver": -1,
        "max_ack_pending": MAX_ACK_PENDING,
        "max_waiting": MAX_WAITING_PULLS,
    }


async def consumer_info(connection: Connection, name: str, deadline_s: float) -> dict[str, Any] | None:
    """Return what the broker knows about a consumer, or None if it does not exist.

    Raises `StreamMissing`, `Unavailable`, `AccessDenied`, `InvalidRequest`.
    """
    stream = CONSUMERS[name].stream
    try:
        return await connection.api(f"CONSUMER.INFO.{stream}.{name}", None, deadline_s)
    except JetStreamApiError as error:
        if error.err_code == _CONSUMER_NOT_FOUND:
            return None
        if error.err_code == _STREAM_NOT_FOUND:
            raise connection.stream_missing(stream) from error
        raise InvalidRequest(f"The broker does not show consumer {name}: {error.description}") from error


async def list_consumers(connection: Connection, stream: str, deadline_s: float) -> dict[str, dict[str, Any]]:
    """Return what the broker knows about our consumers of `stream`, by name.

    Raises `StreamMissing`, `Unavailable`, `AccessDenied`, `InvalidRequest`.
    """
    found: dict[str, dict[str, Any]] = {}
    offset = 0
    while True:
        try:
            page = await connection.api(f"CONSUMER.LIST.{stream}", {"offset": offset}, deadline_s)
        except JetStreamApiError as error:
            if error.err_code == _STREAM_NOT_FOUND:
                raise connection.stream_missing(stream) from error
            raise InvalidRequest(
                f"The broker does not list the consumers of stream {stream}: {error.description}"
            ) from error
        listed: list[dict[str, Any]] = page.get("consumers") or []
        found |= {each["name"]: each for each in listed if each["name"] in CONSUMERS}
        offset += len(listed)
        if not listed or offset >= int(page.get("total", 0)):
            return found


async def ensure_consumers(connection: Connection, stream: str, deadline_s: float) -> None:
    """Create the consumers of `stream` that are missing or differ. Raises as `ensure_consumer` does."""
    known = await list_consumers(connection, stream, deadline_s)
    slots = asyncio.Semaphore(CREATED_AT_ONCE)

    async def create(name: str) -> None:
        async with slots:
            await ensure_consumer(connection, name, deadline_s)

    names = [name for name, spec in CONSUMERS.items() if spec.stream == stream]
    wanted = {name: consumer_definition(name, connection.settings) for name in names}
    await asyncio.gather(*(create(name) for name in names if _differs(wanted[name], known.get(name))))


async def ensure_consumers_of(connection: Connection, role: str, deadline_s: float) -> None:
    """Create the consumers of `role` that are missing or differ. Raises as `ensure_consumer` does.

    Each is asked for by its name, so a user that may use only these can do it.
    """
    for name in consumers_of(role):
        wanted = consumer_definition(name, connection.settings)
        if _differs(wanted, await consumer_info(connection, name, deadline_s)):
            await ensure_consumer(connection, name, deadline_s)


async def ensure_consumer(connection: Connection, name: str, deadline_s: float) -> dict[str, Any]:
    """Create or update a consumer, and return what the broker knows about it.

    Raises `InvalidRequest` if it exists and cannot be updated, and `StreamMissing`.
    """
    _, stream, subject = CONSUMERS[name]
    config = consumer_definition(name, connection.settings)
    try:
        # CREATE updates an existing consumer. The same definition twice is no error.
        return await connection.api(
            f"CONSUMER.CREATE.{stream}.{name}.{subject}",
            {"stream_name": stream, "config": config},
            deadline_s,
        )
    except JetStreamApiError as error:
        if error.err_code == _STREAM_NOT_FOUND:
            raise connection.stream_missing(stream) from error
        raise InvalidRequest(
            f"Consumer {name} of stream {stream} cannot be changed in place ({error.description}); "
            f"delete it while no worker runs (nats consumer rm {stream} {name}) and start again"
        ) from error


async def move_consumer(connection: Connection, name: str, seq: int, deadline_s: float) -> None:
    """Let a consumer deliver from number `seq` on. Messages before it count as acknowledged.

    Its definition stays the same, so a release that knows only that definition can still update it.
    """
    await connection.api(f"CONSUMER.RESET.{CONSUMERS[name].stream}.{name}", {"seq": seq}, deadline_s)


def _differs(wanted: Mapping[str, Any], found: Mapping[str, Any] | None) -> bool:
    if found is None:
        return True
    config: Mapping[str, Any] = found.get("config") or {}
    return any(config.get(field) != value for field, value in wanted.items())
