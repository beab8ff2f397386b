"""The nats-py client with a fast path. All use of nats-py's internals is in this file.

`tests/bus/test_nats_client.py` fails with one sentence per function of nats-py that a new version changes.

- One write per turn of the loop: what is sent in one turn goes to the socket together.
- A message goes from the socket to the parser and from there to the callback of its subscription, without a
  queue and a task. nats-py's read loop reads the rest: PING, PONG, INFO, errors, and the end of the stream.
- A subject that is not UTF-8 is decoded leniently. The server stores such a subject. nats-py decodes it
  strictly, which ends the read loop, so one hostile message would stop all workers.

Flow control is nats-py's. If the socket takes no more, messages wait in the client, and `publish` blocks
above `MAX_PENDING_BYTES`. A callback never waits, so the client holds no received messages.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.aio.transport import TcpTransport
from nats.errors import (
    BadSubjectError,
    BadSubscriptionError,
    ConnectionClosedError,
    ConnectionDrainingError,
    Error,
    MaxPayloadError,
    OutboundBufferLimitError,
    ProtocolError,
)
from nats.protocol.parser import AWAITING_CONTROL_LINE, Parser

from .credentials import check_files, tls
from .message_headers import header_block, lenient_text, parse_headers
from .settings import BusSettings

PING_INTERVAL_S = 5
RECONNECT_WAIT_S = 0.25
CONNECT_TIMEOUT_S = 2
DRAIN_TIMEOUT_S = 10
MAX_PENDING_BYTES = 2 * 1024 * 1024
"""Unsent bytes above which `publish` blocks, or raises while the connection is down."""
MAX_SOCKET_BYTES = 64 * 1024
"""Bytes that wait for the socket, above which nats-py's flusher writes: it waits until the socket is free."""

_PING = b"PING\r\n"
_CRLF = b"\r\n"
_SIZES = {"MSG": 1, "HMSG": 2}
"""How many sizes end the first line of a message: `HMSG <subject> <sid> [reply] <head size> <size>`."""


class ArrivedMessage(Struct, gc=False):
    """A message as the broker sent it. Without headers, `headers` is None."""

    subject: str
    reply: str
    data: bytes
    headers: dict[str, str] | None


MessageCallback = Callable[[ArrivedMessage], None]


class TlsNotOffered(Error):
    """The server offers no TLS, and the settings ask for it."""


class ClientCertificateWanted(Error):
    """The server asks for a client certificate, and the settings name none."""


