"""Thin clients of the sandbox for benchmarks: HTTP connections, room sockets and a receiver of webhooks.

They cost a few microseconds a message, so that a benchmark measures the sandbox and not its own clients. They
know only what the sandbox sends: each response and each webhook has a Content-Length.
"""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import Callable
from typing import Any, Final, cast

import msgspec

Json = dict[str, Any]

WAIT_S: Final = 30.0
"""Maximum wait for one response, frame or webhook."""
_END_OF_HEAD: Final = b"\r\n\r\n"
_TEXT, _CLOSE, _PING, _PONG = 0x1, 0x8, 0x9, 0xA
_FINAL: Final = 0x80
_MASKED: Final = 0x80
_NO_MASK: Final = b"\0\0\0\0"
"""Mask of the frames that a client sends: it leaves the payload as it is, and so costs nothing."""

decode: Final = msgspec.json.Decoder(Json).decode
encode: Final = msgspec.json.Encoder().encode


class Lost(Exception):
    """The sandbox refused a request, or closed a connection that was in use."""


class HttpConnection(asyncio.Protocol):
    """One kept connection. It carries one request at a time."""

    def __init__(self) -> None:
        self._buffer = b""
        self._response: asyncio.Future[tuple[int, bytes]] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._response is not None and not self._response.done():
            self._response.set_exception(Lost("the connection was closed before the response"))

    @property
    def usable(self) -> bool:
        """Whether the sandbox has not closed it."""
        return self._transport is not None

    def send(self, request: bytes) -> asyncio.Future[tuple[int, bytes]]:
        """Send one request. The future is the status and the body of its response."""
        if self._transport is None:
            raise Lost("the connection is closed")
        self._response = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._response

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        message = read_message(self._buffer)
        if message is None or self._response is None or self._response.done():
            return
        head, body, self._buffer = message
        self._response.set_result((int(head[9:12]), body))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class HttpPool:
    """Connections to one address, opened when they are needed and kept."""

    def __init__(self, host: str, port: int, token: str) -> None:
        self._host, self._port = host, port
        self._head = f"host: {host}:{port}\r\nauthorization: {token}\r\n".encode()
        self._bearer = f"host: {host}:{port}\r\nauthorization: Bearer {token}\r\n".encode()
        self._idle: list[HttpConnection] = []
        self.requests = 0

    async def get(self, path: str) -> Json:
        return await self._request(f"GET {path} HTTP/1.1\r\n".encode() + self._head + b"\r\n", path)

    async def post(self, path: str, body: Json, *, bearer: bool = False) -> Json:
        content = encode(body)
        request = (
            f"POST {path} HTTP/1.1\r\ncontent-type: application/json\r\n"
            f"content-length: {len(content)}\r\n".encode()
        )
        head = self._bearer if bearer else self._head
        return await self._request(request + head + b"\r\n" + content, path)

    async def _request(self, request: bytes, path: str) -> Json:
        """Return the body of the response. Raises `Lost` for a status other than 200."""
        connection = next((kept for kept in iter(self._take_idle, None) if kept.usable), None)
        if connection is None:
            loop = asyncio.get_running_loop()
            _, connection = await loop.create_connection(HttpConnection, self._host, self._port)
        self.requests += 1
        status, body = await asyncio.wait_for(connection.send(request), WAIT_S)
        self._idle.append(connection)
        if status != 200:
            raise Lost(f"{path} answered {status}: {body[:200].decode()}")
        return decode(body)

    def _take_idle(self) -> HttpConnection | None:
        return self._idle.pop() if self._idle else None

    def close(self) -> None:
        for connection in self._idle:
            connection.close()


