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
from collections.abc import Mapping

from nats.aio.msg import Msg
from nats.errors import (
    ConnectionClosedError,
    ConnectionDrainingError,
    MaxPayloadError,
    OutboundBufferLimitError,
)

from .errors import AccessDenied, InvalidRequest
from .nats_client import NatsClient

MAX_PENDING_REPLIES = 65_536


class ConnectionLost(Exception):
    """The connection failed: it is unknown whether the request was processed. Handled inside this package."""


class ReplyInbox:
    """The inbox of a connection. `open` it after connecting; it survives reconnects."""

    def __init__(self, client: NatsClient) -> None:
        self._client = client
        self._inbox = ""
        self._numbers = itertools.count()
        self._pending: dict[str, tuple[asyncio.Future[Msg], str]] = {}

    async def open(self) -> None:
        """Subscribe to the inbox."""
        self._inbox = self._client.new_inbox()
        await self._client.subscribe_callback(f"{self._inbox}.*", self._on_message)

    async def send(self, subject: str, data: bytes, headers: Mapping[str, str] | None) -> asyncio.Future[Msg]:
        """Send a request and return the future of its reply without waiting for it."""
        if len(self._pending) >= MAX_PENDING_REPLIES:
            raise ConnectionLost(f"{MAX_PENDING_REPLIES} requests are unanswered")
        token = str(next(self._numbers))
        future: asyncio.Future[Msg] = asyncio.get_running_loop().create_future()
        self._pending[token] = (future, subject)
        try:
            await self._client.publish(
                subject, data, reply=f"{self._inbox}.{token}", headers=dict(headers) if headers else None
            )
        except MaxPayloadError as error:
            del self._pending[token]
            raise InvalidRequest(
                f"The message is {len(data)} bytes long; the server takes {self._client.max_payload} at most"
            ) from error
        except (ConnectionClosedError, ConnectionDrainingError, OutboundBufferLimitError) as error:
            self._pending.pop(token, None)
            raise ConnectionLost(str(error)) from error
        future.add_done_callback(lambda _: self._pending.pop(token, None))
        return future

    async def call(
        self, subject: str, data: bytes, headers: Mapping[str, str] | None, timeout_s: float
    ) -> Msg:
        """Send a request and wait for its reply. Raises `TimeoutError`, `ConnectionLost`."""
        future = await self.send(subject, data, headers)
        try:
            async with asyncio.timeout(timeout_s):
                return await future
        finally:
            future.cancel()

    def deny(self, verb: str, subject: str) -> None:
        """End every pending request on `subject` with AccessDenied.

        nats-py 2.16 reports `subject` in lower case. So requests on subjects that differ only in case end
        together; a permission that tells them apart is not supported.
        """
        for future, pending_subject in tuple(self._pending.values()):
            if pending_subject.lower() == subject.lower() and not future.done():
                future.set_exception(AccessDenied(f"This user may not {verb} {pending_subject}"))

    def fail_all(self) -> None:
        """End every pending request: the connection failed, so no reply will come."""
        for future, _ in tuple(self._pending.values()):
            if not future.done():
                future.set_exception(ConnectionLost("connection lost"))

    async def _on_message(self, msg: Msg) -> None:
        pending = self._pending.get(msg.subject.rpartition(".")[2])
        if pending is not None and not pending[0].done():
            pending[0].set_result(msg)
