"""One inbox for all pending replies. The last token of a reply's subject identifies its request.

A pending reply ends in exactly one way:

- with the reply
- with `ConnectionLost`, if the connection fails first
- with `AccessDenied`, if the broker forbids its subject

The requester sets the deadline. One timer looks after the deadlines of all requests: it is set to the first
of them. Nearly all replies come long before, so a request costs no timer of its own.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterable, Mapping
from math import inf

from msgspec import Struct
from nats.errors import (
    ConnectionClosedError,
    ConnectionDrainingError,
    MaxPayloadError,
    OutboundBufferLimitError,
)

from .errors import AccessDenied, InvalidRequest
from .nats_client import ArrivedMessage, NatsClient

MAX_PENDING_REPLIES = 65_536
MAX_DENIED = 256
"""Subjects that are remembered as denied, so that the broker is not asked again."""

EARLY_S = 0.001
"""How much earlier than asked for a loop may call back: its timers count milliseconds."""
LATE_S = 0.02
"""How late a request ends at most: the pause between two looks at the deadlines, which read all of them."""

IsLast = Callable[[ArrivedMessage], bool]
"""Tells the last reply to a request that has several."""


class ConnectionLost(Exception):
    """The connection failed: it is unknown whether the request was processed. Handled inside this package."""


class PendingReply(Struct, eq=False):
    """A request whose reply is awaited. With `is_last`, several replies are collected in `batch`."""

    future: asyncio.Future[ArrivedMessage]
    token: str
    subject: str
    is_last: IsLast | None
    batch: list[ArrivedMessage]
    due_at: float = inf
    """When the request ends with `TimeoutError`, by the loop's clock."""


class ReplyInbox:
    """The inbox of a connection. `open` it after connecting; it survives reconnects."""

    def __init__(self, client: NatsClient) -> None:
        self._client = client
        self._inbox = ""
        self._token_at = 0
        """Where the token begins in the subject of a reply."""
        self._loop: asyncio.AbstractEventLoop
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = inf
        """When the deadlines are looked at; infinity while there is none."""
        self._numbers = itertools.count()
        self._pending: dict[str, PendingReply] = {}
        self._denied: dict[str, str] = {}
        """What this user may not do, by subject in lower case. A reconnect may change it."""

    async def open(self) -> None:
        """Subscribe to the inbox."""
        self._loop = asyncio.get_running_loop()
        self._inbox = self._client.new_inbox()
        self._token_at = len(self._inbox) + 1
        await self._client.subscribe_callback(f"{self._inbox}.*", self._on_message)

    def send(
        self, subject: str, data: bytes, headers: Mapping[str, str] | None, is_last: IsLast | None = None
    ) -> PendingReply:
        """Send a request without waiting for its reply. Call `drop` when it is no longer awaited.

        It has no deadline before `end_within`. Wait for `wait_until_sent` while `is_full`.
        """
        if len(self._pending) >= MAX_PENDING_REPLIES:
            raise ConnectionLost(f"{MAX_PENDING_REPLIES} requests are unanswered")
        token = str(next(self._numbers))
        pending = PendingReply(self._loop.create_future(), token, subject, is_last, [])
        if self._denied and (verb := self._denied.get(subject.lower())) is not None:
            pending.future.set_exception(AccessDenied(f"This user may not {verb} {subject}"))
            return pending
        try:
            self._client.send(subject, data, f"{self._inbox}.{token}", headers)
        except MaxPayloadError as error:
            raise InvalidRequest(
                f"The message is {len(data)} bytes long; the server takes {self._client.max_payload} at most"
            ) from error
        except (ConnectionClosedError, ConnectionDrainingError, OutboundBufferLimitError) as error:
            raise ConnectionLost(str(error)) from error
        self._pending[token] = pending
        return pending

    @property
    def is_full(self) -> bool:
        """True while so much is unsent that a sender must wait."""
        return self._client.is_full

    async def wait_until_sent(self) -> None:
        """Block until what is unsent was sent. Raises `ConnectionLost`."""
        try:
            await self._client.wait_until_sent()
        except (ConnectionClosedError, ConnectionDrainingError, OutboundBufferLimitError) as error:
            raise ConnectionLost(str(error)) from error

    def end_within(self, requests: Iterable[PendingReply], timeout_s: float) -> None:
        """End each of these requests with `TimeoutError` after `timeout_s`, unless it has ended before."""
        due_at = self._loop.time() + timeout_s
        for pending in requests:
            pending.due_at = due_at
        if due_at < self._timer_at:
            self._look_at(due_at)

    def drop(self, pending: PendingReply) -> None:
        """Await the reply no longer. Idempotent."""
        self._pending.pop(pending.token, None)
        future = pending.future
        if not future.cancel() and not future.cancelled():
            future.exception()  # Read in any case: a task that is cancelled now does not receive it.

    async def call(
        self, subject: str, data: bytes, headers: Mapping[str, str] | None, timeout_s: float
    ) -> ArrivedMessage:
        """Send a request and wait for its reply. Raises `TimeoutError`, `ConnectionLost`."""
        pending = self.send(subject, data, headers)
        try:
            if self._client.is_full:
                await self.wait_until_sent()
            self.end_within((pending,), timeout_s)
            return await pending.future
        except BaseException:
            self.drop(pending)
            raise

    async def call_for_batch(
        self, subject: str, data: bytes, is_last: IsLast, timeout_s: float
    ) -> list[ArrivedMessage]:
        """Send a request and return its replies, up to the first for which `is_last` is true, in order.

        Raises `TimeoutError`, `ConnectionLost`.
        """
        pending = self.send(subject, data, None, is_last)
        try:
            if self._client.is_full:
                await self.wait_until_sent()
            self.end_within((pending,), timeout_s)
            pending.batch.append(await pending.future)
        finally:
            self.drop(pending)
        return pending.batch

    def deny(self, verb: str, subject: str) -> None:
        """End every pending request on `subject` with AccessDenied.

        nats-py 2.16 reports `subject` in lower case. So requests on subjects that differ only in case end
        together; a permission that tells them apart is not supported.
        """
        if verb == "publish" and len(self._denied) < MAX_DENIED:
            self._denied[subject.lower()] = verb
        for pending in tuple(self._pending.values()):
            if pending.subject.lower() == subject.lower() and not pending.future.done():
                pending.future.set_exception(AccessDenied(f"This user may not {verb} {pending.subject}"))

    def fail_all(self) -> None:
        """End every pending request: the connection failed, so no reply will come."""
        self._denied.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer, self._timer_at = None, inf
        for pending in tuple(self._pending.values()):
            if not pending.future.done():
                pending.future.set_exception(ConnectionLost("connection lost"))

    def _look_at(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = at
        self._timer = self._loop.call_at(at, self._end_late)

    def _end_late(self) -> None:
        """End the requests whose deadline has come, and look again at the first one of the others."""
        now, next_at = self._loop.time(), inf
        for pending in self._pending.values():
            if pending.future.done():
                continue
            if pending.due_at <= now + EARLY_S:
                pending.future.set_exception(TimeoutError())
            else:
                next_at = min(next_at, pending.due_at)
        self._timer, self._timer_at = None, inf
        if next_at < inf:
            self._look_at(max(next_at, now + LATE_S))

    def _on_message(self, msg: ArrivedMessage) -> None:
        pending = self._pending.get(msg.subject[self._token_at :])
        if pending is None or pending.future.done():
            return
        if pending.is_last is None or pending.is_last(msg):
            del self._pending[pending.token]
            pending.future.set_result(msg)
        else:
            pending.batch.append(msg)
