"""A pull consumer alone, on a virtual clock, over a connection that records what is sent.

The broker of these tests answers only what a test lets it answer. So it can be silent, which a real broker
that runs cannot be made to be.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, cast

from tests.simulation.loop import SimLoop
from warmxfer.bus.connection import Connection
from warmxfer.bus.messages import ConsumerMessage
from warmxfer.bus.pull_consumer import (
    PullConsumer,
)
from warmxfer.bus.readiness import Readiness

WINDOW = 8
PULL = "$JS.API.CONSUMER.MSG.NEXT.WARMXFER_CORE.gateway"
HEARTBEAT = {"Status": "100", "Description": "Idle Heartbeat"}
LEADER_CHANGE = {"Status": "409", "Description": "Leadership Change"}


@dataclass
class FakeMsg:
    """A message of the nats client."""

    subject: str
    reply: str = ""
    data: bytes = b""
    headers: dict[str, str] | None = None


@dataclass
class FakeSubscription:
    client: FakeClient
    inbox: str

    async def unsubscribe(self) -> None:
        self.client.callbacks.pop(self.inbox, None)

    async def drain(self) -> None:
        self.client.drained.append(self.inbox)
        await self.client.while_draining()
        self.client.callbacks.pop(self.inbox, None)


@dataclass
class FakeClient:
    """Records what is published, and hands messages to the callback of an inbox."""

    callbacks: dict[str, Callable[[Any], None]] = field(default_factory=dict)
    sent: list[tuple[float, str, bytes, str]] = field(default_factory=list)
    drained: list[str] = field(default_factory=list)
    inboxes: int = 0
    error: Exception | None = None
    ends_pulls_with_inbox: bool = True
    flushed: int = 0
    while_draining: Callable[[], Awaitable[object]] = lambda: asyncio.sleep(0)

    def new_inbox(self) -> str:
        self.inboxes += 1
        return f"_INBOX.{self.inboxes}"

    async def subscribe_callback(self, subject: str, callback: Callable[[Any], None]) -> FakeSubscription:
        self.callbacks[subject] = callback
        return FakeSubscription(self, subject)

    async def flush(self) -> None:
        self.flushed += 1

    def send(self, subject: str, data: bytes, reply: str = "") -> None:
        if self.error is not None:
            raise self.error
        self.sent.append((asyncio.get_running_loop().time(), subject, data, reply))


class FakeConnection:
    def __init__(self) -> None:
        self.client = FakeClient()
        self.connected = True
        self.readiness = Readiness()
        self.missing_reports = 0
        self.hooks: list[Callable[[], Awaitable[None]]] = []

    def on_reconnect(self, hook: Callable[[], Awaitable[None]]) -> Callable[[], None]:
        self.hooks.append(hook)
        return lambda: self.hooks.remove(hook)


class FakeRecovery:
    """Creates the consumer, unless a test says why it cannot."""

    def __init__(self) -> None:
        self.problem: str | None = None
        self.ensured: list[float] = []
        self.floors: list[float] = []
        self.floor_problem: str | None = None

    async def ensure(self, consumer: str) -> str | None:
        assert consumer == "gateway"
        self.ensured.append(asyncio.get_running_loop().time())
        return self.problem

    async def remember_floor(self, consumer: str) -> str | None:
        assert consumer == "gateway"
        self.floors.append(asyncio.get_running_loop().time())
        return self.floor_problem

    def received(self, message: ConsumerMessage) -> None:
        assert message.consumer == "gateway"

    def is_refused(self, consumer: str) -> bool:
        return False


class Sink:
    """Keeps what arrives, as a worker does until it has handled it."""

    def __init__(self) -> None:
        self.held: list[ConsumerMessage] = []

    def accept(self, message: ConsumerMessage) -> None:
        self.held.append(message)

    @property
    def in_flight(self) -> int:
        return len(self.held)

    def holds(self, message: ConsumerMessage) -> bool:
        return message.seq in [each.seq for each in self.held]


class Flow:
    """A pull consumer that has started, and what the test does to it."""

    def __init__(self) -> None:
        self.connection = FakeConnection()
        self.client = self.connection.client
        self.sink = Sink()
        self.recovery = FakeRecovery()
        self.puller = self.new_puller(WINDOW)

    def new_puller(self, window: int) -> PullConsumer:
        connection = cast("Connection", self.connection)
        return PullConsumer(connection, self.recovery, "gateway", self.sink, window)

    @property
    def inbox(self) -> str:
        """The one inbox that is subscribed."""
        (inbox,) = self.client.callbacks
        return inbox

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def pulls(self) -> list[tuple[float, int, str]]:
        """Return the pull requests since the last call: when, for how many messages, to which inbox."""
        pulls = [
            (at, json.loads(data)["batch"], inbox)
            for at, subject, data, inbox in self.client.sent
            if subject == PULL
        ]
        self.client.sent.clear()
        return pulls

    async def receive(self, msg: FakeMsg) -> None:
        callback = self.client.callbacks.get(msg.subject) or self.client.callbacks[self.inbox]
        callback(msg)

    async def status(self, **headers: str) -> None:
        await self.receive(FakeMsg(self.inbox, headers=headers))

    async def message(self, seq: int = 1, headers: dict[str, str] | None = None) -> None:
        reply = f"$JS.ACK.WARMXFER.gateway.3.{seq}.9.1800000000123456789.0"
        await self.receive(FakeMsg("warmxfer.t.do.gateway", reply, b"{}", headers))

    async def finish(self, count: int) -> None:
        """Let the worker finish `count` messages."""
        for _ in range(count):
            self.sink.held.pop()
            self.puller.request_more()


def on_a_virtual_clock(test: Callable[[Flow], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run `test` with a flow that has started and made its first pull request."""

    def run() -> None:
        async def started() -> None:
            flow = Flow()
            await flow.puller.start()
            try:
                await asyncio.wait_for(test(flow), 3_600)
            finally:
                await flow.puller.stop()

        loop = SimLoop()
        try:
            loop.run_until_complete(started())
        finally:
            loop.abandon()
            loop.close()

    run.__name__, run.__doc__ = getattr(test, "__name__", "run"), test.__doc__
    return run
