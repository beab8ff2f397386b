"""Live subscriptions, requests and replies over the simulated broker."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from warmxfer.bus import InternalError, InvalidRequest, LiveMessage, NoReply, RetryableError
from warmxfer.bus.request_reply import REPLY_DEADLINE_S
from warmxfer.bus.subscriptions import MAX_PENDING

from .stream import matches

if TYPE_CHECKING:
    from .simbus import SimBus

Handler = Callable[[LiveMessage], Awaitable[bytes]]

RECEIVED_AGAIN_S = 20.0
"""A coordinator that is not sure that an outbox was sent sends it again; subscribers receive it again."""


class SimSubscription:
    """Subscription: `async with bus.subscribe(subject) as messages: async for message in messages: ...`"""

    def __init__(self, bus: SimBus, subject: str) -> None:
        self._bus = bus
        self._subject = subject
        self._pending: deque[LiveMessage] = deque()
        self._wake = asyncio.Event()
        self._ended = False

    async def __aenter__(self) -> SimSubscription:
        self._bus.register(self)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.end()
        self._bus.unregister(self)

    def __aiter__(self) -> SimSubscription:
        return self

    async def __anext__(self) -> LiveMessage:
        while not self._pending:
            if self._ended:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
        return self._pending.popleft()

    async def next(self, timeout_s: float) -> LiveMessage | None:
        try:
            async with asyncio.timeout(timeout_s):
                return await anext(self, None)
        except TimeoutError:
            return None

    @property
    def ended(self) -> bool:
        return self._ended

    def end(self) -> None:
        self._ended = True
        self._wake.set()

    def offer(self, subject: str, data: bytes) -> None:
        """At the broker: receive a message published on `subject`."""
        if self._bus.connected and matches(self._subject, subject):
            self._bus.receive(self._arrive, LiveMessage(subject, data))
            if self._bus.world.faults.strikes("received_twice", subject.split(".")[1]):
                late_s = self._bus.world.faults.between(0.0, RECEIVED_AGAIN_S)
                self._bus.world.later(late_s, self._bus.receive, self._arrive, LiveMessage(subject, data))

    def _arrive(self, message: LiveMessage) -> None:
        lost = 0
        if len(self._pending) >= MAX_PENDING:
            lost = self._pending.popleft().lost + 1
        self._pending.append(LiveMessage(message.subject, message.data, lost))
        self._wake.set()


class SimResponder:
    """Responder: `async with bus.serve(subject, handler): ...`"""

    def __init__(self, bus: SimBus, subject: str, handler: Handler, queue: str | None) -> None:
        self._bus = bus
        self._handler = handler
        self._running: set[asyncio.Task[None]] = set()
        self.subject = subject
        self.queue = queue

    async def __aenter__(self) -> SimResponder:
        self._bus.register(self)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._bus.unregister(self)

    def offer(self, request: LiveMessage, reply_to: Callable[[bytes | Exception], None]) -> None:
        """At the broker: receive a request. `answer` is called at the broker with the reply or the error."""
        self._bus.receive(self._begin, request, reply_to)

    def _begin(self, request: LiveMessage, reply_to: Callable[[bytes | Exception], None]) -> None:
        task = asyncio.get_running_loop().create_task(self._handle(request, reply_to))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _handle(self, request: LiveMessage, reply_to: Callable[[bytes | Exception], None]) -> None:
        reply: bytes | Exception
        try:
            async with asyncio.timeout(REPLY_DEADLINE_S):
                reply = await self._handler(request)
        except InvalidRequest as error:
            reply = InvalidRequest(str(error))
        except (RetryableError, TimeoutError) as error:
            reply = NoReply(f"{self.subject}: {error}")
        except Exception as error:
            reply = InternalError(f"{self.subject}: the responder failed with {type(error).__name__}")
        if self._bus.connected:
            self._bus.send(reply_to, reply)


async def send_request(bus: SimBus, subject: str, data: bytes, timeout_s: float) -> bytes:
    """Send a request to one of the responders of `subject` and return its reply."""
    world = bus.world
    future: asyncio.Future[bytes] = world.loop.create_future()

    def settle(reply: bytes | Exception) -> None:
        if future.done():
            return
        if isinstance(reply, bytes):
            future.set_result(reply)
        else:
            future.set_exception(reply)

    def route() -> None:
        servers = [
            each for one in world.buses if one.connected for each in one.responders if each.subject == subject
        ]
        if not servers:
            bus.receive(settle, NoReply(f"No process serves {subject}"))
            return
        world.chance.choice(servers).offer(
            LiveMessage(subject, data), lambda reply: bus.receive(settle, reply)
        )

    if not bus.connected:
        raise NoReply(f"The connection broke while waiting on {subject}")
    if not world.faults.strikes("request_lost"):
        bus.send(route)
    timer = world.loop.call_later(timeout_s, settle, NoReply(f"No reply on {subject} within {timeout_s:g} s"))
    try:
        return await future
    finally:
        timer.cancel()
