"""One connection to the simulated broker: two directions, that break together and come back together.

The law of this file: each direction is one stream of bytes, so what is sent on it arrives in order or, when
the connection breaks, not at all. What a process has sent may reach the broker although the process died
meanwhile; what is sent to a process that stands still waits for it.
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
    """One attempt came to nothing; why."""


class SimConnection:
    """`send` to the broker, `receive` from it, for as long as the connection stands."""

    def __init__(self, world: World, process: Process) -> None:
        self.world = world
        self.process = process
        self.connected = True
        self.closed = False
        self.pull_consumers: list[SimPullConsumer] = []
        self._life = 0
        self._last_words: int | None = None
        """The life whose words still reach the broker although its process has died."""
        self._latency_s = world.chance.uniform(*LATENCY_S)
        self._out_clear_at = self._in_clear_at = 0.0
        self._hooks: list[Callable[[], Awaitable[None]]] = []
        self._came_back = asyncio.Event()
        self._waiting: dict[asyncio.Future[Any], None] = {}
        """Requests whose answer is awaited, in the order they were sent."""

    def send(self, act: Callable[..., object], *args: object) -> None:
        """Have `act` happen at the broker; nothing comes of it if the connection breaks on the way."""
        slow_s = self.world.faults.between(*SLOW_S) if self.world.faults.strikes("bus_slow") else 0.0
        jitter_s = self._latency_s * self.world.chance.random()
        self._out_clear_at = max(
            self._out_clear_at, self.world.loop.time() + self._latency_s + jitter_s + slow_s
        )
        self.world.at(self._out_clear_at, self._land, self._life, act, args)

    def receive(self, act: Callable[..., object], *args: object) -> None:
        """Have `act` happen in our process; nothing comes of it if the connection breaks on the way."""
        jitter_s = self._latency_s * self.world.chance.random()
        self._in_clear_at = max(self._in_clear_at, self.world.loop.time() + self._latency_s + jitter_s)
        self.world.loop.call_at(
            self._in_clear_at, self._reach, self._life, act, args, context=self.process.context
        )

    def _land(self, life: int, act: Callable[..., object], args: tuple[object, ...]) -> None:
        if life in (self._life, self._last_words) and not self.world.broker_down:
            act(*args)

    def _reach(self, life: int, act: Callable[..., object], args: tuple[object, ...]) -> None:
        if life == self._life and not self.closed:
            act(*args)

    def break_off(self) -> None:
        """The connection is gone: nothing on the way arrives, nobody hears, no pull stands."""
        self._life += 1
        self.connected = False
        self._came_back.clear()
        for puller in self.pull_consumers:
            puller.forget()
        self.world.loop.call_soon(self._lose, context=self.process.context)

    def come_back(self) -> None:
        """Connected again, after a moment, unless the broker is still away."""
        after_s = self.world.chance.uniform(*RECONNECT_S)
        self.world.loop.call_later(after_s, self._return, self._life, context=self.process.context)

    def close(self) -> None:
        """The process died, and the broker noticed; what was on the way arrives, or does not."""
        if self.connected and self.world.chance.random() < 0.5:
            self._last_words = self._life
        self.break_off()
        self.closed = True

    def renew(self) -> None:
        """What a connection that comes back must tell the broker again."""

    def _lose(self) -> None:
        for future in list(self._waiting):
            if not future.done():
                future.set_exception(AttemptFailed("connection lost"))

    def _return(self, life: int) -> None:
        if life != self._life or self.closed:
            return
        if self.world.broker_down:
            self.come_back()
            return
        self.connected = True
        self.renew()
        self._came_back.set()
        for puller in self.pull_consumers:
            puller.resume()
        hooks = [hook() for hook in tuple(self._hooks)]
        if hooks:
            self._hooking = asyncio.ensure_future(_one_by_one(hooks))


async def _one_by_one(hooks: Sequence[Awaitable[None]]) -> None:
    for hook in hooks:
        await hook
