"""An HTTP server on loopback that is as slow as a test says, and what it has received."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
BACKLOG = 512


class SlowServer:
    """Sends `answer` `delay_s()` seconds after each request. With `drip_s` it sends one byte at a time.

    `hold()` keeps all answers back until `release()`.
    """

    def __init__(self) -> None:
        self.url = ""
        self.answer = ANSWER
        self.delay_s: Callable[[], float] = lambda: 0.0
        self.drip_s = 0.0
        self.received = 0
        """How many requests arrived."""
        self.unanswered = 0
        """How many requests arrived on open connections and are not answered yet."""
        self.open = 0
        """How many connections are open."""
        self._released = asyncio.Event()
        self._released.set()

    def hold(self) -> None:
        self._released.clear()

    def release(self) -> None:
        self._released.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                _, _, length = head.partition(b"content-length:")
                await reader.readexactly(int(length.split(b"\r\n")[0]) if length else 0)
                self.received += 1
                self.unanswered += 1
                try:
                    await _unless_closed(reader, self._wait())
                    await self._answer(writer)
                finally:
                    self.unanswered -= 1
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            # asyncio reports the cancellation of a handler, at the end of a test, as an error.
            writer.transport.abort()
        finally:
            self.open -= 1

    async def _wait(self) -> None:
        await asyncio.sleep(self.delay_s())
        await self._released.wait()

    async def _answer(self, writer: asyncio.StreamWriter) -> None:
        size = 1 if self.drip_s else len(self.answer)
        for start in range(0, len(self.answer), size):
            writer.write(self.answer[start : start + size])
            await writer.drain()
            await asyncio.sleep(self.drip_s)


async def _unless_closed(reader: asyncio.StreamReader, waiting: Coroutine[Any, Any, None]) -> None:
    """Wait. Raises `ConnectionError` once the client has closed the connection."""
    tasks = asyncio.ensure_future(waiting), asyncio.ensure_future(reader.read(1))
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if not tasks[0].done():
            raise ConnectionError("the client left")
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def slow_server(port: int = 0) -> AsyncIterator[SlowServer]:
    """Run a `SlowServer` that does not wait, until a test changes it. Port 0 takes any free port."""
    server = SlowServer()
    listening = await asyncio.start_server(server._serve, "127.0.0.1", port, backlog=BACKLOG)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listening.close()


def open_descriptors() -> int:
    """Return how many file descriptors this process has open."""
    return len(os.listdir("/proc/self/fd"))
