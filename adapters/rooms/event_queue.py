"""What happens in a room, on its way to the one who reads it: bounded, in order, with an end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import structlog

from .room_client import Disconnected, DisconnectReason, RoomEvent

MAX_UNREAD_EVENTS: Final = 1_000

log = structlog.get_logger(__name__)


class RoomEventQueue:
    """`Voice.events`: filled by one presence, read by one reader."""

    def __init__(self) -> None:
        self._unread: asyncio.Queue[RoomEvent | None] = asyncio.Queue(MAX_UNREAD_EVENTS + 2)
        self.over = False

    async def read(self) -> AsyncIterator[RoomEvent]:
        while (event := await self._unread.get()) is not None:
            yield event

    def put(self, event: RoomEvent) -> bool:
        """Queue `event`; False when it is over, or the reader has fallen too far behind."""
        if self.over:
            return False
        if self._unread.qsize() >= MAX_UNREAD_EVENTS:
            log.warning("room_events_overflowed", unread=MAX_UNREAD_EVENTS)
            return False
        self._unread.put_nowait(event)
        return True

    def end(self, reason: DisconnectReason | None) -> None:
        """The last event, if the room ended it; nothing is told after it. Twice: nothing happens."""
        if self.over:
            return
        self.over = True
        if reason is not None:
            self._unread.put_nowait(Disconnected(reason))
        self._unread.put_nowait(None)
