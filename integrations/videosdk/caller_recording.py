"""Stops the caller's recording before the caller is moved to another room.

After the move the provider no longer knows the recording, and its file is missing from the merge. It is
stopped when the briefing begins, while the caller is on hold. Stopping it beside the switch would be a race.
A caller who returns is recorded again.
"""

from __future__ import annotations

import asyncio
from typing import Any

import structlog

from warmxfer.adapters.rooms.videosdk.framework import (
    participants_of,
    room_of,
    start_recording,
    stop_recording,
)

STOP_TIMEOUT_S = 8.0
"""Limits the provider's reply for each participant."""

log = structlog.get_logger(__name__)


class CallerRecordings:
    """The recordings of the participants in one session's room, except the agent's own."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._stopped: set[str] = set()

    async def stop(self) -> None:
        """Stop them. A stop that takes too long is logged and left to the provider."""
        room = room_of(self._session)
        if not getattr(room, "recording", False):
            return
        own_id = getattr(getattr(room.meeting, "local_participant", None), "id", None)
        for id in set(room.recorded_participants) - {own_id} - self._stopped:
            self._stopped.add(id)
            try:
                async with asyncio.timeout(STOP_TIMEOUT_S):
                    await stop_recording(room, id)
            except TimeoutError:
                log.error("recording_stop_failed", participant_id=id, timeout_s=STOP_TIMEOUT_S)
            else:
                log.info("recording_stopped", participant_id=id)

    async def resume(self) -> None:
        """Record the participants again who are still in the room."""
        room, stopped = room_of(self._session), self._stopped
        self._stopped = set()
        present = participants_of(room)
        for id in stopped & set(present):
            await start_recording(room, id, present[id])
