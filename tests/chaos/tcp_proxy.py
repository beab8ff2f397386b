"""A TCP proxy on loopback whose connections can be cut, and free ports known in advance."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

CHUNK_BYTES = 65_536


class TcpProxy:
    """A TCP proxy on loopback. Set `target` as soon as it is known."""

    def __init__(self) -> None:
        self.target: tuple[str, int] | None = None
        self.is_open = asyncio.Event()
        self._pipes: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> TcpProxy:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self.is_open.set()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        await asyncio.gather(*self._pipes, return_exceptions=True)

    @property
    def url(self) -> str:
        """URL of the broker behind the proxy."""
        return f"nats://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Break every connection, and accept none until `heal`."""
        self.is_open.clear()
        for pipe in self._pipes:
            pipe.cancel()

    def heal(self) -> None:
        """Accept connections again."""
        self.is_open.set()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._pipes.add(task)
        try:
            if self.is_open.is_set() and self.target:
                far_reader, far_writer = await asyncio.open_connection(*self.target)
                try:
                    await _first_of(_pump(reader, far_writer), _pump(far_reader, writer))
                finally:
                    far_writer.close()
        except (OSError, asyncio.CancelledError):
            return
        finally:
            self._pipes.discard(task)
            writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(CHUNK_BYTES):
        writer.write(chunk)
        await writer.drain()


async def _first_of(*works: Coroutine[None, None, None]) -> None:
    """Wait until one is done, and cancel the others."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
