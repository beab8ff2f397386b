"""Live subscriptions are bounded, and report every lost message."""

from __future__ import annotations

import asyncio
import secrets
import time

import pytest
from structlog.testing import capture_logs

from tests.testkit.nats_server import restart
from warmxfer.bus import (
    Bus,
    EmbeddedServer,
    LiveMessage,
    Outgoing,
    Subscription,
    subjects,
    subscriptions,
)
from warmxfer.bus.nats_client import ArrivedMessage


async def test_published_messages_are_received_in_order(bus: Bus, transfer_id: str) -> None:
    async with bus.subscribe(subjects.phase(transfer_id)) as subscription:
        await bus.publish_all([Outgoing(subjects.phase(transfer_id), b"%d" % n) for n in range(50)])
        received = [await subscription.next(2) for _ in range(50)]
        assert await subscription.next(0.05) is None
    assert received == [LiveMessage(subjects.phase(transfer_id), b"%d" % n) for n in range(50)]


async def test_a_wildcard_receives_every_transfer_of_a_session(bus: Bus) -> None:
    session = f"s-{secrets.token_hex(4)}"
    async with bus.subscribe(subjects.session_commands(session)) as subscription:
        await bus.publish(subjects.session_commands(session), b"1")
        await bus.publish(subjects.session_commands(session), b"2")
        await bus.publish(subjects.session_commands("other"), b"3")
        assert await subscription.next(2) == LiveMessage(subjects.session_commands(session), b"1")
        assert await subscription.next(2) == LiveMessage(subjects.session_commands(session), b"2")
        assert await subscription.next(0.05) is None
    newest = await bus.get_last(subjects.session_commands(session))
    assert newest is not None
    assert newest.data == b"2"


@pytest.mark.parametrize("max_pending", [1, 4])
async def test_a_slow_subscriber_learns_how_many_messages_it_lost(
    bus: Bus, transfer_id: str, max_pending: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "MAX_PENDING", max_pending)
    subject = subjects.phase(transfer_id)
    with capture_logs() as logs:
        async with bus.subscribe(subject) as subscription:
            await bus.publish_all([Outgoing(subject, b"%d" % n) for n in range(10)])
            await asyncio.sleep(0.1)
            received = [await subscription.next(1) for _ in range(max_pending)]
    kept = list(range(10 - max_pending, 10))
    assert [m.data for m in received if m] == [b"%d" % n for n in kept]
    assert [m.lost for m in received if m] == [10 - max_pending] + [0] * (max_pending - 1)
    assert [entry["event"] for entry in logs].count("subscriber_too_slow") >= 1


async def test_a_subscription_continues_after_a_killed_broker(
    fresh_server: EmbeddedServer, fresh_bus: Bus, transfer_id: str
) -> None:
    async with fresh_bus.subscribe(subjects.phase(transfer_id)) as subscription:
        await restart(fresh_server, kill=True)
        await fresh_bus.publish(subjects.phase(transfer_id), b"back", deadline_s=10)
        assert await subscription.next(2) == LiveMessage(subjects.phase(transfer_id), b"back")


async def test_only_the_messages_that_are_kept_wake_the_reader(bus: Bus, transfer_id: str) -> None:
    subject, seen = subjects.phase(transfer_id), list[bytes]()

    def keep(data: bytes) -> bool:
        seen.append(data)
        return data == b"2"

    async with bus.subscribe(subject, keep) as subscription:
        await bus.publish_all([Outgoing(subject, b"%d" % n) for n in range(4)])
        received = await subscription.next(2)
        assert received is not None
        assert received.data == b"2"
        assert await subscription.next(0.05) is None
    assert seen == [b"0", b"1", b"2", b"3"]


async def test_a_message_that_came_before_the_timeout_is_returned(bus: Bus, transfer_id: str) -> None:
    """The process was stopped meanwhile: when it goes on, the message and the timeout are there at once."""
    subject = subjects.phase(transfer_id)
    async with bus.subscribe(subject) as subscription:
        waiting = asyncio.create_task(subscription.next(0.05))
        await asyncio.sleep(0)
        subscription._on_message(ArrivedMessage(subject, "", b"1", None))
        time.sleep(0.1)  # noqa: ASYNC251
        assert await waiting == LiveMessage(subject, b"1")


async def is_waiting(subscription: Subscription) -> None:
    async with asyncio.timeout(5):
        while subscription._waiting is None:
            await asyncio.sleep(0)


async def test_a_reader_that_waits_ends_with_its_subscription(bus: Bus, transfer_id: str) -> None:
    async with bus.subscribe(subjects.phase(transfer_id)) as subscription:
        reading = asyncio.create_task(anext(subscription, None))
        await is_waiting(subscription)
    async with asyncio.timeout(5):
        assert await reading is None
    assert subscription.ended
    assert await subscription.next(None) is None


async def test_a_reader_that_waits_ends_with_its_connection(bus: Bus, transfer_id: str) -> None:
    """Otherwise a task that reads would hold up the end of its process."""
    async with await Bus.connect(bus.settings, name="closing") as closing:
        subscription = closing.subscribe(subjects.phase(transfer_id))
        await subscription.__aenter__()
        reading = asyncio.create_task(subscription.next(None))
        await is_waiting(subscription)
    async with asyncio.timeout(5):
        assert await reading is None
    assert subscription.ended


async def test_an_interrupt_wakes_a_reader_once(bus: Bus, transfer_id: str) -> None:
    async with bus.subscribe(subjects.phase(transfer_id)) as subscription:
        reading = asyncio.create_task(subscription.next(None))
        await is_waiting(subscription)
        subscription.interrupt()
        async with asyncio.timeout(5):
            assert await reading is None
        assert not subscription.ended
        await bus.publish(subjects.phase(transfer_id), b"1")
        assert await subscription.next(5) == LiveMessage(subjects.phase(transfer_id), b"1")


async def test_an_interrupt_before_the_reader_waits_is_not_lost(bus: Bus, transfer_id: str) -> None:
    async with bus.subscribe(subjects.phase(transfer_id)) as subscription:
        subscription.interrupt()
        async with asyncio.timeout(5):
            assert await subscription.next(None) is None
