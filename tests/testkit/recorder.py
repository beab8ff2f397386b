"""TCP servers that keep every byte that a client sends: what someone on the network sees."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from .certificates import HOST

CHUNK_BYTES = 65_536
Rewrite = Callable[[bytes], bytes]


class Recorder:
    """`sent` holds what clients sent, over all connections; `streams` the same, for each connection."""

    def __init__(self) -> None:
        self.sent = bytearray()
        self.streams: list[bytearray] = []
        self.connections = 0
        self.port = 0

    def holds(self, *secrets: str) -> bool:
        """Return whether one of `secrets` was sent in clear."""
        return any(each.encode() in self.sent for each in secrets)


@asynccontextmanager
async def recording_server(greeting: bytes = b"", port: int = 0) -> AsyncIterator[Recorder]:
    """Run a server that sends `greeting` and nothing else, and keeps what it receives."""
    recorder = Recorder()

    async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        recorder.connections += 1
        writer.write(greeting)
        while data := await reader.read(CHUNK_BYTES):
            recorder.sent += data
        writer.close()

    async with await asyncio.start_server(keep, HOST, port) as server:
        recorder.port = server.sockets[0].getsockname()[1]
        yield recorder


@asynccontextmanager
async def recording_proxy(port: int, rewrite: Rewrite | None = None) -> AsyncIterator[Recorder]:
    """Run a server between a client and `port`. It may `rewrite` the first line that the server sends."""
    recorder = Recorder()
    tasks = set[asyncio.Task[None]]()

    async def forward(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kept: bytearray | None = None
    ) -> None:
        try:
            while data := await reader.read(CHUNK_BYTES):
                if kept is not None:
                    recorder.sent += data
                    kept += data
                writer.write(data)
                await writer.drain()
        except OSError:
            pass  # one of the two closed the connection: so does the other
        finally:
            writer.close()

    async def accept(client_reader: asyncio.StreamReader, client_writer: asyncio.StreamWriter) -> None:
        recorder.connections += 1
        reader, writer = await asyncio.open_connection(HOST, port)
        if rewrite is not None:
            client_writer.write(rewrite(await reader.readline()))
        kept = bytearray()
        recorder.streams.append(kept)
        for each in (forward(client_reader, writer, kept), forward(reader, client_writer)):
            task = asyncio.create_task(each)
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    async with await asyncio.start_server(accept, HOST, 0) as server:
        recorder.port = server.sockets[0].getsockname()[1]
        try:
            yield recorder
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
