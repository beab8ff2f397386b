"""The flow of one consumer to one worker: what was asked for and what is held never exceed the window."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warmxfer.bus.messages import ConsumerMessage
from warmxfer.bus.pull_consumer import MessageSink

if TYPE_CHECKING:
    from .simbus import SimBus


class SimPullConsumer:
    """As `warmxfer.bus.pull_consumer.Puller`, its wire left out."""

    def __init__(self, bus: SimBus, consumer: str, sink: MessageSink, window: int) -> None:
        self._bus = bus
        self._consumer = bus.world.stream.consumers[consumer]
        self._sink = sink
        self._window = window
        self._refill = max(1, window // 4)
        self._asked = 0
        self._pulling = False

    async def start(self) -> None:
        self._pulling = True
        self._bus.pull_consumers.append(self)
        await self.request_more()

    async def stop(self) -> None:
        self._pulling = False
        self.forget()

    async def request_more(self) -> None:
        self._ask()

    def _ask(self) -> None:
        room = self._window - self._sink.in_flight - self._asked
        if self._pulling and self._bus.connected and room >= self._refill:
            self._asked += room
            self._bus.send(self._consumer.pull, self, room)

    async def ack(self, arrival: ConsumerMessage) -> None:
        self._settle(arrival, "ack")

    async def nak(self, arrival: ConsumerMessage, delay_s: float = 0.0) -> None:
        self._settle(arrival, "nak", delay_s)

    async def progress(self, arrival: ConsumerMessage) -> None:
        self._settle(arrival, "progress")

    async def term(self, arrival: ConsumerMessage) -> None:
        self._settle(arrival, "term")

    def _settle(self, arrival: ConsumerMessage, verb: str, delay_s: float = 0.0) -> None:
        lost = verb != "progress" and self._bus.world.faults.strikes(
            "settle_lost", arrival.subject.split(".")[1]
        )
        if self._bus.connected and not lost:
            self._bus.send(self._consumer.settle, arrival.seq, verb, delay_s)

    def give(self, arrival: ConsumerMessage) -> None:
        """At the broker: hand out one message."""
        self._bus.receive(self._arrive, arrival)

    def _arrive(self, arrival: ConsumerMessage) -> None:
        if self._pulling:
            self._asked = max(0, self._asked - 1)
            self._sink.accept(arrival)
            self._ask()

    def forget(self) -> None:
        """The connection is gone: no pull stands at the broker."""
        self._asked = 0
        self._consumer.forget(self)

    def resume(self) -> None:
        """The connection is back: counting starts anew."""
        self._asked = 0
        self._ask()
