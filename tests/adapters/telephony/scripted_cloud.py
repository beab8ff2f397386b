"""A server that responds exactly as a test says, also as no real cloud would."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from warmxfer.adapters.telephony.videosdk.provider import VideoSDKProvider
from warmxfer.adapters.telephony.videosdk.settings import VideoSDKSettings

SECRET = "a-secret-of-at-least-thirty-two-bytes"
TIMEOUT_S = 0.8
PATIENT_TIMEOUT_S = 30.0


@dataclass
class Response:
    """One response. `status` 0: close the connection without a response, after `delay_s`."""

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
class ReceivedRequest:
    """One received request."""

    method: str
    target: str
    headers: dict[str, str]
    body: Any


class ScriptedCloud:
    """Sends `responses` in order; repeats the last one."""

    def __init__(self) -> None:
        self.responses: list[Response] = []
        self.requests: list[ReceivedRequest] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                request = await _read(head.decode(), reader)
                self.requests.append(request)
                response = self.responses.pop(0) if len(self.responses) > 1 else self.responses[0]
                await asyncio.sleep(response.delay_s)
                if response.status == 0:
                    writer.transport.abort()
                    return
                writer.write(response.raw)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.transport.abort()


async def _read(head: str, reader: asyncio.StreamReader) -> ReceivedRequest:
    first, *lines = head.split("\r\n")[:-2]
    method, target, _ = first.split(" ")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    content = await reader.readexactly(int(headers.get("content-length", "0")))
    return ReceivedRequest(method, target, headers, json.loads(content) if content else None)


def provider(base_url: str, timeout_s: float = TIMEOUT_S, **more: Any) -> VideoSDKProvider:
    """Return a provider for the cloud at `base_url`."""
    settings = VideoSDKSettings(api_key="key", secret=SECRET, base_url=base_url, timeout_s=timeout_s)
    return VideoSDKProvider(settings, **more)
