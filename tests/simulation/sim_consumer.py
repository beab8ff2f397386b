"""A durable consumer as one worker sees it.

Invariant: messages pulled for plus messages in flight never exceed the window.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warmxfer.bus.messages import ConsumerMessage
from warmxfer.bus.pull_consumer import MessageSink

if TYPE_CHECKING:
    from .simbus import SimBus


class SimPullConsumer:
    """Replaces `warmxfer.bus.pull_consumer.PullConsumer`."""

    def __init__(self, bus: SimBus, consumer: str, sink: MessageSink, window: int) -> None:
        self._bus = bus
        self._consumer = bus.world.stream.consumers[consumer]
        self._sink = sink
        self._window = window
        self._refill = max(1, window // 4)
        self._requested = 0
        self._pulling = False

    async def start(self) -> None:
        self._pulling = True
        self._bus.pull_consumers.append(self)
        await self.request_more()

    async def stop(self) -> None:
        self._pulling = False
        self.forget()

    async def request_more(self) -> None:
        self._pull()

    def _pull(self) -> None:
        free = self._window - self._sink.in_flight - self._requested
        if self._pulling and self._bus.connected and free >= self._refill:
            self._requested += free
            self._bus.send(self._consumer.pull, self, free)

    async def ack(self, message: ConsumerMessage) -> None:
        self._settle(message, "ack")

    async def nak(self, message: ConsumerMessage, delay_s: float = 0.0) -> None:
        self._settle(message, "nak", delay_s)

    async def progress(self, message: ConsumerMessage) -> None:
        self._settle(message, "progress")

    async def term(self, message: ConsumerMessage) -> None:
        self._settle(message, "term")

    def _settle(self, message: ConsumerMessage, verb: str, delay_s: float = 0.0) -> None:
        lost = verb != "progress" and self._bus.world.faults.strikes(
            "settle_lost", message.subject.split(".")[1]
        )
        if self._bus.connected and not lost:
            self._bus.send(self._consumer.settle, message.seq, verb, delay_s)

    def give(self, message: ConsumerMessage) -> None:
        """At the broker: deliver one message."""
        self._bus.receive(self._arrive, message)

    def _arrive(self, message: ConsumerMessage) -> None:
        if self._pulling:
            self._requested = max(0, self._requested - 1)
            self._sink.accept(message)
            self._pull()

    def forget(self) -> None:
        """Drop all pulls: the connection is broken."""
        self._requested = 0
        self._consumer.forget(self)

    def resume(self) -> None:
        """Pull again after a reconnect."""
        self._requested = 0
        self._pull()
