"""Whether the session may end by itself: not during a transfer, and looked at again right after it.

The framework ends a session when its participants have left, but looks only at the moment they leave. A
caller who hung up on hold would otherwise leave a session that nobody ever ends.
"""

from __future__ import annotations

import asyncio
from typing import Any

import structlog

from warmxfer.adapters.rooms.videosdk.framework import room_of

from .participants import has_people

log = structlog.get_logger(__name__)


class AutoEnd:
    """The self-ending of one session's room. Suspending or restoring twice does nothing."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._suspended: Any = None
        self._ends_by_itself = False
        self._nobody_came_yet = False
        self._ending: asyncio.Task[None] | None = None

    def suspend(self) -> None:
        """Stay, whoever leaves."""
        room = room_of(self._session)
        if room is None or self._suspended is room:
            return
        self._suspended = room
        self._ends_by_itself = bool(getattr(room, "auto_end_session", False))
        room.auto_end_session = False
        # Without it a recorded participant who leaves ends the session, auto-end or not.
        room._transfer_in_progress = True
        room._cancel_session_end_task()
        self._nobody_came_yet = _stop_waiting(room)

    def restore(self) -> None:
        """Be as before, and end now when everybody has left meanwhile."""
        room, self._suspended = self._suspended, None
        if room is None or room is not room_of(self._session):
            return
        room._transfer_in_progress = False
        room.auto_end_session = self._ends_by_itself
        if has_people(room):
            return
        if self._nobody_came_yet:
            room._no_participant_timeout_task = asyncio.create_task(room._no_participant_timeout_handler())
        elif self._ends_by_itself:
            self._end(room)

    def _end(self, room: Any) -> None:
        log.info("session_ends_empty", room_id=getattr(room, "meeting_id", None))
        after_s = getattr(room, "session_timeout_seconds", None)
        if after_s:
            room._schedule_session_end(after_s)
        else:
            self._ending = asyncio.create_task(room._end_session("all_participants_left"))


def _stop_waiting(room: Any) -> bool:
    """Stop waiting for somebody to come at all; whether that was still waited for."""
    waiting = getattr(room, "_no_participant_timeout_task", None)
    if waiting is None or waiting.done():
        return False
    waiting.cancel()
    room._no_participant_timeout_task = None
    return True
