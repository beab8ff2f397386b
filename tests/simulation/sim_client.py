"""The nats client of one process, over the simulated broker. It replaces `bus.nats_client.NatsClient`.

Everything above it is the product's own: connection, reply inbox, reads, writes, pull consumer, worker.

Invariants:
- What is sent in one direction arrives in order. If the connection breaks, it does not arrive.
- What a process has sent may reach the broker after the process died.
- What is sent to a frozen process waits until the process continues.
- While it reconnects, the client keeps what is published, and sends it after its subscriptions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from nats.errors import (
    BadSubscriptionError,
    ConnectionClosedError,
    ConnectionDrainingError,
    ConnectionReconnectingError,
    MaxPayloadError,
    OutboundBufferLimitError,
)

from .loop import CURRENT

if TYPE_CHECKING:
    from .world import World

LATENCY_S = (0.0002, 0.004)
SLOW_S = (0.2, 1.5)
RECONNECT_S = (0.05, 0.6)
MAX_PAYLOAD = 1024 * 1024
MAX_PENDING_BYTES = 2 * 1024 * 1024

Headers = dict[str, str]
Callback = Callable[["SimMsg"], None]


@dataclass(slots=True)
class SimMsg:
    """A message as a subscription receives it."""

    subject: str
    reply: str
    data: bytes
    headers: Headers | None


class SimSubscription:
    """A subscription. Its callback is called as each message arrives, as that of `NatsClient` is."""

    def __init__(self, client: SimClient, subject: str, callback: Callback, queue: str) -> None:
        self.client = client
        self.subject = subject
        self.queue = queue
        self.is_inbox = subject.startswith("_INBOX.")
        self._callback = callback
        self._closed = False

    def offer(self, msg: SimMsg) -> None:
        """At the broker: send a message to the subscriber."""
        client = self.client
        client.world.loop.set_timer(
            client.arrival_time(), self._arrive, (client.connection_number, msg), client.process.context
        )

    def _arrive(self, number: int, msg: SimMsg) -> None:
        if self._closed or self.client.closed or number != self.client.connection_number:
            return
        try:
            self._callback(msg)
        except Exception as error:
            self.client.world.problem(f"a callback on {self.subject} failed: {error!r}", error)

    async def unsubscribe(self) -> None:
        """End it at once."""
        if self.client.closed:
            raise ConnectionClosedError
        if self.client.draining:
            raise ConnectionDrainingError
        if self._closed:
            raise BadSubscriptionError
        self.cancel()
        self.client.forget(self)

    async def drain(self) -> None:
        """End it after the messages that are on the way."""
        if self.client.closed:
            raise ConnectionClosedError
        self.client.forget(self)
        try:
            await self.client.flush()
        finally:
            self._closed = True

    def cancel(self) -> None:
        """Hand no more messages to the callback."""
        self._closed = True


class SimClient:
    """The client of the process that creates it."""

    def __init__(self, world: World) -> None:
        process = CURRENT.get()
        assert process is not None, "a client was created outside of all processes"
        self.world = world
        self.process = process
        self._loop = world.loop
        self._broker = world.broker
        self._faults = world.faults
        self._schedule = world.fault_schedule
        self._random = world.chance.random
        self.connected_server_version = SimpleNamespace(major=2, minor=15, patch=1)
        self.ends_pulls_with_inbox = False
        self.max_payload = MAX_PAYLOAD
        self.last_error: Exception | None = None
        self.closed = False
        self.draining = False
        self.up = False
        """True while the broker and this client know of one connection."""
        self._reconnecting = False
        self.connection_number = 0
        """Increased when the connection breaks. What was sent over an older one does not arrive."""
        self._last_sent_number: int | None = None
        """Number of the connection whose last messages still reach the broker after it was closed."""
        self._latency_s = world.chance.uniform(*LATENCY_S)
        self._out_clear_at = self._in_clear_at = 0.0
        """When the last message of each direction arrives; a later message does not overtake it."""
        self._subscriptions: dict[SimSubscription, None] = {}
        self._pending: list[tuple[str, bytes, str, Headers | None]] = []
        self._pending_bytes = 0
        self._inboxes = 0
        self.lost_at: float | None = None
        """When the last messages were sent that the broker did not take."""

    # ── the connection ───────────────────────────────────────────────────────────────────────────

    async def connect(
        self,
        *,
        error_cb: Callable[[Exception], Awaitable[None]],
        disconnected_cb: Callable[[], Awaitable[None]],
        reconnected_cb: Callable[[], Awaitable[None]],
        closed_cb: Callable[[], Awaitable[None]],
        **_: object,
    ) -> None:
        self._error_cb, self._closed_cb = error_cb, closed_cb
        self._disconnected_cb, self._reconnected_cb = disconnected_cb, reconnected_cb
        while self.world.broker_down:
            await error_cb(ConnectionRefusedError())
            await self.world.fault_schedule.reachable.wait()
        self.world.clients.append(self)
        self.up = True

    def transmit(self, act: Callable[..., object], *args: object) -> None:
        """Call `act` at the broker after the latency, unless the connection breaks before."""
        slow_s = self._faults.between(*SLOW_S) if self._faults.strikes("bus_slow") else 0.0
        jitter_s = self._latency_s * self._random()
        self._out_clear_at = max(self._out_clear_at, self._loop._now + self._latency_s + jitter_s + slow_s)
        self._loop.set_timer(
            self._out_clear_at, self._at_broker, (self.connection_number, act, args), self.world.context
        )

    def receive(self, act: Callable[..., object], *args: object) -> None:
        """Call `act` in this process after the latency, unless the connection breaks before."""
        self.world.loop.set_timer(
            self.arrival_time(), self._at_process, (self.connection_number, act, args), self.process.context
        )

    def arrival_time(self) -> float:
        """Return when what the broker sends now arrives: after the latency, and in order."""
        arrives_at = self._loop._now + self._latency_s + self._latency_s * self._random()
        if arrives_at < self._in_clear_at:
            return self._in_clear_at
        self._in_clear_at = arrives_at
        return arrives_at

    def _at_broker(self, number: int, act: Callable[..., object], args: tuple[object, ...]) -> None:
        if number in (self.connection_number, self._last_sent_number) and not self._schedule.broker_down:
            act(*args)

    def _at_process(self, number: int, act: Callable[..., object], args: tuple[object, ...]) -> None:
        if number == self.connection_number and not self.closed:
            act(*args)

    def disconnect(self) -> None:
        """Break the connection. Messages on the way and pulls are lost; the client notices and reconnects."""
        if self.up:
            self._break()
            self.world.loop.call_soon(self._on_lost, context=self.process.context)

    def die(self) -> None:
        """Break the connection of a dead process. Messages on the way arrive with probability one half."""
        if self.up and self.world.chance.random() < 0.5:
            self._last_sent_number = self.connection_number
        self._break()
        self._end()

    def _break(self) -> None:
        self.connection_number += 1
        self.up = False
        self._broker.forget(self)

    def _end(self) -> None:
        self.closed = True
        if self in self.world.clients:
            self.world.clients.remove(self)

    def _on_lost(self) -> None:
        if not self.closed:
            self._reconnecting = True
            self._reconnect_task = asyncio.get_running_loop().create_task(self._reconnect())

    async def _reconnect(self) -> None:
        await self._disconnected_cb()
        await asyncio.sleep(self.world.chance.uniform(*RECONNECT_S))
        while self.world.broker_down:
            # One attempt that fails stands for all until the broker is reachable again.
            await self._error_cb(ConnectionRefusedError())
            await self.world.fault_schedule.reachable.wait()
            await asyncio.sleep(self.world.chance.uniform(*RECONNECT_S))
        if self.closed:
            return
        self.up, self._reconnecting = True, False
        for subscription in self._subscriptions:
            self._broker.subscribe(subscription)
        pending, self._pending, self._pending_bytes = self._pending, [], 0
        for frame in pending:
            self.transmit(self._broker.receive, self, self.world.loop.time(), *frame)
        await self._reconnected_cb()

    # ── what the bus uses ────────────────────────────────────────────────────────────────────────

    def new_inbox(self) -> str:
        self._inboxes += 1
        return f"_INBOX.{self.process.name}.{self.world.token()}.{self._inboxes}"

    async def subscribe_callback(self, subject: str, callback: Callback, queue: str = "") -> SimSubscription:
        if self.closed:
            raise ConnectionClosedError
        if self.draining:
            raise ConnectionDrainingError
        subscription = SimSubscription(self, subject, callback, queue)
        self._subscriptions[subscription] = None
        if self.up:
            self.transmit(self._broker.subscribe, subscription)
        return subscription

    def forget(self, subscription: SimSubscription) -> None:
        """Unsubscribe at the broker, and after the next reconnect."""
        self._subscriptions.pop(subscription, None)
        if self.up:
            self.transmit(self._broker.unsubscribe, subscription)

    async def publish(
        self, subject: str, payload: bytes = b"", reply: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        self.send(subject, payload, reply, headers)

    def send(
        self, subject: str, payload: bytes, reply: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        if self.closed:
            raise ConnectionClosedError
        if len(payload) > self.max_payload:
            raise MaxPayloadError
        kept = dict(headers) if headers else None
        if self.up:
            self.transmit(self._broker.receive, self, self._loop._now, subject, payload, reply, kept)
        elif self._reconnecting:
            if self._pending_bytes + len(payload) > MAX_PENDING_BYTES:
                raise OutboundBufferLimitError
            self._pending_bytes += len(payload)
            self._pending.append((subject, payload, reply, kept))
        # Otherwise the connection is broken and the client does not know it yet: the message is lost.

    @property
    def is_full(self) -> bool:
        """False: the simulated socket takes everything at once."""
        return False

    async def wait_until_sent(self) -> None:
        """Return at once, as `is_full` is never true."""

    async def flush(self) -> None:
        """Wait until the broker has received, and this process has received, what was sent before."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transmit(self.receive, _set, done)
        await done

    async def drain(self) -> None:
        if self.closed:
            raise ConnectionClosedError
        if not self.up:
            raise ConnectionReconnectingError
        self.draining = True
        for subscription in list(self._subscriptions):
            await subscription.drain()
        await self.flush()
        await self.close()

    async def close(self) -> None:
        if self.closed:
            return
        if self.up:
            self._last_sent_number = self.connection_number
        for subscription in self._subscriptions:
            subscription.cancel()
        self._break()
        self._end()
        await self._closed_cb()


def _set(done: asyncio.Future[Any]) -> None:
    if not done.done():
        done.set_result(None)
