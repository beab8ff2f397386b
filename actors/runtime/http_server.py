"""HTTP server of an application, on a socket that is bound beforehand: webhooks, and the board."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import cast

import uvicorn
from starlette.types import ASGIApp

from .limited_protocol import LimitedProtocol, Peers

KEEP_ALIVE_S = 10
STOP_TIMEOUT_S = 2


class _Server(uvicorn.Server):
    """Uvicorn without signal handlers: the process handles signals itself."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def base_url(host: str, port: int) -> str:
    """Return the base URL of an address. An IPv6 host gets its brackets."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextlib.asynccontextmanager
async def serving(
    app: ASGIApp,
    bound: socket.socket,
    name: str,
    *,
    max_concurrent: int,
) -> AsyncIterator[None]:
    """Serve `app` while the context is open. Connections queue from the moment the address is bound.

    `name` is that of the task and of the server in the logs. Beyond `max_concurrent` requests at once the
    answer is 503. One address has at most half as many connections. The other limits are those of
    `limited_protocol.py`.
    """
    peers = Peers(name, max_concurrent // 2)
    config = uvicorn.Config(
        app,
        http=cast("type[asyncio.Protocol]", partial(LimitedProtocol, peers)),
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        proxy_headers=False,
        server_header=False,
        limit_concurrency=max_concurrent,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=STOP_TIMEOUT_S,
    )
    server = _Server(config)
    running = asyncio.create_task(server.serve(sockets=[bound]), name=name)
    try:
        yield
    finally:
        server.should_exit = True
        await asyncio.wait({running}, timeout=2 * STOP_TIMEOUT_S)
        running.cancel()
        bound.close()
