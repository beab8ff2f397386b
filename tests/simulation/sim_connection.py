"""One connection to the simulated broker: two directions, which break and come back together.

Invariants:
- What is sent in one direction arrives in order. If the connection breaks, it does not arrive.
- What a process has sent may reach the broker after the process died.
- What is sent to a frozen process waits until the process continues.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from .loop import Process
from .sim_consumer import SimPullConsumer

if TYPE_CHECKING:
    from .world import World

LATENCY_S = (0.0002, 0.004)
SLOW_S = (0.2, 1.5)
RECONNECT_S = (0.05, 0.6)


class AttemptFailed(Exception):
    """One attempt failed; the text says why."""


class SimConnection:
    """Sends to the broker and receives from it while it is connected."""

    def __init__(self, world: World, process: Process) -> None:
        self.world = world
        self.process = process
        self.connected = True
        self.closed = False
        self.pull_consumers: list[SimPullConsumer] = []
        self._number = 0
        self._last_sent_number: int | None = None
        """Number of the connection whose last messages still reach the broker after its process died."""
        self._latency_s = world.chance.uniform(*LATENCY_S)
        self._out_clear_at = self._in_clear_at = 0.0
        """When the last message of each direction arrives; a later message does not overtake it."""
        self._hooks: list[Callable[[], Awaitable[None]]] = []
        self._connected_event = asyncio.Event()
        self._waiting: dict[asyncio.Future[Any], None] = {}
        """Requests without a reply yet, in the order in which they were sent."""

    def send(self, act: Callable[..., object], *args: object) -> None:
        """Call `act` at the broker after the latency, unless the connection breaks before."""
        slow_s = self.world.faults.between(*SLOW_S) if self.world.faults.strikes("bus_slow") else 0.0
        jitter_s = self._latency_s * self.world.chance.random()
        self._out_clear_at = max(
            self._out_clear_at, self.world.loop.time() + self._latency_s + jitter_s + slow_s
        )
        self.world.at(self._out_clear_at, self._at_broker, self._number, act, args)

    def receive(self, act: Callable[..., object], *args: object) -> None:
        """Call `act` in this process after the latency, unless the connection breaks before."""
        jitter_s = self._latency_s * self.world.chance.random()
        self._in_clear_at = max(self._in_clear_at, self.world.loop.time() + self._latency_s + jitter_s)
        self.world.loop.call_at(
            self._in_clear_at,
            self._at_process,
            self._number,
            act,
            args,
            context=self.process.context,
        )

    def _at_broker(self, number: int, act: Callable[..., object], args: tuple[object, ...]) -> None:
        if number in (self._number, self._last_sent_number) and not self.world.broker_down:
            act(*args)

    def _at_process(self, number: int, act: Callable[..., object], args: tuple[object, ...]) -> None:
        if number == self._number and not self.closed:
            act(*args)

    def disconnect(self) -> None:
        """Break the connection: messages on the way, subscriptions and pulls are lost."""
        self._number += 1
        self.connected = False
        self._connected_event.clear()
        for puller in self.pull_consumers:
            puller.forget()
        self.world.loop.call_soon(self._fail_requests, context=self.process.context)

    def reconnect(self) -> None:
        """Connect again after a moment, or later if the broker is unreachable."""
        after_s = self.world.chance.uniform(*RECONNECT_S)
        self.world.loop.call_later(after_s, self._on_reconnected, self._number, context=self.process.context)

    def close(self) -> None:
        """Close the connection of a dead process. Messages on the way arrive with probability one half."""
        if self.connected and self.world.chance.random() < 0.5:
            self._last_sent_number = self._number
        self.disconnect()
        self.closed = True

    def renew_subscriptions(self) -> None:
        """Register the subscriptions at the broker again after a reconnect."""

    def _fail_requests(self) -> None:
        for future in list(self._waiting):
            if not future.done():
                future.set_exception(AttemptFailed("connection lost"))

    def _on_reconnected(self, number: int) -> None:
        if number != self._number or self.closed:
            return
        if self.world.broker_down:
            self.reconnect()
            return
        self.connected = True
        self.renew_subscriptions()
        self._connected_event.set()
        for puller in self.pull_consumers:
            puller.resume()
        hooks = [hook() for hook in tuple(self._hooks)]
        if hooks:
            self._hooks_task = asyncio.ensure_future(_one_by_one(hooks))


async def _one_by_one(hooks: Sequence[Awaitable[None]]) -> None:
    for hook in hooks:
        await hook
