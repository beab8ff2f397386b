"""One board: its connection to the broker, the feed and the web server together."""

from __future__ import annotations

import asyncio
import importlib.metadata
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import NamedTuple

from msgspec import Struct

from warmxfer.actors.runtime.http_server import serving
from warmxfer.bus import Bus, BusSettings

from .access import Access
from .content import Content, Settings
from .feed import Feed
from .web_app import BoardApp
from .web_server import MAX_CONCURRENT, address_of, bind

CONNECT_DEADLINE_S = 2.0


class BoardOptions(Struct, frozen=True, kw_only=True):
    """How one board is served."""

    token: str
    host: str = "127.0.0.1"
    port: int = 0
    port_option: str = "--port"
    """The option that an error about the port names."""
    actions: bool = False
    wait_target_s: float = 60.0


class RunningBoard(NamedTuple):
    """A board that is served. `ended` returns, or raises, if it stops by itself."""

    address: str
    """Its URL without the token."""
    link: str
    """Its URL with the token."""
    ended: Awaitable[None]


@asynccontextmanager
async def running_board(settings: BusSettings, options: BoardOptions) -> AsyncIterator[RunningBoard]:
    """Serve a board while the context is open.

    Raises `Unavailable` and `AccessDenied` of the broker, and `InvalidRequest` if the port cannot be bound.
    """
    async with await Bus.connect(settings, name="warmxfer-board", deadline_s=CONNECT_DEADLINE_S) as bus:
        bound = bind(options.host, options.port, options.port_option)
        shown = Settings(
            actions=options.actions,
            wait_target_s=options.wait_target_s,
            version=importlib.metadata.version("warmxfer"),
        )
        content = Content(shown, time.time, lambda: bus.connected)
        access = Access(options.token, bound.getsockname()[1])
        feeding = asyncio.create_task(Feed(bus, content).run(), name="board feed")
        try:
            app = BoardApp(bus, content, access).app
            async with serving(app, bound, "board", max_concurrent=MAX_CONCURRENT):
                address = address_of(bound)
                try:
                    yield RunningBoard(address, f"{address}/?token={options.token}", asyncio.shield(feeding))
                finally:
                    content.close()
        finally:
            feeding.cancel()
            await asyncio.wait({feeding})
