"""Auto-end of a session: off during a transfer, checked again right after it.

The framework ends a session when its participants have left, but checks this only at the moment they leave.
Without the second check, a caller who hung up on hold would leave a session that never ends.
"""

from __future__ import annotations

import asyncio
from typing import Any

import structlog

from warmxfer.adapters.rooms.videosdk.framework import (
    cancel_session_end,
    end_session,
    room_of,
    schedule_session_end,
    set_room_transferring,
    stop_waiting_for_first_participant,
    wait_for_first_participant,
)

from .participants import has_people

log = structlog.get_logger(__name__)


class AutoEnd:
    """Auto-end of one session's room. `suspend` and `restore` are idempotent."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._suspended_room: Any = None
        self._was_enabled = False
        self._was_waiting = False
        self._ending: asyncio.Task[None] | None = None

    def suspend(self) -> None:
        """Keep the session, whichever participants leave."""
        room = room_of(self._session)
        if room is None or self._suspended_room is room:
            return
        self._suspended_room = room
        self._was_enabled = bool(getattr(room, "auto_end_session", False))
        room.auto_end_session = False
        set_room_transferring(room, True)
        cancel_session_end(room)
        self._was_waiting = stop_waiting_for_first_participant(room)

    def restore(self) -> None:
        """Restore the setting from before `suspend`; end the session now if it is empty."""
        room, self._suspended_room = self._suspended_room, None
        if room is None or room is not room_of(self._session):
            return
        set_room_transferring(room, False)
        room.auto_end_session = self._was_enabled
        if has_people(room):
            return
        if self._was_waiting:
            wait_for_first_participant(room)
        elif self._was_enabled:
            self._end(room)

    def _end(self, room: Any) -> None:
        log.info("empty_session_ended", room_id=getattr(room, "meeting_id", None))
        after_s = getattr(room, "session_timeout_seconds", None)
        if after_s:
            schedule_session_end(room, after_s)
        else:
            self._ending = asyncio.create_task(end_session(room))
