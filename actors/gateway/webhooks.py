"""HTTP endpoint for provider webhooks: publishes each relevant notice as an event.

    POST /webhooks/<provider>    200 after the event is stored, or if the notice is irrelevant, a repeat,
                                 too old, or an end that the provider does not confirm yet;
                                 400 unreadable, 401 bad signature, 408 too slow, 413 too large;
                                 503 broker or signing key unreachable: the provider sends it again
    GET  /healthz                200 while the bus is connected, with a counter for each result

- Invariant: the same body twice is one event. The hash of the body is the message id, and a repeat that the
  broker would not notice any more is dropped here (`seen_webhooks.py`).
- Invariant: a webhook is a hint. No irreversible action follows from a webhook alone: a reported end is
  confirmed at the provider first (`webhook_confirmation.py`).
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
    StaleWebhook,
)
from warmxfer.bus import Budget, Bus
from warmxfer.schemas import InvalidRequest, RetryableError

from ..common.command_replies import publish_event, wire_name
from .seen_webhooks import SeenWebhooks
from .webhook_confirmation import EndConfirmation
from .webhook_events import TransferEvent, to_event
from .webhook_health import WebhookHealth

MAX_BODY_BYTES = 64 * 1024
BODY_TIMEOUT_S = 5.0
PUBLISH_TIMEOUT_S = 3.0
LOG_BURST, LOG_PER_S = 20, 1.0
"""Log lines about webhooks that are not taken."""

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
        self._seen = SeenWebhooks()
        self._ends = EndConfirmation(provider)
        self._log_budget = Budget(LOG_BURST, LOG_PER_S)
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
            body_hash = hashlib.sha256(body).hexdigest()
            if (addressed.transfer_id, body_hash) in self._seen:
                return 200, "repeated"

            async def publish() -> None:
                await self._publish(addressed, notice, body_hash)

            if not await self._ends.confirm(addressed.transfer_id, addressed.event, publish):
                self._seen.add(addressed.transfer_id, body_hash)
                return 200, "unconfirmed"
            await publish()
            return 200, "taken"
        except (TimeoutError, ClientDisconnect):
            return 408, "too_slow"
        except TooLarge:
            return 413, "too_large"
        except InvalidWebhookSignature:
            self._warn("webhook_signature_rejected", request)
            return 401, "forged"
        except StaleWebhook:
            self._warn("webhook_too_old", request)
            return 200, "too_old"
        except InvalidRequest as error:
            self._warn("webhook_unreadable", request, why=str(error))
            return 400, "unreadable"
        except RetryableError as error:
            log.warning("webhook_deferred", cause=type(error).__name__)
            return 503, "put_off"

    async def _publish(self, addressed: TransferEvent, notice: Notice | None, body_hash: str) -> None:
        await publish_event(
            self._bus,
            addressed.transfer_id,
            addressed.event,
            f"hook:{body_hash}",
            role="gateway",
            deadline_s=PUBLISH_TIMEOUT_S,
        )
        self._seen.add(addressed.transfer_id, body_hash)
        self._record(notice)
        log.info("webhook_received", transfer_id=addressed.transfer_id, event_type=wire_name(addressed.event))

    def _warn(self, event: str, request: Request, **more: str) -> None:
        """Log a webhook that is not taken, with its sender. In a flood only some are logged."""
        if self._log_budget.take(asyncio.get_running_loop().time()):
            log.warning(event, peer=request.client.host if request.client else "", **more)

    async def aclose(self) -> None:
        """Stop confirming reported ends."""
        await self._ends.aclose()

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
