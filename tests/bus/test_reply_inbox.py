"""Each request has one end, and none leaves anything behind in the inbox."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Mapping
from typing import Any, cast

import pytest

from warmxfer.bus.errors import AccessDenied
from warmxfer.bus.nats_client import ArrivedMessage
from warmxfer.bus.reply_inbox import EARLY_S, LATE_S, ConnectionLost, ReplyInbox

NEVER_S = 60.0
SLOW_MACHINE_S = 15.0
"""How late a callback may be on a busy machine."""


class Broker:
    """A client whose requests are answered when the test says so."""

    def __init__(self) -> None:
        self.inbox = ReplyInbox(cast(Any, self))
        self.is_full = False
        self.sent = asyncio.Event()
        self.asked: list[str] = []
        """The subject on which the reply to each request is awaited."""

    def new_inbox(self) -> str:
        return "_INBOX.test"

    async def subscribe_callback(self, subject: str, callback: Any, queue: str = "") -> None:
        self._callback = callback

    def send(self, subject: str, payload: bytes, reply: str, headers: Mapping[str, str] | None) -> None:
        self.asked.append(reply)

    async def wait_until_sent(self) -> None:
        await self.sent.wait()

    def answer(self, index: int, data: bytes) -> None:
        self._callback(ArrivedMessage(self.asked[index], "", data, None))


@pytest.fixture
async def broker() -> Broker:
    broker = Broker()
    await broker.inbox.open()
    return broker


def call(
    broker: Broker, subject: str = "a.subject", timeout_s: float = NEVER_S
) -> asyncio.Task[ArrivedMessage]:
    return asyncio.create_task(broker.inbox.call(subject, b"", None, timeout_s))


async def until_asked(broker: Broker, count: int) -> None:
    while len(broker.asked) < count:
        await asyncio.sleep(0)


async def test_each_reply_reaches_its_request(broker: Broker) -> None:
    first, second = call(broker), call(broker)
    await until_asked(broker, 2)
    broker.answer(1, b"two")
    broker.answer(0, b"one")
    assert [(await first).data, (await second).data] == [b"one", b"two"]
    assert not broker.inbox._pending


async def test_a_request_without_a_reply_times_out_and_a_late_reply_is_ignored(broker: Broker) -> None:
    with pytest.raises(TimeoutError):
        await broker.inbox.call("a.subject", b"", None, 0.01)
    assert not broker.inbox._pending
    broker.answer(0, b"late")


async def test_a_batch_ends_with_its_last_reply(broker: Broker) -> None:
    batch = asyncio.create_task(
        broker.inbox.call_for_batch("a.subject", b"", lambda msg: msg.data == b"end", NEVER_S)
    )
    await until_asked(broker, 1)
    for data in (b"one", b"two", b"end", b"late"):
        broker.answer(0, data)
    assert [each.data for each in await batch] == [b"one", b"two", b"end"]
    assert not broker.inbox._pending


async def test_a_cancelled_request_is_forgotten(broker: Broker) -> None:
    waiting = call(broker)
    await until_asked(broker, 1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not broker.inbox._pending


async def test_a_lost_connection_ends_every_request(broker: Broker) -> None:
    waiting = [call(broker), call(broker)]
    await until_asked(broker, 2)
    broker.inbox.fail_all()
    assert [type(each) for each in await asyncio.gather(*waiting, return_exceptions=True)] == [
        ConnectionLost
    ] * 2
    assert not broker.inbox._pending


async def test_a_forbidden_request_ends_and_no_other(broker: Broker) -> None:
    forbidden, allowed = call(broker, "a.subject"), call(broker, "b.subject")
    await until_asked(broker, 2)
    broker.inbox.deny("publish", "A.SUBJECT")
    broker.answer(1, b"done")
    with pytest.raises(AccessDenied):
        await forbidden
    assert (await allowed).data == b"done"
    assert not broker.inbox._pending


async def test_a_reply_that_came_before_the_refusal_stands(broker: Broker) -> None:
    waiting = call(broker)
    await until_asked(broker, 1)
    broker.answer(0, b"done")
    broker.inbox.deny("publish", "A.SUBJECT")
    assert (await waiting).data == b"done"


async def test_a_request_that_fails_and_is_cancelled_at_once_reports_no_unread_error(
    broker: Broker,
) -> None:
    """asyncio logs an error that no task has read."""
    unread: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unread.append(context))
    waiting = call(broker)
    await until_asked(broker, 1)
    broker.inbox.fail_all()
    waiting.cancel()
    with pytest.raises((asyncio.CancelledError, ConnectionLost)):
        await waiting
    del waiting
    gc.collect()
    assert unread == []


async def test_a_dropped_reply_is_awaited_no_longer(broker: Broker) -> None:
    pending = broker.inbox.send("a.subject", b"", None)
    assert len(broker.inbox._pending) == 1
    broker.inbox.drop(pending)
    broker.inbox.drop(pending)
    assert pending.future.cancelled()
    assert not broker.inbox._pending


async def test_requests_end_in_the_order_of_their_deadlines(broker: Broker) -> None:
    """All share one timer. It is set again for a request that ends sooner than those before it."""
    ended: list[str] = []

    async def end(name: str, timeout_s: float) -> None:
        with pytest.raises(TimeoutError):
            await broker.inbox.call("a.subject", b"", None, timeout_s)
        ended.append(name)

    answered = call(broker)
    requests = [asyncio.create_task(end(*each)) for each in [("first", 0.03), ("second", 0.1), ("last", 0.2)]]
    await until_asked(broker, 4)
    broker.answer(0, b"in time")
    assert (await answered).data == b"in time"
    async with asyncio.timeout(SLOW_MACHINE_S):
        await asyncio.gather(*requests)
    assert ended == ["first", "second", "last"]
    assert broker.inbox._timer is None, "a timer is set although nothing waits"


async def test_a_request_ends_soon_after_its_deadline(broker: Broker) -> None:
    """Also if another deadline came just before it, after which the inbox pauses."""
    loop = asyncio.get_running_loop()
    began_at = loop.time()
    other = asyncio.create_task(broker.inbox.call("a.subject", b"", None, 0.05))
    await until_asked(broker, 1)
    with pytest.raises(TimeoutError):
        await broker.inbox.call("a.subject", b"", None, 0.052)
    took_s = loop.time() - began_at
    assert 0.052 - 2 * EARLY_S <= took_s < 0.052 + LATE_S + SLOW_MACHINE_S
    with pytest.raises(TimeoutError):
        await other


async def test_a_lost_connection_leaves_no_timer(broker: Broker) -> None:
    waiting = call(broker)
    await until_asked(broker, 1)
    broker.inbox.fail_all()
    assert broker.inbox._timer is None
    with pytest.raises(ConnectionLost):
        await waiting
    with pytest.raises(TimeoutError):
        await broker.inbox.call("a.subject", b"", None, 0.01)


async def test_a_request_waits_while_too_much_is_unsent(broker: Broker) -> None:
    """Its deadline begins when it was sent."""
    broker.is_full = True
    waiting = call(broker, timeout_s=0.05)
    await until_asked(broker, 1)
    await asyncio.sleep(0.1)
    assert not waiting.done()
    broker.sent.set()
    with pytest.raises(TimeoutError):
        await waiting
    assert not broker.inbox._pending
