"""Webhook delivery: signed, with up to three attempts.

- Invariant: an address receives the events of one call or room in order.
- Invariant: delivery never delays the operation that caused the event. The operation only queues the event;
  one short-lived task per (address, call or room) sends that queue.

An address that failed last time gets one attempt instead of three. Its receiver may have died with hundreds
of events still queued.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, Final

import aiohttp
import msgspec
import structlog

from .clock import Clock, iso, now_s
from .errors import HttpError
from .faults import FaultRegistry
from .limits import MAX_PENDING_WEBHOOKS, MAX_WEBHOOKS
from .rooms.rooms import Room, RoomWebhook
from .settings import Settings
from .signing import sign

log = structlog.get_logger(__name__)

MAX_CONNECTIONS: Final = 100
"""Maximum number of connections to one address."""
REQUEST_TIMEOUT_S = 5.0
RETRY_DELAYS_S = (0.1, 0.5)
"""Delays before the second and the third attempt, in real seconds."""
REORDER_HOLD_S = 5.0
"""Maximum time that the fault `reorder` holds an event back while no later event comes."""


@dataclass(frozen=True, slots=True)
class Registration:
    """SIP webhook of the project. Empty `events` selects all events."""

    url: str
    events: tuple[str, ...]
    id: str = field(default_factory=lambda: secrets.token_hex(12))
    created_at_s: float = field(default_factory=now_s)

    def record(self) -> dict[str, Any]:
        at = iso(self.created_at_s)
        return {"id": self.id, "url": self.url, "events": list(self.events), "createdAt": at, "updatedAt": at}


@dataclass(frozen=True, slots=True)
class QueuedWebhook:
    """One webhook request that waits for delivery."""

    kind: str
    headers: Mapping[str, str]
    body: bytes


class WebhookSender:
    """Sends each event to the addresses that are registered for it."""

    def __init__(self, settings: Settings, clock: Clock, faults: FaultRegistry) -> None:
        self._settings = settings
        self._clock = clock
        self._faults = faults
        self._session: aiohttp.ClientSession | None = None
        self._registered: dict[str, Registration] = {}
        self._queues: dict[tuple[str, str], deque[QueuedWebhook]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._pending = 0
        self._failing_urls: set[str] = set()
        self.given_up = 0

    def register(self, url: str, events: tuple[str, ...]) -> Registration:
        """Send call events to `url` from now on. Raises HttpError 429 if too many webhooks are registered."""
        if len(self._registered) >= MAX_WEBHOOKS:
            raise HttpError(429, f"The project has {MAX_WEBHOOKS} webhooks: delete some.")
        registration = Registration(url, events)
        self._registered[registration.id] = registration
        return registration

    def registered(self) -> list[Registration]:
        return list(self._registered.values())

    def unregister(self, webhook_id: str) -> bool:
        """Remove a registration. Returns False if it does not exist."""
        return self._registered.pop(webhook_id, None) is not None

    def room_event(self, room: Room, kind: str, data: dict[str, Any]) -> None:
        """Queue an event of a room for the room's webhook and the project's webhook."""
        self._queue_for_all(room.id, kind, data, self._urls_of_room_event(kind, room))

    def call_event(self, call_id: str, room: Room | None, kind: str, data: dict[str, Any]) -> None:
        """Queue an event of a call for its room's webhook, the SIP webhooks and the project's webhook."""
        self._queue_for_all(call_id, kind, data, self._urls_of_call_event(kind, room))

    def wants_room_event(self, room: Room, kind: str) -> bool:
        """Return whether any address receives this event, so that its data need not be made otherwise."""
        return bool(self._urls_of_room_event(kind, room))

    def wants_call_event(self, room: Room | None, kind: str) -> bool:
        """Return whether any address receives this event, so that its data need not be made otherwise."""
        return bool(self._urls_of_call_event(kind, room))

    def clear(self) -> None:
        """Remove all registrations, and drop all queued events."""
        self._registered.clear()
        self._queues.clear()
        self._failing_urls.clear()
        self._pending = 0
        for task in self._tasks:
            task.cancel()

    async def close(self) -> None:
        """Drop all queued events and close all connections."""
        self.clear()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def _urls_of_room_event(self, kind: str, room: Room) -> list[str]:
        return _room_urls(kind, room.webhook) + self._project_urls()

    def _urls_of_call_event(self, kind: str, room: Room | None) -> list[str]:
        sip = [r.url for r in self._registered.values() if not r.events or kind in r.events]
        return _room_urls(kind, room.webhook if room else None) + sip + self._project_urls()

    def _project_urls(self) -> list[str]:
        return [self._settings.webhook_url] if self._settings.webhook_url else []

    def _queue_for_all(self, key: str, kind: str, data: dict[str, Any], urls: list[str]) -> None:
        if not urls:
            return
        body = msgspec.json.encode({"webhookType": kind, "data": data})
        headers = {"content-type": "application/json"}
        if self._settings.sign_webhooks:
            headers["videosdk-signature"] = sign(body)
        queued = QueuedWebhook(kind, headers, body)
        for url in dict.fromkeys(urls):
            self._queue(url, key, queued)

    def _queue(self, url: str, key: str, queued: QueuedWebhook) -> None:
        if self._pending >= MAX_PENDING_WEBHOOKS:
            self.given_up += 1
            return
        self._pending += 1
        queue = self._queues.get((url, key))
        if queue is not None:
            queue.append(queued)
            return
        queue = self._queues[url, key] = deque((queued,))
        task = asyncio.get_running_loop().create_task(self._send_queue(url, key, queue))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send_queue(self, url: str, key: str, queue: deque[QueuedWebhook]) -> None:
        """Send the events of one queue, oldest first, until it is empty."""
        while queue:
            queued = queue.popleft()
            self._pending -= 1
            fault = self._faults.for_webhook(queued.kind)
            match fault.kind if fault else None:
                case "drop":
                    continue
                case "reorder":
                    if not queue:
                        await self._clock.sleep(REORDER_HOLD_S)
                    if queue:
                        self._pending -= 1
                        await self._send(url, queue.popleft())
                case "delay" if fault:
                    await self._clock.sleep(fault.delay_s)
                case "duplicate":
                    await self._send(url, queued)
            await self._send(url, queued)
        if self._queues.get((url, key)) is queue:
            del self._queues[url, key]

    async def _send(self, url: str, queued: QueuedWebhook) -> None:
        if self._session is None:
            self._session = _new_session()
        cause = ""
        for delay_s in (None,) if url in self._failing_urls else (*RETRY_DELAYS_S, None):
            try:
                async with self._session.post(
                    url, data=queued.body, headers=queued.headers, allow_redirects=False
                ) as response:
                    if response.status < 500:
                        self._failing_urls.discard(url)
                        return
                    cause = f"status {response.status}"
            except (aiohttp.ClientError, TimeoutError) as error:
                cause = type(error).__name__
            if delay_s is not None:
                await asyncio.sleep(delay_s)
        self.given_up += 1
        if len(self._failing_urls) < MAX_WEBHOOKS:
            self._failing_urls.add(url)
        log.warning("webhook_given_up", webhook=queued.kind, cause=cause)


def _new_session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, limit_per_host=MAX_CONNECTIONS),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(total=REQUEST_TIMEOUT_S),
    )


def _room_urls(kind: str, webhook: RoomWebhook | None) -> list[str]:
    if webhook is None:
        return []
    return [webhook.url] if _is_selected(kind, webhook.patterns) else []


@lru_cache(maxsize=1_024)
def _is_selected(kind: str, patterns: tuple[str, ...]) -> bool:
    return not patterns or any(fnmatchcase(kind, pattern) for pattern in patterns)