class RoomSocket(asyncio.Protocol):
    """One agent in one room. `wait` returns frames in their order and drops those in between."""

    def __init__(self) -> None:
        self._buffer = b""
        self._joined = False
        self._frames: list[Json] = []
        self._waiting: asyncio.Future[None] | None = None
        self._closed = False
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def join(cls, host: str, port: int, room_id: str, agent_id: str, token: str) -> RoomSocket:
        """Join a room and return once the frame `welcome` arrived."""
        _, socket = await asyncio.get_running_loop().create_connection(cls, host, port)
        key = base64.b64encode(os.urandom(16)).decode()
        assert socket._transport is not None
        socket._transport.write(
            f"GET /v2/rooms/{room_id}/join?participantId={agent_id}&name=Agent&token={token} HTTP/1.1\r\n"
            f"host: {host}:{port}\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
            f"sec-websocket-key: {key}\r\nsec-websocket-version: 13\r\n\r\n".encode()
        )
        await socket.wait("welcome")
        return socket

    def send(self, frame: Json) -> None:
        payload = encode(frame)
        size = len(payload)
        length = bytes((_MASKED | size,)) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
        self._write(bytes((_FINAL | _TEXT,)) + length + _NO_MASK + payload)

    def say(self, utterance_id: str, text: str) -> None:
        self.send({"type": "say", "id": utterance_id, "text": text, "interruptible": True, "to": None})

    async def wait(self, kind: str, **fields: str) -> Json:
        """Return the next frame of this type with these fields."""
        async with asyncio.timeout(WAIT_S):
            while True:
                while self._frames:
                    frame = self._frames.pop(0)
                    if frame["type"] == kind and fields.items() <= frame.items():
                        return frame
                if self._closed:
                    raise Lost(f"the room closed before a frame {kind} {fields} arrived")
                self._waiting = asyncio.get_running_loop().create_future()
                await self._waiting

    async def leave(self) -> None:
        """Leave the room and return once the sandbox closed the connection."""
        self.send({"type": "leave"})
        async with asyncio.timeout(WAIT_S):
            while not self._closed:
                self._waiting = asyncio.get_running_loop().create_future()
                await self._waiting

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed = True
        self._wake()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._joined:
            end = self._buffer.find(_END_OF_HEAD)
            if end < 0:
                return
            if not self._buffer.startswith(b"HTTP/1.1 101"):
                raise Lost(f"the join was refused: {self._buffer[:200].decode()}")
            self._joined, self._buffer = True, self._buffer[end + 4 :]
        while self._read_frame():
            continue

    def _read_frame(self) -> bool:
        """Take one frame off the buffer. Returns False if it is not complete."""
        buffer = self._buffer
        if len(buffer) < 2:
            return False
        size, start = buffer[1], 2
        if size == 126:
            size, start = int.from_bytes(buffer[2:4], "big"), 4
        elif size == 127:
            size, start = int.from_bytes(buffer[2:10], "big"), 10
        if len(buffer) < start + size:
            return False
        payload, self._buffer = buffer[start : start + size], buffer[start + size :]
        match buffer[0] & 0x0F:
            case 0x1:
                self._frames.append(decode(payload))
                self._wake()
            case 0x8:
                self._write(bytes((_FINAL | _CLOSE, _MASKED | len(payload))) + _NO_MASK + payload)
            case 0x9:
                self._write(bytes((_FINAL | _PONG, _MASKED | len(payload))) + _NO_MASK + payload)
        return True

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


class WebhookReceiver:
    """HTTP endpoint that answers 200 and gives each webhook to `on_webhook(kind, data)`."""

    def __init__(self, on_webhook: Callable[[str, Json], None]) -> None:
        self._on_webhook = on_webhook
        self._server: asyncio.Server | None = None
        self.url = ""

    async def __aenter__(self) -> WebhookReceiver:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _WebhookConnection(self._on_webhook), "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/hook"
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()


class _WebhookConnection(asyncio.Protocol):
    def __init__(self, on_webhook: Callable[[str, Json], None]) -> None:
        self._on_webhook = on_webhook
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (message := read_message(self._buffer)) is not None:
            _, body, self._buffer = message
            self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            webhook = decode(body)
            self._on_webhook(webhook["webhookType"], webhook["data"])


def read_message(buffer: bytes) -> tuple[bytes, bytes, bytes] | None:
    """Return head, body and rest of the first HTTP message; None if it is not complete."""
    end = buffer.find(_END_OF_HEAD)
    if end < 0:
        return None
    head = buffer[:end].lower()
    at = head.find(b"\r\ncontent-length:")
    size = int(head[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
    start = end + 4
    if len(buffer) < start + size:
        return None
    return buffer[:end], buffer[start : start + size], buffer[start + size :]
