"""A briefing pipeline that is made before a phone rings.

A pipeline that cannot be made is then known early, in the process of the user whose function makes it. The
prebuilt pipeline is the one that briefs; if no briefing follows, it is closed. Making it blocks the loop.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from typing import Any, Final

import structlog

from warmxfer.adapters.rooms.videosdk.framework import enter_session_scope_without_job
from warmxfer.adapters.rooms.videosdk.framework_patches import without_gc_collect

CLOSE_TIMEOUT_S: Final = 2.0

Close = Callable[[], Coroutine[Any, Any, None]]
Make = Callable[[list[Close]], Any]
"""Makes a pipeline. Appends to the list how to close each part as soon as it is made."""

log = structlog.get_logger(__name__)


class PrebuiltPipeline:
    """Pipelines from `make`, the first one made early, in the scope of a new session."""

    def __init__(self, make: Make) -> None:
        self.scope = contextvars.copy_context()
        self.scope.run(enter_session_scope_without_job)
        self._make = make
        self._first: Any = None
        self._closes: list[Close] = []

    def prepare(self) -> Any:
        """Make the first pipeline. Raises what `make` raises."""
        self._first = self.scope.run(self._make, self._closes)
        return self._first

    def take(self) -> Any:
        """Return the prebuilt pipeline; later calls make a new one. The caller of `take` closes it.

        So the user's function is called again only for a room that was joined and lost.
        """
        first, self._first = self._first, None
        if first is None:
            return self._make([])
        self._closes.clear()
        return first

    def give_back(self, pipeline: Any) -> None:
        """Take back a pipeline that was not used. The next `take` returns it."""
        self._first = pipeline
        self._closes.append(pipeline.cleanup)

    async def close(self) -> None:
        """Close what was made and not taken. Gives up after `CLOSE_TIMEOUT_S`."""
        if self._closes:
            await asyncio.create_task(_close_all(self._closes), context=self.scope)


async def _close_all(closes: list[Close]) -> None:
    with without_gc_collect():
        tasks = [asyncio.create_task(close()) for close in closes]
        late = (await asyncio.wait(tasks, timeout=CLOSE_TIMEOUT_S))[1]
    for task in tasks:
        if task in late:
            task.cancel()
            log.warning("pipeline_part_close_failed", timeout_s=CLOSE_TIMEOUT_S)
        elif task.cancelled():
            log.warning("pipeline_part_close_failed", error="CancelledError")
        elif error := task.exception():
            log.warning("pipeline_part_close_failed", error=type(error).__name__)
