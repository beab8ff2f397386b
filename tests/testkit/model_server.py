"""A model server on loopback that sends what a test says, byte by byte; also as a process of its own.

    python -m tests.testkit.model_server answers.json

The file holds a list of answers, as `Answer` has them. Each request gets the next one; the last one repeats.
The process prints its address as the first line.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

from msgspec import Struct, convert, field


class Answer(Struct):
    """A response: its pieces, each after a delay in seconds. `hang` keeps the connection open at the end."""

    parts: list[tuple[float, str]] = field(default_factory=list)
    content_type: str = "text/event-stream"
    status: int = 200
    hang: bool = False
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, text: str, content_type: str = "text/event-stream", **more: Any) -> Self:
        return cls([(0, text)], content_type, **more)


class ModelServer:
    """Sends the answers in turn, the last one again and again. `requests` are the bodies that it received."""

    def __init__(self, answers: Sequence[Answer]) -> None:
        self.answers = list(answers)
        self.requests: list[dict[str, Any]] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next(
                int(line.split(":")[1])
                for line in head.split("\r\n")
                if line.lower().startswith("content-length:")
            )
            self.requests.append(json.loads(await reader.readexactly(length)))
            await self._send(self.answers[min(len(self.requests), len(self.answers)) - 1], reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            # asyncio reports the cancellation of a handler, at the end of a test, as an error.
            writer.transport.abort()
        finally:
            writer.close()

    async def _send(self, answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Send without a length: the body ends with the connection, as with HTTP/1.0."""
        headers = {"content-type": answer.content_type, "connection": "close", **answer.headers}
        lines = [f"HTTP/1.1 {answer.status} X", *(f"{name}: {value}" for name, value in headers.items())]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        for delay_s, part in answer.parts:
            await writer.drain()
            await asyncio.sleep(delay_s)
            writer.write(part.encode("utf-8", "surrogateescape"))
        await writer.drain()
        if answer.hang:
            await reader.read(1)


@asynccontextmanager
async def model_server(*answers: Answer) -> AsyncIterator[ModelServer]:
    """Serve `answers` on a free port."""
    server = ModelServer(answers)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1"
    try:
        yield server
    finally:
        listening.close()


async def _main(answers: list[Answer]) -> None:
    async with model_server(*answers) as server:
        print(server.url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main(convert(json.loads(Path(sys.argv[1]).read_text()), list[Answer])))
