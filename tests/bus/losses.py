"""Losses of a stream, of a consumer or of the broker's disk, and what a worker receives before and after."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from functools import partial
from itertools import count
from pathlib import Path

from tests.testkit import waiting
from warmxfer.bus import (
    Bus,
    Delivery,
    EmbeddedServer,
    Outgoing,
    subjects,
)
from warmxfer.bus.consumer_table import CONSUMERS
from warmxfer.bus.partition import partition_of
from warmxfer.bus.subjects import STREAMS

WORK_GOES_ON_S = 10.0
"""The promise: a worker has work again this long after its stream or consumer vanished."""


until = partial(waiting.until, within_s=WORK_GOES_ON_S)


SOME_CONSUMERS = ("requests-0", "events-7", "timeouts-15", *subjects.ROLES)
"""One of each kind: a coordinator has 48 of the same code."""


def role_of(consumer: str) -> str:
    return CONSUMERS[consumer].role


def subject_for(consumer: str, id: str) -> str:
    """Return a subject that `consumer` receives. A coordinator's has an id of that partition."""
    kind, _, partition = consumer.partition("-")
    match kind:
        case "requests":
            return subjects.request(in_partition(int(partition), id))
        case "events":
            return subjects.event(in_partition(int(partition), id), "gateway")
        case "timeouts":
            return subjects.timeout(in_partition(int(partition), id))
        case _:
            return subjects.work_queue(id, consumer)


def in_partition(partition: int, name: str) -> str:
    """Return an id that begins with `name` and has this partition."""
    return next(id for n in count() if partition_of(id := f"{name}-{n}") == partition)


class Received:
    """A handler that counts what it received, by the id before its first `-`."""

    def __init__(self) -> None:
        self.ids: Counter[str] = Counter()

    async def __call__(self, delivery: Delivery) -> None:
        self.ids[delivery.transfer_id.partition("-")[0]] += 1


async def api(bus: Bus, verb: str, body: object = None) -> dict[str, object]:
    return await bus._connection.api(verb, body)  # type: ignore[arg-type]


async def delete_consumer(bus: Bus, consumer: str) -> None:
    await api(bus, f"CONSUMER.DELETE.{CONSUMERS[consumer].stream}.{consumer}")


async def delete_stream(bus: Bus, consumer: str) -> None:
    await api(bus, f"STREAM.DELETE.{CONSUMERS[consumer].stream}")


async def delete_streams(bus: Bus, consumer: str) -> None:
    for stream in STREAMS:
        await api(bus, f"STREAM.DELETE.{stream}")


async def purge_stream(bus: Bus, consumer: str) -> None:
    await api(bus, f"STREAM.PURGE.{CONSUMERS[consumer].stream}")


async def empty_disk(server: EmbeddedServer, store: Path) -> None:
    """Bring the broker back without its stream."""
    await server.stop(kill=True)
    await asyncio.to_thread(shutil.rmtree, store)
    await server.start()


async def publish(bus: Bus, consumer: str, name: str, count: int) -> None:
    """Store messages that `consumer` receives, each of another transfer whose id begins with `name`."""
    await bus.publish_all([Outgoing(subject_for(consumer, f"{name}-{n}"), b"") for n in range(count)])
