"""HTTP server for webhooks, on an address that is bound beforehand."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import uvicorn
from starlette.types import ASGIApp

from warmxfer.schemas import InvalidRequest

from .webhook_protocol import LimitedProtocol

BACKLOG = 256
MAX_CONCURRENT = 256
KEEP_ALIVE_S = 10
STOP_TIMEOUT_S = 2


class _WebhookServer(uvicorn.Server):
    """Uvicorn without signal handlers: the process handles signals itself."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bind(host: str, port: int) -> socket.socket:
    """Bind an address; port 0 takes any free port. Raises `InvalidRequest` if the address cannot be bound."""
    try:
        return socket.create_server((host, port), backlog=BACKLOG)
    except OSError as error:
        raise InvalidRequest(
            f"WARMXFER_WEBHOOK_PORT is {port}, which cannot be bound on {host} ({error.strerror}); "
            "give another port",
            field="WARMXFER_WEBHOOK_PORT",
        ) from error


def address_of(bound: socket.socket) -> str:
    """Return the base URL of a bound socket."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextlib.asynccontextmanager
async def serving(app: ASGIApp, bound: socket.socket) -> AsyncIterator[None]:
    """Serve `app` while the context is open. Connections queue from the moment the address is bound."""
    config = uvicorn.Config(
        app,
        http=LimitedProtocol,
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        proxy_headers=False,
        server_header=False,
        limit_concurrency=MAX_CONCURRENT,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=STOP_TIMEOUT_S,
    )
    server = _WebhookServer(config)
    running = asyncio.create_task(server.serve(sockets=[bound]), name="webhooks")
    try:
        yield
    finally:
        server.should_exit = True
        await asyncio.wait({running}, timeout=2 * STOP_TIMEOUT_S)
        running.cancel()
        bound.close()
