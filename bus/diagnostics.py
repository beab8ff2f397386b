"""The broker's report on the streams, their consumers and the running processes, for `warmxfer doctor`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .connection import Connection, JetStreamApiError
from .consumer_table import COORDINATOR, consumers_of, partition_consumers
from .consumers import list_consumers
from .partition import PARTITIONS
from .services import ping_services
from .storage import StorageReader, StorageUse
from .stream_health import StreamHealth, stream_health
from .subjects import ANY_DEAD_LETTER, ROLES, STREAMS, place_of


@dataclass(frozen=True, slots=True)
class ConsumerBacklog:
    """Backlog of one role, over all its consumers."""

    waiting: int
    """Number of pull requests from idle workers. If a role has several consumers: that of the one with the
    fewest.
    """
    pending: int
    """Messages that no worker has received yet."""
    unacked: int
    """Messages delivered and not acknowledged. Their worker is handling them or has died."""


@dataclass(frozen=True, slots=True)
class BrokerReport:
    """Report on the broker.

    `messages` is None if a stream is missing; a queue is None if one of its consumers does not exist.
    """

    server_version: str
    server_time: float | None
    """Epoch seconds by the broker's clock when it answered, or None if there is no stream."""
    messages: int | None
    replicas: int
    queues: dict[str, ConsumerBacklog | None]
    """The backlog of each role that has a durable consumer."""
    missing_streams: tuple[str, ...] = ()
    services: Counter[str] = field(default_factory=Counter[str])
    """Number of processes that replied, by registered service name."""
    facts: tuple[tuple[str, Mapping[str, str]], ...] = ()
    """The service name of each process that replied, with the facts that it registered."""
    authenticated: bool = True
    """Whether the broker lets in only clients with credentials."""
    encrypted: bool = True
    """Whether this connection is TLS."""
    written: int = 0
    """Grows by one with each message that is stored, and never shrinks. Only differences mean something."""
    dead_letters: int = 0
    """Number of dead letters that are stored."""
    versions: tuple[tuple[str, str], ...] = ()
    """The service name of each process that replied, with the version that it runs."""
    streams: tuple[StreamHealth, ...] = ()
    partitions_unheld: tuple[int, ...] = ()
    """Partitions of whose messages no coordinator takes any, at this moment."""
    storage: StorageUse | None = None
    """What is stored, and the account's limit. None if a stream is missing."""


async def diagnose(connection: Connection, deadline_s: float) -> BrokerReport:
    """Return the broker's report. Raises `Unavailable` and `AccessDenied`."""
    server = connection.client.connected_server_version
    found = {name: await _info(connection, name, deadline_s) for name in STREAMS}
    streams = {name: info for name, info in found.items() if info is not None}
    consumers: dict[str, dict[str, Any]] = {}
    for name in streams:
        consumers |= await list_consumers(connection, name, deadline_s)
    complete = len(streams) == len(STREAMS)
    replies = [_service(each) for each in await ping_services(connection)]
    services = tuple((name, facts) for name, _, facts in replies)
    return BrokerReport(
        server_version=f"{server.major}.{server.minor}.{server.patch}",
        server_time=max(
            (datetime.fromisoformat(each["ts"]).timestamp() for each in streams.values()), default=None
        ),
        messages=sum(int(each["state"]["messages"]) for each in streams.values()) if complete else None,
        replicas=min((int(each["config"]["num_replicas"]) for each in streams.values()), default=0),
        queues={role: _backlog(consumers, consumers_of(role)) for role in (COORDINATOR, *ROLES)},
        missing_streams=tuple(name for name in STREAMS if name not in streams),
        services=Counter(name for name, _ in services),
        facts=services,
        authenticated=connection.client.asks_for_credentials,
        encrypted=connection.client.is_encrypted,
        written=sum(int(each["state"]["last_seq"]) for each in streams.values()),
        dead_letters=await _count_dead_letters(connection, deadline_s),
        versions=tuple((name, version) for name, version, _ in replies),
        streams=tuple(stream_health(name, info) for name, info in streams.items()),
        partitions_unheld=_unheld(consumers),
        storage=await StorageReader(connection).read(deadline_s) if complete else None,
    )


def _backlog(known: Mapping[str, Mapping[str, Any]], names: Sequence[str]) -> ConsumerBacklog | None:
    found = [known[name] for name in names if name in known]
    if len(found) < len(names):
        return None
    return ConsumerBacklog(
        waiting=min(int(each["num_waiting"]) for each in found),
        pending=sum(int(each["num_pending"]) for each in found),
        unacked=sum(int(each["num_ack_pending"]) for each in found),
    )


def _unheld(known: Mapping[str, Mapping[str, Any]]) -> tuple[int, ...]:
    """Return the partitions with a consumer that no process pulls from, and that has no message in work."""
    return tuple(
        partition
        for partition in range(PARTITIONS)
        if any(
            name in known and not int(known[name]["num_waiting"]) and not int(known[name]["num_ack_pending"])
            for name in partition_consumers(partition)
        )
    )


def _service(answer: dict[str, Any]) -> tuple[str, str, Mapping[str, str]]:
    """Return the name, the version and the facts of a service that answered a ping."""
    return str(answer.get("name")), str(answer.get("version")), answer.get("metadata") or {}


async def _count_dead_letters(connection: Connection, deadline_s: float) -> int:
    query = {"subjects_filter": ANY_DEAD_LETTER}
    info = await _info(connection, place_of(ANY_DEAD_LETTER).stream, deadline_s, query)
    counts: dict[str, int] = (info or {}).get("state", {}).get("subjects") or {}
    return sum(counts.values())


async def _info(
    connection: Connection, stream: str, deadline_s: float, query: Mapping[str, Any] | None = None
) -> dict[str, Any] | None:
    try:
        return await connection.api(f"STREAM.INFO.{stream}", query, deadline_s)
    except JetStreamApiError:
        return None
