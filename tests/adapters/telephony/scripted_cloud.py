"""A server that answers exactly what a test wrote down: what no honest cloud would, too."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from warmxfer.adapters.telephony.videosdk.provider import VideoSDKProvider
from warmxfer.adapters.telephony.videosdk.settings import VideoSDKSettings

SECRET = "a-secret-of-at-least-thirty-two-bytes"
TIMEOUT_S = 0.8


@dataclass
class Answer:
    """One answer. `status` 0: hang up without one, after `delay_s`."""

    status: int = 200
    body: Any = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0

    @property
    def raw(self) -> bytes:
        content = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        head = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        return f"HTTP/1.1 {self.status} X\r\ncontent-length: {len(content)}\r\n{head}\r\n".encode() + content


@dataclass
class Asked:
    """One request as it came."""

    method: str
    target: str
    headers: dict[str, str]
    body: Any


class Script:
    """Answers in the order written down; the last one for ever after."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.asked: list[Asked] = []

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                asked = await _read(head.decode(), reader)
                self.asked.append(asked)
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                await asyncio.sleep(answer.delay_s)
                if answer.status == 0:
                    writer.transport.abort()
                    return
                writer.write(answer.raw)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.transport.abort()


async def _read(head: str, reader: asyncio.StreamReader) -> Asked:
    first, *lines = head.split("\r\n")[:-2]
    method, target, _ = first.split(" ")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    content = await reader.readexactly(int(headers.get("content-length", "0")))
    return Asked(method, target, headers, json.loads(content) if content else None)


def provider(base_url: str, **more: Any) -> VideoSDKProvider:
    """A client of a cloud at `base_url`."""
    settings = VideoSDKSettings(api_key="key", secret=SECRET, base_url=base_url, timeout_s=TIMEOUT_S)
    return VideoSDKProvider(settings, **more)
