"""A pipeline that is made before anybody is rung, for the briefing that follows.

Whether it can be made is known then, in the process of the one whose mistake it is. It is the pipeline that
briefs; where it comes to no briefing, it is closed again. Making blocks the loop for as long as it takes.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from typing import Any, Final

import structlog

from warmxfer.adapters.rooms.videosdk.framework import enter_session_scope
from warmxfer.adapters.rooms.videosdk.gc_guard import without_gc_collect

CLOSE_TIMEOUT_S: Final = 2.0

Stop = Callable[[], Coroutine[Any, Any, None]]
Make = Callable[[list[Stop]], Any]
"""Makes a pipeline; adds to the list how to close what it has made, as soon as it has."""

log = structlog.get_logger(__name__)


class PrebuiltPipeline:
    """What `make` makes, the first one ahead, in a session of the framework's that is yet to begin."""

    def __init__(self, make: Make) -> None:
        self.scope = contextvars.copy_context()
        self.scope.run(enter_session_scope)
        self._make = make
        self._first: Any = None
        self._stops: list[Stop] = []

    def prepare(self) -> Any:
        """Make the first; raises what `make` raises."""
        self._first = self.scope.run(self._make, self._stops)
        return self._first

    def take(self) -> Any:
        """The one that was made ahead; from then on a new one each time. The taker closes it."""
        first, self._first = self._first, None
        if first is None:
            return self._make([])
        self._stops.clear()
        return first

    async def close(self) -> None:
        """Close what was made and never taken; whatever hangs is given up after `CLOSE_TIMEOUT_S`."""
        if self._stops:
            await asyncio.create_task(_close(self._stops), context=self.scope)


async def _close(stops: list[Stop]) -> None:
    with without_gc_collect():
        closings = [asyncio.create_task(stop()) for stop in stops]
        late = (await asyncio.wait(closings, timeout=CLOSE_TIMEOUT_S))[1]
    for task in closings:
        if task in late:
            task.cancel()
            log.warning("part_not_closed", timeout_s=CLOSE_TIMEOUT_S)
        elif error := task.exception():
            log.warning("part_not_closed", error=type(error).__name__)
