"""Bounded queue of room events: in order, for one reader, with an end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import structlog

from warmxfer.bus.small_queue import SmallQueue

from .room_client import Disconnected, DisconnectReason, RoomEvent

MAX_UNREAD_EVENTS: Final = 1_000

log = structlog.get_logger(__name__)


class RoomEventQueue:
    """The events of one room client: `RoomClient.events` returns `read`."""

    def __init__(self) -> None:
        self._unread = SmallQueue[RoomEvent | None](MAX_UNREAD_EVENTS + 2)
        self.over = False

    async def read(self) -> AsyncIterator[RoomEvent]:
        while (event := await self._unread.get()) is not None:
            yield event

    def put(self, event: RoomEvent) -> bool:
        """Queue `event`. Returns False if the queue has ended or the reader is too far behind."""
        if self.over:
            return False
        if len(self._unread) >= MAX_UNREAD_EVENTS:
            log.warning("room_events_overflowed", unread=MAX_UNREAD_EVENTS)
            return False
        self._unread.put_nowait(event)
        return True

    def end(self, reason: DisconnectReason | None) -> None:
        """End the queue; `reason`, if given, becomes the last event. Idempotent."""
        if self.over:
            return
        self.over = True
        if reason is not None:
            self._unread.put_nowait(Disconnected(reason))
        self._unread.put_nowait(None)
