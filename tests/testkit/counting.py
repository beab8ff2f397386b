"""A handler for workers that counts how its calls end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from warmxfer.bus import Delivery


class CountingHandler:
    """Calls `handler` for each delivery. `done` counts the calls that return, `failed` those that raise."""

    def __init__(self, handler: Callable[[Delivery], Awaitable[None]]) -> None:
        self._handler = handler
        self.done = 0
        self.failed = 0

    async def __call__(self, delivery: Delivery) -> None:
        try:
            await self._handler(delivery)
        except BaseException:
            self.failed += 1
            raise
        self.done += 1
