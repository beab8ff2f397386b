"""This process as a NATS micro service (ADR-32 of NATS): it answers `$SRV.PING`, `INFO` and `STATS`.

So `nats service ls` shows every actor. Its endpoints are the subjects that it serves, and the work queues
that it takes from. `nats.micro` is not used: its import would delay the start, and its handlers run one after
the other.

- Invariant: the number of endpoints has a limit. All subjects of one row of the table are one endpoint.
- Invariant: no answer holds data of a request. The last error is the name of its class.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final

import structlog
from nats.errors import Error

from .connection import Connection
from .consumer_table import CONSUMERS
from .nats_client import ArrivedMessage
from .subjects import SUBJECTS, SubjectSpec, is_reply_address

PING, INFO, STATS = "PING", "INFO", "STATS"
CONTROL: Final = "$SRV"
RESPONSE_TYPE: Final = "io.nats.micro.v1.{}_response"
REQUEST, WORK_QUEUE = "request", "work queue"
"""The kinds of endpoints, in their metadata. Nothing answers a request to a work queue."""
NS_PER_S: Final = 1_000_000_000

_NOT_IN_NAME = re.compile(r"[^A-Za-z0-9_-]")
_PARTITION = re.compile(r"-\d+$|(?<=^wx\.)\d+")

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Endpoint:
    """What this process serves under one name, with its statistics since the start."""

    name: str
    subject: str
    queue_group: str
    kind: str
    requests: int = 0
    errors: int = 0
    last_error: str = ""
    busy_s: float = 0.0

    def measured(self, loop: asyncio.AbstractEventLoop) -> Measured:
        """Return a context that counts one request, its time, and the error that leaves it."""
        return Measured(self, loop)

    def ended(self, busy_s: float, error: BaseException | None = None) -> None:
        """Count one request and its time. A cancelled one is not counted: it is handled again."""
        if error is not None:
            if isinstance(error, asyncio.CancelledError):
                return
            self.errors += 1
            self.last_error = type(error).__name__
        self.requests += 1
        self.busy_s += busy_s

    def failed(self, word: str) -> None:
        """Count a request that failed before it was handled."""
        self.requests += 1
        self.errors += 1
        self.last_error = word


class Measured:
    """Counts one request of an endpoint."""

    __slots__ = ("_endpoint", "_loop", "_started_at")

    def __init__(self, endpoint: Endpoint, loop: asyncio.AbstractEventLoop) -> None:
        self._endpoint = endpoint
        self._loop = loop
        self._started_at = 0.0

    def __enter__(self) -> None:
        self._started_at = self._loop.time()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._endpoint.ended(self._loop.time() - self._started_at, error)


@dataclass(slots=True)
class Endpoints:
    """The endpoints of one connection, by name."""

    by_name: dict[str, Endpoint] = field(default_factory=dict[str, Endpoint])
    _of_consumer: dict[str, Endpoint] = field(default_factory=dict[str, Endpoint])

    def of_subject(self, subject: str, queue: str | None) -> Endpoint:
        """Return the endpoint of a subject that is served: that of its row in the table."""
        row = row_of_request(subject)
        name, shown = (row.name, row.filter) if row else (subject, subject)
        return self._get(name, shown, queue or "", REQUEST)

    def of_consumer(self, consumer: str) -> Endpoint:
        """Return the endpoint of a consumer. The consumers of all partitions are one endpoint."""
        found = self._of_consumer.get(consumer)
        if found is None:
            name = _PARTITION.sub("", consumer)
            filter = _PARTITION.sub("*", CONSUMERS[consumer].filter)
            found = self._of_consumer[consumer] = self._get(name, filter, name, WORK_QUEUE)
        return found

    def _get(self, name: str, subject: str, queue_group: str, kind: str) -> Endpoint:
        name = _NOT_IN_NAME.sub("-", name)
        if name not in self.by_name:
            self.by_name[name] = Endpoint(name, subject, queue_group, kind)
        return self.by_name[name]


def row_of_request(subject: str) -> SubjectSpec | None:
    """Return the row of the table for a subject of requests, or None if there is none."""
    return next((row for row in SUBJECTS if not row.captured and _matches(row.filter, subject)), None)


def _matches(filter: str, subject: str) -> bool:
    wanted, given = filter.split("."), subject.split(".")
    return len(wanted) == len(given) and all(w in ("*", g) for w, g in zip(wanted, given, strict=True))


class MicroService:
    """Answers the three questions about this process, until the connection is closed."""

    def __init__(
        self,
        connection: Connection,
        endpoints: Endpoints,
        name: str,
        version: str,
        description: str,
        metadata: Mapping[str, str],
    ) -> None:
        self._connection = connection
        self._endpoints = endpoints
        self._description = description
        self._started = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        self._identity: dict[str, Any] = {
            "name": name,
            "id": secrets.token_hex(11),
            "version": version,
            "metadata": dict(metadata),
        }

    async def start(self) -> None:
        """Subscribe to the questions about all services, about this name, and about this process."""
        name, id = self._identity["name"], self._identity["id"]
        for verb in (PING, INFO, STATS):
            for subject in (
                f"{CONTROL}.{verb}",
                f"{CONTROL}.{verb}.{name}",
                f"{CONTROL}.{verb}.{name}.{id}",
            ):
                await self._connection.client.subscribe_callback(subject, self._answer)

    def _answer(self, question: ArrivedMessage) -> None:
        if not question.reply:
            return
        if not is_reply_address(question.reply):
            log.warning("reply_refused", subject=question.subject, reply=question.reply)
            return
        verb = question.subject.split(".")[1]
        data = json.dumps(
            {**self._identity, **self._about(verb), "type": RESPONSE_TYPE.format(verb.lower())}
        ).encode()
        try:
            self._connection.client.send(question.reply, data)
        except Error as error:
            log.warning("reply_send_failed", subject=question.subject, error=str(error))

    def _about(self, verb: str) -> dict[str, Any]:
        endpoints = self._endpoints.by_name.values()
        if verb == INFO:
            return {"description": self._description, "endpoints": [_info(each) for each in endpoints]}
        if verb == STATS:
            return {"started": self._started, "endpoints": [_statistics(each) for each in endpoints]}
        return {}


def _info(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "name": endpoint.name,
        "subject": endpoint.subject,
        "queue_group": endpoint.queue_group,
        "metadata": {"kind": endpoint.kind},
    }


def _statistics(endpoint: Endpoint) -> dict[str, Any]:
    busy_ns = round(endpoint.busy_s * NS_PER_S)
    return {
        "name": endpoint.name,
        "subject": endpoint.subject,
        "queue_group": endpoint.queue_group,
        "num_requests": endpoint.requests,
        "num_errors": endpoint.errors,
        "last_error": endpoint.last_error,
        "processing_time": busy_ns,
        "average_processing_time": busy_ns // endpoint.requests if endpoint.requests else 0,
    }
