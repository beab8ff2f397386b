"""Publishes the events of one session: in order, through broker outages, each stored once.

Invariant: publishing never blocks the session. `enqueue` returns at once; one task publishes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from time import monotonic
from typing import NamedTuple

import structlog

from warmxfer import tracing
from warmxfer.bus import Bus, RetryableError, subjects
from warmxfer.schemas import Event, WarmxferError, encode

MAX_QUEUED_EVENTS = 256
MAX_AGE_S = 3_600.0
"""An event that could not be published for this long belongs to a transfer that has ended."""

PUBLISH_TIMEOUT_S = 5.0

log = structlog.get_logger(__name__)


class _QueuedEvent(NamedTuple):
    transfer_id: str
    event: Event
    msg_id: str
    queued_at: float
    headers: Mapping[str, str]


class EventQueue:
    """Queue of events to publish. Run `run` as a task; call `enqueue` from any coroutine of the loop."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._queue: asyncio.Queue[_QueuedEvent] = asyncio.Queue(MAX_QUEUED_EVENTS)

    def enqueue(self, transfer_id: str, event: Event, msg_id: str) -> None:
        """Queue `event` of the transfer, to be stored once per `msg_id`. A full queue drops it."""
        try:
            self._queue.put_nowait(_QueuedEvent(transfer_id, event, msg_id, monotonic(), tracing.headers()))
        except asyncio.QueueFull:
            log.error(
                "event_dropped", transfer_id=transfer_id, kind=type(event).__name__, limit=MAX_QUEUED_EVENTS
            )

    async def run(self) -> None:
        """Publish queued events until cancelled."""
        while True:
            queued = await self._queue.get()
            try:
                await self._publish(queued)
            except WarmxferError as error:
                log.error("event_refused", transfer_id=queued.transfer_id, error=str(error))
            except Exception as error:
                # A reason of the framework that cannot be encoded: the events behind it are published.
                log.error("event_refused", transfer_id=queued.transfer_id, error=type(error).__name__)
            finally:
                self._queue.task_done()

    async def drain(self, timeout_s: float) -> None:
        """Wait until all events are published, for at most `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._queue.join()
        except TimeoutError:
            log.warning("events_not_published", count=self._queue.qsize() + 1, timeout_s=timeout_s)

    async def _publish(self, queued: _QueuedEvent) -> None:
        subject, data = subjects.event(queued.transfer_id, "primary"), encode(queued.event)
        while monotonic() - queued.queued_at < MAX_AGE_S:
            try:
                await self._bus.publish(
                    subject,
                    data,
                    msg_id=queued.msg_id,
                    headers=queued.headers,
                    deadline_s=PUBLISH_TIMEOUT_S,
                )
                return
            except RetryableError as error:
                await asyncio.sleep(error.after_s)
        log.error("event_expired", transfer_id=queued.transfer_id, kind=type(queued.event).__name__)
