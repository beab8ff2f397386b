"""HTTP server of the board, on an address that is bound beforehand."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import uvicorn
from starlette.types import ASGIApp

from warmxfer.schemas import InvalidRequest

MAX_CONCURRENT = 128
BACKLOG = 64
KEEP_ALIVE_S = 10
STOP_TIMEOUT_S = 2
OWN_ADDRESSES: dict[str, str] = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Where to reach a server that listens on all addresses."""


class _Server(uvicorn.Server):
    """Uvicorn without signal handlers: the command handles signals itself."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bind(host: str, port: int, option: str) -> socket.socket:
    """Bind an address; port 0 takes any free port. Raises `InvalidRequest`, which names the option."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise InvalidRequest(
            f"{option} is {port}, which cannot be bound on {host} ({error.strerror}); "
            "give another port, or 0 for any free port",
            field=option,
        ) from error


def address_of(bound: socket.socket) -> str:
    """Return the base URL of a bound socket, as this machine reaches it."""
    bound_host, port = bound.getsockname()[:2]
    host = OWN_ADDRESSES.get(str(bound_host), str(bound_host))
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextlib.asynccontextmanager
async def serving(app: ASGIApp, bound: socket.socket) -> AsyncIterator[None]:
    """Serve `app` while the context is open. Connections queue from the moment the address is bound."""
    config = uvicorn.Config(
        app,
        http="h11",
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
    server = _Server(config)
    running = asyncio.create_task(server.serve(sockets=[bound]), name="board")
    try:
        yield
    finally:
        server.should_exit = True
        await asyncio.wait({running}, timeout=2 * STOP_TIMEOUT_S)
        running.cancel()
        bound.close()
