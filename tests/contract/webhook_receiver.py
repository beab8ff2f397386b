"""Where the cloud's webhooks come in: a real HTTP server that keeps every letter as it came."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from warmxfer.actors.gateway.webhook_server import address_of, bind, serving

from .target import Target

PATH = "/letters"


@dataclass(frozen=True)
class Letter:
    """One webhook: lower-case headers, and the raw body that the signature is over."""

    headers: dict[str, str]
    body: bytes

    @property
    def kind(self) -> str:
        said = json.loads(self.body)
        return said.get("webhookType") or said.get("type") or ""

    @property
    def data(self) -> dict[str, Any]:
        """The facts, whether they stand at the top or under `data`."""
        said = json.loads(self.body)
        return {**said, **said.get("data", {})}


class Letterbox:
    """What came in, and waiting for what is to come."""

    def __init__(self, url: str, patience_s: float) -> None:
        self.url = url
        self.letters: list[Letter] = []
        self._patience_s = patience_s
        self._arrived = asyncio.Event()

    async def take(self, request: Request) -> Response:
        self.letters.append(Letter(dict(request.headers), await request.body()))
        self._arrived.set()
        return Response()

    async def until(self, kind: str, **wanted: Any) -> Letter:
        """The first letter of this kind with these facts, once it is there."""
        try:
            async with asyncio.timeout(self._patience_s):
                while True:
                    for letter in self.letters:
                        if letter.kind == kind and wanted.items() <= letter.data.items():
                            return letter
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            came = [letter.kind for letter in self.letters]
            raise AssertionError(f"no {kind} about {sorted(wanted)} came, only {came}") from None


@asynccontextmanager
async def open_letterbox(target: Target) -> AsyncIterator[Letterbox]:
    """On any free port of loopback, or on the port that a public address leads to."""
    bound = bind("127.0.0.1", target.letters_port)
    base_url = target.letters_url.rstrip("/") or address_of(bound)
    box = Letterbox(f"{base_url}{PATH}", target.patience_s)
    app = Starlette(routes=[Route(PATH, box.take, methods=["POST"])])
    async with serving(app, bound):
        yield box