class NatsClient(Client):
    """The client of one connection. `send` and `subscribe_callback` are its fast path."""

    def __init__(self) -> None:
        super().__init__()
        self._parser = self._ps = _FrameParser(self)
        self.callbacks: dict[int, MessageCallback] = {}
        """By the number of the subscription."""
        self._failures: list[Exception] = []
        """Errors in callbacks that are not reported yet."""
        self._reports: set[asyncio.Task[None]] = set()
        self._write_planned = False
        self._loop: asyncio.AbstractEventLoop | None = None
        """The loop that sends. Each look-up of the loop is a system call in Python 3.11 (`getpid`)."""
        self.needs_tls = False
        """Use no server without TLS."""
        self.has_certificate = False
        """The settings name a client certificate."""

    # ── opening and closing ──────────────────────────────────────────────────────────────────────

    async def _process_connect_init(self) -> None:
        """Open the connection to one server: INFO, TLS, CONNECT.

        After a failed handshake nats-py would wait for the end of a stream that the handshake has replaced.
        That never comes, so a close would hang.
        """
        try:
            await super()._process_connect_init()
        except BaseException as error:
            self._abort()
            if isinstance(error, OSError | Error) or not isinstance(error, Exception):
                raise
            # For another error nats-py stops to reconnect for good: a credentials file may be half written.
            raise Error(f"The connection could not be opened ({type(error).__name__})") from error

    async def _attempt_reconnect(self) -> None:
        """Reconnect. Unsent bytes do not wait: a server that hangs would keep the client from all others."""
        self._abort()
        await super()._attempt_reconnect()

    def _abort(self) -> None:
        """End the connection at once, and forget its streams: nats-py then opens another."""
        transport: Any = self._transport
        if isinstance(self._transport, TcpTransport) and transport._bare_io_writer is not None:
            transport._bare_io_writer.transport.abort()
            transport._io_writer = transport._io_reader = None

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:
        """Read what the server says of itself. Raises before anything is sent, if TLS is needed and not had.

        The first INFO is in plain text. So with TLS its addresses of other servers are not used: any of
        them could have a valid certificate for its own name. The server sends them again inside TLS.
        """
        if initial_connection and self.needs_tls and not self.is_encrypted:
            if not (info.get("tls_required") or info.get("tls_available")):
                raise TlsNotOffered("nats: the server offers no TLS")
            if info.get("tls_verify") and not self.has_certificate:
                raise ClientCertificateWanted("nats: the server asks for a client certificate")
            info.pop("connect_urls", None)
            info["tls_required"] = True  # nats-py upgrades the connection only if the server requires it
        await super()._process_info(info, initial_connection)

    def _connect_command(self) -> bytes:
        """Return the CONNECT line, which holds the credentials. Raises TlsNotOffered before a handshake."""
        if self.needs_tls and not self.is_encrypted:
            raise TlsNotOffered("nats: the connection is not encrypted")
        return super()._connect_command()

    @property
    def is_encrypted(self) -> bool:
        """True once the handshake is complete."""
        transport: Any = self._transport
        if not isinstance(self._transport, TcpTransport) or transport._io_writer is None:
            return False
        return transport._io_writer.get_extra_info("ssl_object") is not None

    async def close(self) -> None:
        """Close the connection, also while the broker is down.

        nats-py writes what is pending to the transport, and uvloop's raises RuntimeError if it is closed.
        """
        if not self.is_connected:
            self._forget_pending()
        try:
            await super().close()
        except RuntimeError:  # the broker went down during the close
            self._forget_pending()
            self._status = Client.DISCONNECTED
            await super().close()

    def _forget_pending(self) -> None:
        self._pending, self._pending_data_size = [], 0

    @property
    def asks_for_credentials(self) -> bool:
        """True if the server lets in only clients that it can tell apart."""
        info = self._server_info
        return bool(info.get("auth_required") or info.get("tls_verify"))

    @property
    def ends_pulls_with_inbox(self) -> bool:
        """True if the server ends a pull as soon as nothing subscribes to its inbox.

        That holds for a single server with one account. With accounts, the subscription of a user is in
        another account than the consumer. In a cluster, it may be on another server than the consumer.
        """
        return not self.asks_for_credentials and not self._server_info.get("cluster")

    # ── sending ──────────────────────────────────────────────────────────────────────────────────

    def send(
        self, subject: str, data: bytes, reply: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        """Send one message at the end of this turn of the loop. Raises the errors of `publish`.

        It never blocks. Use it where the number of messages has another limit.
        """
        size = len(data)
        if self._status != Client.CONNECTED:
            self._check_open(size)
        if size > self._max_payload:
            raise MaxPayloadError
        _check_subject(subject)
        if headers:
            block = header_block(headers)
            length = len(block) if block.isascii() else len(block.encode())
            start = f"HPUB {subject} {reply} {length} {length + size}\r\n{block}"
        else:
            start = f"PUB {subject} {reply} {size}\r\n"
        frame = b"%b%b\r\n" % (start.encode(), data)
        self._pending.append(frame)
        self._pending_data_size += len(frame)
        self._plan_write()

    async def publish(
        self, subject: str, payload: bytes = b"", reply: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        """Send one message as `send` does. Blocks while more than `MAX_PENDING_BYTES` are unsent."""
        self.send(subject, payload, reply, headers)
        if self.is_full:
            await self.wait_until_sent()

    @property
    def is_full(self) -> bool:
        """True while more than `MAX_PENDING_BYTES` are unsent. A sender without another limit must wait."""
        return self._pending_data_size > MAX_PENDING_BYTES

    async def wait_until_sent(self) -> None:
        """Block until the socket has taken what is unsent."""
        await super()._flush_pending(force_flush=True)

    def _check_open(self, size: int) -> None:
        if self.is_closed:
            raise ConnectionClosedError
        if self.is_draining_pubs:
            raise ConnectionDrainingError
        if not self.is_connected and size + self._pending_data_size > MAX_PENDING_BYTES:
            raise OutboundBufferLimitError

    def _plan_write(self) -> None:
        if self._write_planned:
            return
        self._write_planned = True
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
        self._loop.call_soon(self._write_pending)

    def _write_pending(self) -> None:
        """Write what is pending, or let nats-py's flusher do it when the socket takes more.

        While the connection is down it stays pending. nats-py calls `_flush_pending` after a reconnect, when
        it has sent the subscriptions.
        """
        self._write_planned = False
        if not self._pending or not self.is_connected:
            return
        transport = self._transport
        if isinstance(transport, TcpTransport) and _socket_bytes(transport) < MAX_SOCKET_BYTES:
            pending, self._pending, self._pending_data_size = self._pending, [], 0
            transport.write(b"".join(pending))
        elif self._flush_queue is not None and self._flush_queue.empty():
            self._flush_queue.put_nowait(asyncio.get_running_loop().create_future())

    async def _flush_pending(self, force_flush: bool = False) -> Any:
        if force_flush:
            return await super()._flush_pending(force_flush)
        self._plan_write()
        return None

    async def _send_ping(self, future: asyncio.Future[Any] | None = None) -> None:
        # nats-py writes a PING past what is pending, so its answer says nothing of it. `flush` and `drain`
        # depend on the order.
        pong = future or asyncio.get_running_loop().create_future()
        self._pongs.append(pong)  # pyright: ignore[reportUnknownMemberType]
        self._pending.append(_PING)
        self._plan_write()

    # ── receiving ────────────────────────────────────────────────────────────────────────────────

    async def subscribe_callback(
        self, subject: str, callback: MessageCallback, queue: str = ""
    ) -> Subscription:
        """Call `callback` for each message on `subject`. The subscription survives reconnects.

        `callback` must return at once: it runs in the loop that reads from the socket.
        """
        if self.is_closed:
            raise ConnectionClosedError
        if self.is_draining:
            raise ConnectionDrainingError
        _check_subject(subject)
        self._sid += 1
        subscription = _CallbackSubscription(self, self._sid, subject, queue)
        self._subs[self._sid] = subscription
        self.callbacks[self._sid] = callback
        await self._send_subscribe(subscription)
        return subscription

    def deliver(
        self, callback: MessageCallback, subject: str, reply: str, data: bytes, headers: bytes | None
    ) -> None:
        """Call the callback of a subscription. An error in it is kept for `report_failures`."""
        try:
            callback(ArrivedMessage(subject, reply, data, parse_headers(headers) if headers else None))
        except Exception as error:
            self._failures.append(error)

    async def report_failures(self) -> None:
        """Report the errors in callbacks. An error in one does not stop the messages behind it."""
        while self._failures:
            await self._error_cb(self._failures.pop(0))

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        callback = self.callbacks.get(sid)
        if callback is None:
            await super()._process_msg(sid, subject, reply, data, headers)
            return
        self.deliver(callback, lenient_text(subject), lenient_text(reply), data, headers)
        await self.report_failures()

    async def _read_loop(self) -> None:
        """Read until the connection ends. Messages go from the socket to the parser, without this task.

        nats-py's loop reads what is no message, and sees the end of the stream.
        """
        transport: Any = self._transport
        reader = transport._io_reader if isinstance(self._transport, TcpTransport) else None
        if reader is None:
            await super()._read_loop()
            return
        reader.feed_data = functools.partial(self._receive, reader)
        try:
            await super()._read_loop()
        finally:
            del reader.feed_data

    def _receive(self, reader: Any, data: bytes) -> None:
        """Parse what was received at once. If something before it waits for the read loop, it waits too."""
        parser = self._parser
        if (
            reader._buffer
            or parser.busy
            or parser.state != AWAITING_CONTROL_LINE
            or self._status != Client.CONNECTED
            or reader.exception() is not None
        ):
            asyncio.StreamReader.feed_data(reader, data)
            return
        try:
            foreign = parser.take(data)
        except Exception as error:
            reader.set_exception(error)  # The read loop raises it, and handles it as its own.
            return
        if self._failures:
            report = asyncio.ensure_future(self.report_failures())
            self._reports.add(report)
            report.add_done_callback(self._reports.discard)
        if foreign:
            rest, parser.buf = bytes(parser.buf), bytearray()
            asyncio.StreamReader.feed_data(reader, rest)

    def _remove_sub(self, sid: int, max_msgs: int = 0) -> None:
        self.callbacks.pop(sid, None)
        super()._remove_sub(sid, max_msgs)

    def _build_message(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: dict[str, str] | None
    ) -> Msg:
        return Msg(
            _client=self,
            subject=lenient_text(subject),
            reply=lenient_text(reply),
            data=data,
            headers=headers,
            _sid=sid,
        )


class _FrameParser(Parser):
    """Parses whole messages. Everything else is left to nats-py's parser."""

    nc: NatsClient

    def __init__(self, client: NatsClient) -> None:
        super().__init__(client)  # pyright: ignore[reportUnknownMemberType]
        self.busy = False
        """`parse` runs. What arrives meanwhile comes after what it parses."""

    async def parse(self, data: bytes = b"") -> None:
        self.busy = True
        try:
            if self.state == AWAITING_CONTROL_LINE:
                foreign = self.take(data)
                await self.nc.report_failures()
                if not foreign:
                    return
                data = b""
            await super().parse(data)
        finally:
            self.busy = False

    def take(self, data: bytes) -> bool:
        """Deliver the whole messages at the start of what was received, and keep the rest.

        Returns True if the rest begins with something else, which is for nats-py's parser. Raises
        ProtocolError.
        """
        if self.buf:
            data, self.buf = bytes(self.buf) + data, bytearray()
        position, foreign, length = 0, False, len(data)
        callbacks, deliver = self.nc.callbacks, self.nc.deliver
        while (line_end := data.find(_CRLF, position)) >= 0:
            # The server separates the words by one space, and a subject has none. Decoded at once, and
            # leniently: a subject may be no UTF-8.
            words = data[position:line_end].decode("utf-8", "replace").split(" ")
            sizes = _SIZES.get(words[0], 0)
            has_reply = len(words) - 3 - sizes
            if not sizes or (has_reply != 0 and has_reply != 1):
                foreign = True
                break
            try:
                sid, size = int(words[2]), int(words[-1])
                head_size = int(words[-2]) if sizes == 2 else 0
            except ValueError as error:
                raise ProtocolError("nats: malformed MSG") from error
            start = line_end + 2
            end = start + size
            if not 0 <= head_size <= size:
                raise ProtocolError("nats: malformed MSG")
            if length < end + 2:
                break
            callback = callbacks.get(sid)
            if callback is None:
                foreign = True
                break
            position = end + 2
            headers = data[start : start + head_size] if head_size else None
            reply = words[3] if has_reply else ""
            deliver(callback, words[1], reply, data[start + head_size : end], headers)
        if position < length:
            self.buf = bytearray(data[position:])
        return foreign


_NO_MESSAGES: asyncio.Queue[Msg] = asyncio.Queue()
"""The queue of every `_CallbackSubscription`. It stays empty."""


class _CallbackSubscription(Subscription):
    """A subscription without a queue of its own, which is 3 KB: its messages go to the callback at once."""

    def __init__(self, client: Client, sid: int, subject: str, queue: str) -> None:
        super().__init__(client, sid, subject, queue)  # pyright: ignore[reportUnknownMemberType]
        self._pending_queue = _NO_MESSAGES


async def unsubscribe(subscription: Subscription) -> None:
    """End a subscription. Does nothing if the connection is closed or closing."""
    with contextlib.suppress(ConnectionClosedError, ConnectionDrainingError, BadSubscriptionError):
        await subscription.unsubscribe()


def connect_options(settings: BusSettings, name: str) -> dict[str, Any]:
    """Return the options for `Client.connect`.

    Raises InvalidRequest if a file in the settings is unusable.
    """
    check_files(settings)
    found: dict[str, Any] = {
        "servers": settings.servers,
        "name": name,
        "user": settings.user,
        "password": settings.password,
        "token": settings.token,
        "user_credentials": settings.creds,
        "nkeys_seed": settings.nkey,
        "inbox_prefix": settings.inbox.encode(),
        "max_reconnect_attempts": -1,
        "reconnect_time_wait": RECONNECT_WAIT_S,
        "connect_timeout": CONNECT_TIMEOUT_S,
        "ping_interval": PING_INTERVAL_S,
        "drain_timeout": DRAIN_TIMEOUT_S,
        "pending_size": MAX_PENDING_BYTES,
    }
    if context := tls(settings):
        found["tls"] = context
    if settings.tls_first:
        found["tls_handshake_first"] = True
    return found


def _check_subject(subject: str) -> None:
    """Raise BadSubjectError if `subject` is empty or has white space, which would end it in the protocol."""
    if subject.split() != [subject]:
        raise BadSubjectError


def _socket_bytes(transport: TcpTransport) -> int:
    """Return how many bytes wait for the socket."""
    writer = transport._io_writer  # pyright: ignore[reportPrivateUsage]
    return 0 if writer is None else writer.transport.get_write_buffer_size()
