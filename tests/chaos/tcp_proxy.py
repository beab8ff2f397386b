"""A TCP proxy on loopback that can let go of the wire, and ports that are known before anybody listens."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Coroutine

CHUNK_BYTES = 65_536


class Wire:
    """A TCP proxy on loopback; its target is told once that is known."""

    def __init__(self) -> None:
        self.target: tuple[str, int] | None = None
        self.whole = asyncio.Event()
        self._pipes: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Wire:
        self._server = await asyncio.start_server(self._joined, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self.whole.set()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        await asyncio.gather(*self._pipes, return_exceptions=True)

    @property
    def url(self) -> str:
        """Where a broker behind it is reached."""
        return f"nats://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Break every connection, and let none through until `heal`."""
        self.whole.clear()
        for pipe in self._pipes:
            pipe.cancel()

    def heal(self) -> None:
        """As before."""
        self.whole.set()

    async def _joined(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._pipes.add(task)
        try:
            if self.whole.is_set() and self.target:
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


def free_ports(count: int) -> list[int]:
    """Ports that nobody listened on a moment ago: nodes have to know each other's before they start."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(CHUNK_BYTES):
        writer.write(chunk)
        await writer.drain()


async def _first_of(*works: Coroutine[None, None, None]) -> None:
    """Until one side is done; then the other is too."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
