"""The sandbox as an HTTP server: binds a port, reports its base URL, serves until it is stopped."""

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from errno import EADDRNOTAVAIL
from typing import Any

import uvicorn
from starlette.applications import Starlette

from .api.app import create_app
from .limits import MAX_BODY_BYTES
from .settings import Settings

PING_INTERVAL_S = 5.0
PING_TIMEOUT_S = 5.0
KEEP_ALIVE_S = 30
STOP_TIMEOUT_S = 1
"""Maximum time for running requests when the server stops."""
BACKLOG = 1_024
MAX_PORT = 65_535


class CannotBind(ValueError):
    """The address cannot be bound. The message names the value, the reason and the remedy."""


async def serve(
    settings: Settings,
    host: str = "127.0.0.1",
    port: int = 0,
    ready: Callable[[str], None] | None = None,
    *,
    handle_signals: bool = True,
) -> None:
    """Serve until SIGTERM, SIGINT or cancellation.

    Call `ready(base_url)` once the server accepts connections. `port` 0 selects any free port.
    `handle_signals=False` leaves signals to the calling process; only cancellation then stops the server.
    Raises CannotBind if `host` or `port` cannot be bound.
    """
    listening_socket = _bind(host, port)
    base_url = f"http://{host}:{listening_socket.getsockname()[1]}"
    app = create_app(settings)
    server = _SandboxServer(_config(app), (lambda: ready(base_url)) if ready else None)
    app.state.abort_connection = server.abort_connection
    running = asyncio.get_running_loop().create_task(server.serve(sockets=[listening_socket]))
    signal_handling: AbstractContextManager[None] = (
        _stopped_by_signals(server) if handle_signals else nullcontext()
    )
    with signal_handling:
        try:
            await asyncio.shield(running)
        finally:
            server.should_exit = True
            await running
            listening_socket.close()


def _bind(host: str, port: int) -> socket.socket:
    """Return a bound socket.

    The socket names IPPROTO_TCP explicitly. Otherwise asyncio leaves Nagle's algorithm on, which delays every
    response by 40 ms.
    """
    if not 0 <= port <= MAX_PORT:
        raise CannotBind(f"port is {port}; give 0 to {MAX_PORT}")
    listening_socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening_socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening_socket.bind((host, port))
    except (OSError, UnicodeError) as error:
        listening_socket.close()
        raise CannotBind(_bind_error(host, port, error)) from error
    return listening_socket


def _bind_error(host: str, port: int, error: OSError | UnicodeError) -> str:
    reason = error.strerror if isinstance(error, OSError) else "no name"
    if not isinstance(error, OSError) or isinstance(error, socket.gaierror) or error.errno == EADDRNOTAVAIL:
        return (
            f"host is {host!r}, which is no address of this machine ({reason}); give one, such as 127.0.0.1"
        )
    return f"port is {port}, which cannot be bound ({reason}); give another, or 0 for any free port"


class _SandboxServer(uvicorn.Server):
    """Uvicorn server that calls `ready` after startup and leaves signals to serve()."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None] | None) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._ready is not None:
            self._ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def abort_connection(self, client: Any) -> None:
        """Abort the connection of this client address, without a response or a TCP close handshake."""
        for connection in list(self.server_state.connections):
            if getattr(connection, "client", None) == client:
                connection.transport.abort()


def _config(app: Starlette) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        backlog=BACKLOG,
        log_config=None,
        log_level="warning",  # at level info uvicorn logs the URL of every WebSocket, which holds the token
        access_log=False,
        lifespan="on",
        ws="websockets-sansio",
        ws_max_size=MAX_BODY_BYTES,
        ws_ping_interval=PING_INTERVAL_S,
        ws_ping_timeout=PING_TIMEOUT_S,
        ws_per_message_deflate=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=STOP_TIMEOUT_S,
    )


@contextmanager
def _stopped_by_signals(server: uvicorn.Server) -> Iterator[None]:
    """Stop the server on SIGTERM and SIGINT, while the context is active."""
    loop, signals = asyncio.get_running_loop(), (signal.SIGTERM, signal.SIGINT)

    def stop() -> None:
        server.should_exit = True

    for signal_number in signals:
        loop.add_signal_handler(signal_number, stop)
    try:
        yield
    finally:
        for signal_number in signals:
            loop.remove_signal_handler(signal_number)
