"""One inbox for all pending replies. The last token of a reply's subject identifies its request.

A pending reply ends in exactly one way:

- with the reply
- with `ConnectionLost`, if the connection fails first
- with `AccessDenied`, if the broker forbids its subject

The requester sets the deadline.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping
from typing import NamedTuple

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

IsLast = Callable[[ArrivedMessage], bool]
"""Tells the last reply to a request that has several."""


class ConnectionLost(Exception):
    """The connection failed: it is unknown whether the request was processed. Handled inside this package."""


class PendingReply(NamedTuple):
    """A request whose reply is awaited. With `is_last`, several replies are collected in `batch`."""

    future: asyncio.Future[ArrivedMessage]
    token: str
    subject: str
    is_last: IsLast | None
    batch: list[ArrivedMessage]


class ReplyInbox:
    """The inbox of a connection. `open` it after connecting; it survives reconnects."""

    def __init__(self, client: NatsClient) -> None:
        self._client = client
        self._inbox = ""
        self._numbers = itertools.count()
        self._pending: dict[str, PendingReply] = {}
        self._denied: dict[str, str] = {}
        """What this user may not do, by subject in lower case. A reconnect may change it."""

    async def open(self) -> None:
        """Subscribe to the inbox."""
        self._inbox = self._client.new_inbox()
        await self._client.subscribe_callback(f"{self._inbox}.*", self._on_message)

    async def send(self, subject: str, data: bytes, headers: Mapping[str, str] | None) -> PendingReply:
        """Send a request without waiting for its reply. Call `drop` when it is no longer awaited."""
        return await self._send(subject, data, headers)

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
        return await self._result_within(await self._send(subject, data, headers), timeout_s)

    async def call_for_batch(
        self, subject: str, data: bytes, is_last: IsLast, timeout_s: float
    ) -> list[ArrivedMessage]:
        """Send a request and return its replies, up to the first for which `is_last` is true, in order.

        Raises `TimeoutError`, `ConnectionLost`.
        """
        pending = await self._send(subject, data, None, is_last)
        pending.batch.append(await self._result_within(pending, timeout_s))
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
        for pending in tuple(self._pending.values()):
            if not pending.future.done():
                pending.future.set_exception(ConnectionLost("connection lost"))

    async def _send(
        self, subject: str, data: bytes, headers: Mapping[str, str] | None, is_last: IsLast | None = None
    ) -> PendingReply:
        if len(self._pending) >= MAX_PENDING_REPLIES:
            raise ConnectionLost(f"{MAX_PENDING_REPLIES} requests are unanswered")
        token = str(next(self._numbers))
        future: asyncio.Future[ArrivedMessage] = asyncio.get_running_loop().create_future()
        pending = self._pending[token] = PendingReply(future, token, subject, is_last, [])
        if self._denied and (verb := self._denied.get(subject.lower())) is not None:
            del self._pending[token]
            future.set_exception(AccessDenied(f"This user may not {verb} {subject}"))
            return pending
        try:
            await self._client.publish(subject, data, f"{self._inbox}.{token}", headers)
        except MaxPayloadError as error:
            del self._pending[token]
            raise InvalidRequest(
                f"The message is {len(data)} bytes long; the server takes {self._client.max_payload} at most"
            ) from error
        except (ConnectionClosedError, ConnectionDrainingError, OutboundBufferLimitError) as error:
            self._pending.pop(token, None)
            raise ConnectionLost(str(error)) from error
        return pending

    async def _result_within(self, pending: PendingReply, timeout_s: float) -> ArrivedMessage:
        """Return the reply. Raises `TimeoutError` after `timeout_s`, and what the reply ends with.

        Every request waits here. A timer that ends the future costs half of `asyncio.timeout`.
        """
        timer = pending.future.get_loop().call_later(timeout_s, _time_out, pending.future)
        try:
            return await pending.future
        finally:
            timer.cancel()
            self.drop(pending)

    def _on_message(self, msg: ArrivedMessage) -> None:
        pending = self._pending.get(msg.subject.rpartition(".")[2])
        if pending is None or pending.future.done():
            return
        if pending.is_last is None or pending.is_last(msg):
            pending.future.set_result(msg)
        else:
            pending.batch.append(msg)


def _time_out(reply: asyncio.Future[ArrivedMessage]) -> None:
    if not reply.done():
        reply.set_exception(TimeoutError())
