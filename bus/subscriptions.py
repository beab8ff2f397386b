"""Hearing live, and answering: core subscriptions with bounds that are told, never silent.

A reader that is too slow loses the oldest messages; the next one it hears says how many (`Heard.lost`),
so that it can catch up from the stream. An answering handler has a deadline and a bounded number of
companions; whoever asks past the bound is told at once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from types import TracebackType

import structlog
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription as NatsSubscription

from .connection import Connection
from .messages import LiveMessage
from .nats_client import unsubscribe

MAX_PENDING = 1_024

log = structlog.get_logger(__name__)


class Subscription:
    """`async with bus.listen(subject) as heard: async for message in heard: ...`"""

    def __init__(self, link: Connection, subject: str) -> None:
        self._link = link
        self._subject = subject
        self._pending: deque[LiveMessage] = deque()
        self._max_pending = MAX_PENDING
        self._wake = asyncio.Event()
        self._ended = False
        self._remove_close_callback: Callable[[], None] = lambda: None
        self._subscription: NatsSubscription | None = None

    async def __aenter__(self) -> Subscription:
        self._remove_close_callback = self._link.on_close(self.end)
        self._subscription = await self._link.client.subscribe_callback(self._subject, self._arrive)
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
            self._wake.clear()
            await self._wake.wait()
        return self._pending.popleft()

    @property
    def ended(self) -> bool:
        """Nothing more will come: it was left, or the connection is closed."""
        return self._ended

    async def next(self, timeout_s: float) -> LiveMessage | None:
        """The next message, or None when none came within `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s):
                return await anext(self, None)
        except TimeoutError:
            return None

    def end(self) -> None:
        """End the iteration once what is pending was read."""
        self._ended = True
        self._wake.set()

    async def _arrive(self, msg: Msg) -> None:
        lost = 0
        if len(self._pending) >= self._max_pending:
            dropped = self._pending.popleft()
            if not dropped.lost:
                log.warning("listener_too_slow", subject=self._subject, max_pending=self._max_pending)
            lost = dropped.lost + 1
            if self._pending:
                # The count moves to what is now the oldest: the reader hears of the gap where the gap is.
                oldest = self._pending.popleft()
                self._pending.appendleft(LiveMessage(oldest.subject, oldest.data, oldest.lost + lost))
                lost = 0
        self._pending.append(LiveMessage(msg.subject, msg.data, lost))
        self._wake.set()
