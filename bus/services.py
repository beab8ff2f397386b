"""Running processes: each answers the questions of NATS micro services (`micro_service.py`)."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from typing import Any, Final, NamedTuple, cast

import structlog

from .connection import Connection
from .micro_service import CONTROL, PING, STATS
from .subscriptions import Subscription

ANSWER_WAIT_S: Final = 0.5
"""Time in which running processes must answer."""
MAX_ANSWERS: Final = 1_000
NAME_PREFIX: Final = "warmxfer-"

log = structlog.get_logger(__name__)


class ProcessStatistics(NamedTuple):
    """One running process, with what it has handled since its start."""

    name: str
    """The name of the service, such as `warmxfer-gateway`."""
    id: str
    """It changes with each start of the process."""
    version: str
    started_at: float | None
    """Epoch seconds by the clock of the process; None if it does not say."""
    handled: int
    """Requests and commands."""
    failed: int
    """How many of them raised an error. Most are tried again."""


async def ask_services(connection: Connection, verb: str) -> list[dict[str, Any]]:
    """Ask all services for `PING`, `INFO` or `STATS`, and return the answers of `ANSWER_WAIT_S`."""
    inbox, answers = connection.client.new_inbox(), list[dict[str, Any]]()
    deadline = asyncio.get_running_loop().time() + ANSWER_WAIT_S
    async with Subscription(connection, inbox) as replies:
        await connection.client.publish(f"{CONTROL}.{verb}", reply=inbox)
        while len(answers) < MAX_ANSWERS and (left_s := deadline - asyncio.get_running_loop().time()) > 0:
            reply = await replies.next(left_s)
            if reply is None or not reply.data:  # the broker sends an empty reply if there is none
                continue
            answer = json.loads(reply.data)
            if isinstance(answer, dict):
                answers.append(cast("dict[str, Any]", answer))
    return answers


async def ping_services(connection: Connection) -> list[dict[str, Any]]:
    """Return the identity of each service that answers."""
    return await ask_services(connection, PING)


async def list_processes(connection: Connection) -> list[ProcessStatistics]:
    """Return the processes of warmxfer that answer, by name and id. Services of others are left out."""
    answers = await ask_services(connection, STATS)
    ours = [each for each in answers if str(each.get("name", "")).startswith(NAME_PREFIX)]
    return sorted(map(_statistics, ours))


def _statistics(answer: dict[str, Any]) -> ProcessStatistics:
    found = answer.get("endpoints")
    endpoints = cast("list[Any]", found) if isinstance(found, list) else []
    return ProcessStatistics(
        name=str(answer.get("name", "")),
        id=str(answer.get("id", "")),
        version=str(answer.get("version", "")),
        started_at=_moment(answer.get("started")),
        handled=_total(endpoints, "num_requests"),
        failed=_total(endpoints, "num_errors"),
    )


def _moment(text: object) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp() if isinstance(text, str) else None
    except ValueError as error:
        log.info("service_start_not_read", cause=str(error))
        return None


def _total(endpoints: list[Any], name: str) -> int:
    values = [cast("dict[str, Any]", each).get(name) for each in endpoints if isinstance(each, dict)]
    return sum(value for value in values if isinstance(value, int))
