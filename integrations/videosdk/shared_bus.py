"""One bus connection for all sessions of a loop: the first session opens it, the last one closes it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakKeyDictionary

from warmxfer.bus import Bus, BusSettings

NAME = "voice-agent"


class _Shared:
    def __init__(self) -> None:
        self.connecting = asyncio.Lock()
        self.users = 0
        self.bus: Bus | None = None


_shared: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, _Shared]] = WeakKeyDictionary()


def settings_for(url: str | None) -> BusSettings:
    """Return the settings for `url`, default `NATS_URL`. Raises `InvalidRequest` if it is not an address."""
    return BusSettings.from_env({**os.environ, **({"NATS_URL": url} if url else {})})


@asynccontextmanager
async def shared_bus(url: str | None) -> AsyncIterator[Bus]:
    """Yield this loop's connection to `url`, default `NATS_URL`. Credentials come from the environment.

    Raises `Unavailable`, `AccessDenied` and `UnsupportedServer`, each with one sentence.
    """
    settings = settings_for(url)
    shared = _shared.setdefault(asyncio.get_running_loop(), {}).setdefault(settings.url, _Shared())
    async with shared.connecting:
        if shared.bus is None:
            shared.bus = await Bus.connect(settings, name=NAME)
        shared.users += 1
        bus = shared.bus
    try:
        yield bus
    finally:
        shared.users -= 1
        if shared.users == 0:
            shared.bus = None
            await bus.drain()
