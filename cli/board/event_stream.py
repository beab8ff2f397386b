"""Server-sent events: first the whole content, then what changed, at most ten times a second."""

from __future__ import annotations

import asyncio

import structlog
from starlette.types import Receive, Scope, Send

from warmxfer.schemas import encode

from .content import Content, Watcher

MIN_PAUSE_S = 0.1
"""Between two messages: a browser cannot show more, and a burst of changes is one message."""
HEARTBEAT_S = 2.0
"""The page shows that it is stale if nothing comes for some heartbeats."""
SEND_TIMEOUT_S = 20.0
"""For one message. A browser that takes nothing for so long is disconnected; it then connects again."""
RETRY_MS = 1_000

log = structlog.get_logger(__name__)


class EventStream:
    """The response to one browser that watches: an ASGI application."""

    def __init__(self, content: Content, watcher: Watcher) -> None:
        self._content = content
        self._watcher = watcher

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sending = asyncio.create_task(self._send_all(send))
        leaving = asyncio.create_task(_disconnected(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sending.cancel()
            leaving.cancel()
            await asyncio.wait({sending, leaving})
        if not sending.cancelled():
            sending.result()

    async def _send_all(self, send: Send) -> None:
        try:
            await self._send_updates(send)
        except TimeoutError:
            log.info("watcher_too_slow", timeout_s=SEND_TIMEOUT_S)

    async def _send_updates(self, send: Send) -> None:
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"x-accel-buffering", b"no")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await _send(send, f"retry: {RETRY_MS}\n\n".encode())
        while not self._content.closed:
            await self._watcher.wait(HEARTBEAT_S)
            await _send(send, b"data: " + encode(self._content.update_for(self._watcher)) + b"\n\n")
            await asyncio.sleep(MIN_PAUSE_S)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _send(send: Send, data: bytes) -> None:
    async with asyncio.timeout(SEND_TIMEOUT_S):
        await send({"type": "http.response.body", "body": data, "more_body": True})


async def _disconnected(receive: Receive) -> None:
    """Return when the browser has left."""
    while (await receive())["type"] != "http.disconnect":
        continue
