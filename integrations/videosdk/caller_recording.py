"""The caller's recording, closed before the caller is moved out of the room it belongs to.

After the move the provider knows no such recording any more, and the file is lost to the merge. It is
closed when the briefing begins, while the caller hears nothing but the hold, and not beside the switch,
where it would race with it. A caller who comes back is recorded again.
"""

from __future__ import annotations

import asyncio
from typing import Any

import structlog

from warmxfer.adapters.rooms.videosdk.framework import room_of

CLOSE_TIMEOUT_S = 8.0

log = structlog.get_logger(__name__)


class CallerRecordings:
    """The recordings of the people in one session's room, without the agent's own."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._closed: set[str] = set()

    async def close(self) -> None:
        """Close them; late or failing ones are logged and left to the provider."""
        room = room_of(self._session)
        if not getattr(room, "recording", False):
            return
        own = getattr(getattr(room.meeting, "local_participant", None), "id", None)
        for id in set(room.recorded_participants) - {own} - self._closed:
            self._closed.add(id)
            try:
                async with asyncio.timeout(CLOSE_TIMEOUT_S):
                    await _close(room, id)
            except TimeoutError:
                log.error("recording_not_closed", participant_id=id, timeout_s=CLOSE_TIMEOUT_S)

    async def resume(self) -> None:
        """Record those who are still here again."""
        room, closed = room_of(self._session), self._closed
        self._closed = set()
        present = getattr(getattr(room, "meeting", None), "participants", None) or {}
        for id in closed & set(present):
            await room._start_base_recording_for_participant(id, present[id])


async def _close(room: Any, id: str) -> None:
    if room.record_audio is None:
        await room.recording_manager.stop_participant_recording(id)
    else:
        for kind in sorted(room._track_recordings_kinds_by_participant.get(id) or {"audio"}):
            await room.recording_manager.stop_track_recording(id, kind)
    room._track_recordings_kinds_by_participant.pop(id, None)
    log.info("recording_closed", participant_id=id)
