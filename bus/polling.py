"""When to look at what is stored, for whoever acts on what a subject holds and hears it live too.

    async with aclosing(looks(bus)) as again:
        async for _ in again:
            await catch_up(await bus.last(subject))

One look on beginning to listen is not enough. The broker hands a message to its hearers before it stores it:
what was on its way when we subscribed was not handed to us, and is not stored yet when we look. Its writer
repeats it until it is stored, so looking again a moment later finds it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from typing import Final

from . import Bus

SOON_S: Final = 0.25
LATE_S: Final = 30.0


def growing_pauses(longest_s: float) -> Iterator[float]:
    """How long to listen between two looks, in seconds: `SOON_S`, then ever longer, for ever."""
    pause_s = SOON_S
    while True:
        yield pause_s
        pause_s = min(2 * pause_s, longest_s)


async def poll_ticks(bus: Bus) -> AsyncGenerator[None, None]:
    """It is time to look: now, then after ever longer pauses, and after a reconnect as at the beginning."""
    reconnected = asyncio.Event()

    async def note() -> None:
        reconnected.set()

    forget = bus.on_reconnect(note)
    try:
        pause_s = growing_pauses(LATE_S)
        while True:
            yield
            try:
                async with asyncio.timeout(next(pause_s)):
                    await reconnected.wait()
            except TimeoutError:
                continue
            reconnected.clear()
            pause_s = growing_pauses(LATE_S)
    finally:
        forget()
