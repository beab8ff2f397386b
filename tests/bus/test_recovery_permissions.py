"""Recovery of consumers and streams with the rights of each role, without TLS and with it.

Of all users the coordinator alone may create a stream. Each other role creates its own consumer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.testkit.certificates import stack_certificates
from tests.testkit.secured_broker import ROOT, secured_broker
from warmxfer.bus import Bus, Worker, subjects
from warmxfer.bus.consumer_table import CONSUMERS
from warmxfer.bus.subject_table import COORDINATOR, WORKING_STREAMS

from .losses import SOME_CONSUMERS, WORK_GOES_ON_S, Received, api, delete_consumer, subject_for, until


async def delete_consumers(root: Bus) -> None:
    for consumer in SOME_CONSUMERS:
        await delete_consumer(root, consumer)


async def delete_streams(root: Bus) -> None:
    for stream in WORKING_STREAMS:
        await api(root, f"STREAM.DELETE.{stream}")


async def purge_streams(root: Bus) -> None:
    for stream in WORKING_STREAMS:
        await api(root, f"STREAM.PURGE.{stream}")


def id_of(name: str, consumer: str) -> str:
    """Return the id of a message. What follows a dash is not counted (`Received`)."""
    return f"{name}_{consumer.replace('-', '_')}"


LOSSES: dict[str, Callable[[Bus], Awaitable[None]]] = {
    "its consumer deleted": delete_consumers,
    "every stream deleted": delete_streams,
    "every stream purged": purge_streams,
}


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("loss", LOSSES)
async def test_every_role_goes_on_with_its_own_rights_after(loss: str, tls: bool, tmp_path: Path) -> None:
    certificates = stack_certificates(tmp_path) if tls else None
    async with secured_broker(certificates=certificates) as broker, AsyncExitStack() as stack:
        assert broker.server.url.startswith("tls://" if tls else "nats://")
        root = await stack.enter_async_context(await Bus.connect(broker.settings(ROOT), name="root"))
        received = {role: Received() for role in (COORDINATOR, *subjects.ROLES)}
        buses: list[Bus] = []
        for role, handler in received.items():
            settings = broker.settings(role, ack_wait_s=1.0)
            buses.append(await stack.enter_async_context(await Bus.connect(settings, name=role)))
            await stack.enter_async_context(Worker(buses[-1], role, handler, jobs=2))

        def all_received(name: str) -> bool:
            return all(received[CONSUMERS[each].role].ids[id_of(name, each)] for each in SOME_CONSUMERS)

        async def publish(name: str) -> None:
            for each in SOME_CONSUMERS:
                await root.publish(subject_for(each, id_of(name, each)), b"", deadline_s=WORK_GOES_ON_S)

        await publish("before")
        await until(lambda: all_received("before"))
        await LOSSES[loss](root)
        await publish("after")
        await until(lambda: all_received("after"))
        await until(lambda: not any(bus.readiness.failing() for bus in buses))
