"""The broker's report on the stream, its consumers and the running processes, for `warmxfer doctor`."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from .connection import Connection, JetStreamApiError
from .stream import CONSUMERS, STREAM
from .subscriptions import Subscription

PING_SERVICES: Final = "$SRV.PING"
PING_WAIT_S: Final = 0.5
"""Time in which running processes must reply to a service ping."""


@dataclass(frozen=True, slots=True)
class ConsumerBacklog:
    """Backlog of one work queue. `waiting` is the number of pull requests from idle workers."""

    waiting: int
    pending: int
    """Messages that no worker has received yet."""
    unacked: int
    """Messages delivered and not acknowledged. Their worker is handling them or has died."""


@dataclass(frozen=True, slots=True)
class BrokerReport:
    """Report on the broker.

    `messages` is None if there is no stream; a queue is None if it does not exist.
    """

    server_version: str
    server_time: float | None
    """Epoch seconds by the broker's clock when it answered, or None if there is no stream."""
    messages: int | None
    replicas: int
    queues: dict[str, ConsumerBacklog | None]
    services: Counter[str] = field(default_factory=Counter[str])
    """Number of processes that replied, by registered service name."""
    written: int = 0
    """Grows by one with each message that is stored, and never shrinks. Only differences mean something."""


async def diagnose(connection: Connection, deadline_s: float) -> BrokerReport:
    """Return the broker's report. Raises `Unavailable` and `AccessDenied`."""
    server = connection.client.connected_server_version
    stream = await _info(connection, f"STREAM.INFO.{STREAM}", deadline_s)
    queues: dict[str, ConsumerBacklog | None] = {}
    for name in CONSUMERS:
        found = await _info(connection, f"CONSUMER.INFO.{STREAM}.{name}", deadline_s) if stream else None
        queues[name] = (
            ConsumerBacklog(
                int(found["num_waiting"]), int(found["num_pending"]), int(found["num_ack_pending"])
            )
            if found
            else None
        )
    return BrokerReport(
        server_version=f"{server.major}.{server.minor}.{server.patch}",
        server_time=datetime.fromisoformat(stream["ts"]).timestamp() if stream else None,
        messages=int(stream["state"]["messages"]) if stream else None,
        replicas=int(stream["config"]["num_replicas"]) if stream else 0,
        queues=queues,
        services=await _ping_services(connection),
        written=int(stream["state"]["last_seq"]) if stream else 0,
    )


async def count(connection: Connection, subject: str, deadline_s: float) -> int:
    """Return the number of subjects that match `subject` and hold at least one message."""
    found = await connection.api(f"STREAM.INFO.{STREAM}", {"subjects_filter": subject}, deadline_s)
    return len(found["state"].get("subjects") or {})


async def _ping_services(connection: Connection) -> Counter[str]:
    """Ping all registered services and count the replies by name, for `PING_WAIT_S`."""
    inbox, services = connection.client.new_inbox(), Counter[str]()
    deadline = asyncio.get_running_loop().time() + PING_WAIT_S
    async with Subscription(connection, inbox) as replies:
        await connection.client.publish(PING_SERVICES, reply=inbox)
        while (left_s := deadline - asyncio.get_running_loop().time()) > 0:
            reply = await replies.next(left_s)
            if reply is not None and reply.data:  # the broker sends an empty reply if there is none
                services[str(json.loads(reply.data).get("name"))] += 1
    return services


async def _info(connection: Connection, verb: str, deadline_s: float) -> dict[str, Any] | None:
    try:
        return await connection.api(verb, deadline_s=deadline_s)
    except JetStreamApiError:
        return None
