"""HTTP endpoint for provider webhooks: publishes each relevant notice as an event.

    POST /webhooks/<provider>    200 after the event is stored, or if the notice is irrelevant;
                                 400 unreadable, 401 bad signature, 408 too slow, 413 too large;
                                 503 broker or signing key unreachable: the provider sends it again
    GET  /healthz                200 while the bus is connected, with a counter for each result

- Invariant: the same body twice is one event. The hash of the body is the message id.
- Invariant: a webhook is a hint. No irreversible action follows from a webhook alone.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter

import structlog
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from warmxfer.adapters.telephony import (
    CallEndedNotice,
    CallUpNotice,
    InvalidWebhookSignature,
    Notice,
    Provider,
)
from warmxfer.bus import Bus
from warmxfer.schemas import InvalidRequest, RetryableError

from ..common.command_replies import publish_event, wire_name
from .webhook_events import to_event
from .webhook_health import WebhookHealth

MAX_BODY_BYTES = 64 * 1024
BODY_TIMEOUT_S = 5.0
PUBLISH_TIMEOUT_S = 3.0

log = structlog.get_logger(__name__)


class TooLarge(Exception):
    """A body of more than `MAX_BODY_BYTES`."""


def path_of(provider_name: str) -> str:
    """Return the path of a provider's webhooks."""
    return f"/webhooks/{provider_name}"


class Webhooks:
    """The webhook application; `webhook_server.py` serves `app`."""

    def __init__(self, bus: Bus, provider: Provider, health: WebhookHealth) -> None:
        self._bus = bus
        self._provider = provider
        self._health = health
        self.counted: Counter[str] = Counter()
        self.app = Starlette(
            routes=[
                Route(path_of(provider.name), self._receive, methods=["POST"]),
                Route("/healthz", self._answer_health, methods=["GET"]),
            ]
        )

    async def _receive(self, request: Request) -> Response:
        status, result = await self._handle(request)
        self.counted[result] += 1
        return JSONResponse({"status": result}, status)

    async def _handle(self, request: Request) -> tuple[int, str]:
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                body = await _body(request)
            notice = await self._provider.parse_webhook(request.headers, body)
            addressed = None if notice is None else to_event(notice, self._health.transfer_of)
            if addressed is None:
                self._record(notice)
                return 200, "ignored"
            event_type = wire_name(addressed.event)
            msg_id = f"hook:{hashlib.sha256(body).hexdigest()}"
            await publish_event(
                self._bus, addressed.transfer_id, addressed.event, msg_id, deadline_s=PUBLISH_TIMEOUT_S
            )
            self._record(notice)
            log.info("webhook_received", transfer_id=addressed.transfer_id, event_type=event_type)
            return 200, "taken"
        except (TimeoutError, ClientDisconnect):
            return 408, "too_slow"
        except TooLarge:
            return 413, "too_large"
        except InvalidWebhookSignature:
            log.warning("webhook_signature_rejected")
            return 401, "forged"
        except InvalidRequest:
            return 400, "unreadable"
        except RetryableError as error:
            log.warning("webhook_deferred", cause=type(error).__name__)
            return 503, "put_off"

    def _record(self, notice: Notice | None) -> None:
        """Record that the provider reports this leg. A webhook counts once its event is stored."""
        if isinstance(notice, CallUpNotice | CallEndedNotice):
            self._health.webhook_received(notice.call_id, up=isinstance(notice, CallUpNotice))

    async def _answer_health(self, request: Request) -> Response:
        connected = self._bus.connected
        return JSONResponse({"ok": connected, "webhooks": dict(self.counted)}, 200 if connected else 503)


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise TooLarge
    return bytes(body)
