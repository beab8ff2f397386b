"""Live messages over core NATS: sent and forgotten, received through a bounded queue.

A subscriber that is too slow loses the oldest messages. The next message that it reads says how many
(`LiveMessage.lost`), so that it can catch up from the stream.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType

import structlog
from msgspec.structs import replace
from nats.aio.subscription import Subscription as NatsSubscription
from nats.errors import ConnectionClosedError, ConnectionDrainingError, OutboundBufferLimitError

from .connection import Connection
from .messages import NO_HEADERS, LiveMessage
from .nats_client import ArrivedMessage, unsubscribe

COPY_OF = "Nats-Stream"
"""Header of the broker's reply to a read. The writers of our subjects never set it.

A user that reads with one of our subjects as its reply subject puts a copy of a stored message there.
"""
MAX_PENDING = 1_024
"""Messages that wait for one subscriber at most."""

log = structlog.get_logger(__name__)


async def announce(connection: Connection, subject: str, data: bytes) -> None:
    """Send one live message; see `Bus.announce`."""
    if not connection.connected:
        return
    try:
        await connection.client.publish(subject, data)
    except (ConnectionClosedError, ConnectionDrainingError, OutboundBufferLimitError) as error:
        log.debug("announcement_not_sent", subject=subject, error=str(error))


class Subscription:
    """A live subscription, to be iterated.

    async with bus.subscribe(subject) as messages:
        async for message in messages: ...
    """

    def __init__(
        self, connection: Connection, subject: str, keep: Callable[[bytes], bool] | None = None
    ) -> None:
        self._connection = connection
        self._subject = subject
        self._keep = keep
        self._pending: list[LiveMessage] = []
        self._max_pending = MAX_PENDING
        self._waiting: asyncio.Future[bool] | None = None
        self._ended = self._interrupted = False
        self._remove_close_callback: Callable[[], None] = lambda: None
        self._subscription: NatsSubscription | None = None

    async def __aenter__(self) -> Subscription:
        self._remove_close_callback = self._connection.on_close(self.end)
        self._subscription = await self._connection.client.subscribe_callback(self._subject, self._on_message)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove_close_callback()
        self.end()
        if self._subscription is not None:
            await unsubscribe(self._subscription)

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> LiveMessage:
        while not self._pending:
            if self._ended:
                raise StopAsyncIteration
            await self._wait()
        return self._pending.pop(0)

    @property
    def ended(self) -> bool:
        """True if no more messages will come: the context was left, or the connection is closed."""
        return self._ended

    async def next(self, timeout_s: float | None) -> LiveMessage | None:
        """Return the next message; None if none comes within `timeout_s`, or after `interrupt`."""
        if not (self._pending or self._ended or self._interrupted) and not await self._wait_within(timeout_s):
            return None
        self._interrupted = False
        return self._pending.pop(0) if self._pending else None

    async def _wait_within(self, timeout_s: float | None) -> bool:
        """Wait for `_wake`. Return False if it did not come within `timeout_s`.

        A timer that ends the future costs half of `asyncio.timeout`, which cancels the task.
        """
        self._waiting = woken = asyncio.get_running_loop().create_future()
        timer = None if timeout_s is None else woken.get_loop().call_later(timeout_s, _time_out, woken)
        try:
            return await woken
        finally:
            self._waiting = None
            if timer is not None:
                timer.cancel()

    def interrupt(self) -> None:
        """Make `next` return None once, unless a message is pending."""
        self._interrupted = True
        self._wake()

    async def _wait(self) -> None:
        """Wait for `_wake`. Only this makes a future: an idle subscription has no event and no deque."""
        await self._wait_within(None)

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(True)

    def end(self) -> None:
        """End the iteration after the pending messages were read."""
        self._ended = True
        self._wake()

    def _on_message(self, msg: ArrivedMessage) -> None:
        if msg.headers and COPY_OF in msg.headers:
            log.warning("copied_message_dropped", subject=self._subject)
            return
        if self._keep is not None and not self._keep(msg.data):
            return
        lost = 0
        if len(self._pending) >= self._max_pending:
            dropped = self._pending.pop(0)
            if not dropped.lost:
                log.warning("subscriber_too_slow", subject=self._subject, max_pending=self._max_pending)
            lost = dropped.lost + 1
            if self._pending:
                # Move the count to the message after the gap, so that the reader learns of it there.
                oldest = self._pending[0]
                self._pending[0] = replace(oldest, lost=oldest.lost + lost)
                lost = 0
        self._pending.append(LiveMessage(msg.subject, msg.data, lost, msg.headers or NO_HEADERS))
        self._wake()


def _time_out(woken: asyncio.Future[bool]) -> None:
    if not woken.done():
        woken.set_result(False)
