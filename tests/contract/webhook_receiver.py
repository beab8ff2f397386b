"""Receiver of webhooks: a real HTTP server that keeps every webhook as it arrived."""

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

from warmxfer.actors.gateway.webhook_server import address_of, bind, serving_webhooks

from .target import Target

PATH = "/webhooks"


@dataclass(frozen=True)
class ReceivedWebhook:
    """One webhook: lower-case headers, and the raw body that the signature covers."""

    headers: dict[str, str]
    body: bytes

    @property
    def kind(self) -> str:
        body = json.loads(self.body)
        return body.get("webhookType") or body.get("type") or ""

    @property
    def data(self) -> dict[str, Any]:
        """The fields, whether they are at the top level or under `data`."""
        body = json.loads(self.body)
        return {**body, **body.get("data", {})}


class WebhookReceiver:
    """The received webhooks, and waiting for one that is to come."""

    def __init__(self, url: str, patience_s: float) -> None:
        self.url = url
        self.webhooks: list[ReceivedWebhook] = []
        self._patience_s = patience_s
        self._arrived = asyncio.Event()

    async def take(self, request: Request) -> Response:
        self.webhooks.append(ReceivedWebhook(dict(request.headers), await request.body()))
        self._arrived.set()
        return Response()

    async def until(self, kind: str, **wanted: Any) -> ReceivedWebhook:
        """Return the first webhook of this kind with these fields, once it has arrived."""
        try:
            async with asyncio.timeout(self._patience_s):
                while True:
                    for webhook in self.webhooks:
                        if webhook.kind == kind and wanted.items() <= webhook.data.items():
                            return webhook
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            came = [webhook.kind for webhook in self.webhooks]
            raise AssertionError(f"no {kind} about {sorted(wanted)} came, only {came}") from None


@asynccontextmanager
async def open_webhook_receiver(target: Target) -> AsyncIterator[WebhookReceiver]:
    """Listen on any free port of loopback, or on the port that a public address leads to."""
    bound = bind("127.0.0.1", target.webhook_port)
    base_url = target.webhook_url.rstrip("/") or address_of(bound)
    receiver = WebhookReceiver(f"{base_url}{PATH}", target.patience_s)
    app = Starlette(routes=[Route(PATH, receiver.take, methods=["POST"])])
    async with serving_webhooks(app, bound):
        yield receiver
