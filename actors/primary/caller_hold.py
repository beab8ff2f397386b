"""Mutes the caller's input and plays the hold line.

Invariant: `release` always tries to unmute, even if the framework raises or hangs in earlier steps. Each
step has its own deadline. A step that fails does not prevent the next one.
"""

from __future__ import annotations

import asyncio

import structlog

from warmxfer.schemas import WarmxferError

from .named_tasks import NamedTasks
from .own_lines import OwnLines
from .session import Session, guarded_call

STEP_TIMEOUT_S = 2.0
LEAVE_TIMEOUT_S = 10.0
LINE_TIMEOUT_S = 60.0
"""A line of 500 characters takes about 35 s, and it starts after what is being said already."""

UNMUTE_TRIES = 3
UNMUTE_PAUSE_S = 0.2

log = structlog.get_logger(__name__)


class HoldFailed(WarmxferError):
    """The session could not be muted or kept open; the caller was released again."""


class CallerHold:
    """The steps of hold, release and leave for one session. The controller calls one step at a time."""

    def __init__(self, session: Session, tasks: NamedTasks) -> None:
        self._session = session
        self._tasks = tasks
        self.own_lines = OwnLines()

    async def enter(self) -> None:
        """Mute the caller, then suspend auto-end. Raises `HoldFailed` with both undone."""
        session = self._session
        if await guarded_call("mute", session.mute, STEP_TIMEOUT_S) and await guarded_call(
            "suspend_auto_end", session.suspend_auto_end, STEP_TIMEOUT_S
        ):
            return
        await self.release()
        raise HoldFailed("The session could not be muted or kept open; the caller talks with the AI again.")

    async def release(self, *, stay: bool = False) -> None:
        """Stop the line, restore auto-end unless `stay`, and unmute. Raises only its own cancellation."""
        try:
            await self.stop_line()
            if not stay:
                await self.restore_auto_end()
        finally:
            await self._unmute()

    async def restore_auto_end(self) -> None:
        """Let the session end by itself again."""
        await guarded_call("restore_auto_end", self._session.restore_auto_end, STEP_TIMEOUT_S)

    async def leave(self) -> None:
        """Take the session out of the call. Raises only its own cancellation."""
        await self.stop_line()
        await guarded_call("leave", self._session.leave, LEAVE_TIMEOUT_S)

    def say(self, text: str, *, interruptible: bool) -> None:
        """Start to speak `text` in a task. `stop_line` stops it."""
        self.own_lines.add(text)

        async def speak() -> None:
            await guarded_call(
                "say", lambda: self._session.say(text, interruptible=interruptible), LINE_TIMEOUT_S
            )

        self._tasks.start("line", speak())

    async def stop_line(self) -> None:
        """Stop the line that is being spoken, if there is one."""
        await self._tasks.stop("line")

    async def _unmute(self) -> None:
        for tries_left in reversed(range(UNMUTE_TRIES)):
            if await guarded_call("unmute", self._session.unmute, STEP_TIMEOUT_S):
                return
            if tries_left:
                await asyncio.sleep(UNMUTE_PAUSE_S)
        log.error("unmute_failed", room_id=self._session.room_id, tries=UNMUTE_TRIES)
