"""When to read a subject again, for code that reads stored messages and subscribes to new ones.

    async with aclosing(poll_ticks(bus)) as ticks:
        async for _ in ticks:
            await catch_up(await bus.get_last(subject))

One read after subscribing is not enough. The broker sends a message to its subscribers before it stores it. A
message in transit while we subscribe is not received, and the first read does not find it yet. Its writer
repeats it until it is stored, so a read a moment later finds it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from typing import Final

from . import Bus

FIRST_PAUSE_S: Final = 0.25
LONGEST_PAUSE_S: Final = 30.0


def growing_pauses(longest_s: float) -> Iterator[float]:
    """Yield the seconds between two reads, without end: `FIRST_PAUSE_S`, then doubled up to `longest_s`."""
    pause_s = FIRST_PAUSE_S
    while True:
        yield pause_s
        pause_s = min(2 * pause_s, longest_s)


async def poll_ticks(bus: Bus) -> AsyncGenerator[None, None]:
    """Yield when it is time to read: now, then after growing pauses. A reconnect starts again from now."""
    reconnected = asyncio.Event()

    async def on_reconnect() -> None:
        reconnected.set()

    unregister = bus.on_reconnect(on_reconnect)
    try:
        pause_s = growing_pauses(LONGEST_PAUSE_S)
        while True:
            yield
            try:
                async with asyncio.timeout(next(pause_s)):
                    await reconnected.wait()
            except TimeoutError:
                continue
            reconnected.clear()
            pause_s = growing_pauses(LONGEST_PAUSE_S)
    finally:
        unregister()
