"""The sandbox as an HTTP server: binds a port, reports its base URL, serves until it is stopped."""

import asyncio
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from errno import EADDRNOTAVAIL

from aiohttp import web

from .api.app import create_app
from .cloud import Cloud
from .settings import Settings
from .signing import public_key_pem

KEEP_ALIVE_S = 30.0
"""Maximum time without a request before a connection is closed."""
STOP_TIMEOUT_S = 1.0
"""Maximum time for running requests when the server stops."""
BACKLOG = 4_096
MAX_PORT = 65_535


class CannotBind(ValueError):
    """The address cannot be bound. The message names the value, the reason and the remedy."""


async def serve(
    settings: Settings,
    host: str = "127.0.0.1",
    port: int = 0,
    ready: Callable[[str], None] | None = None,
    *,
    tls: ssl.SSLContext | None = None,
    handle_signals: bool = True,
) -> None:
    """Serve until SIGTERM, SIGINT, SIGHUP or cancellation. With `tls`, by HTTPS.

    Call `ready(base_url)` once the server accepts connections. `port` 0 selects any free port.
    `handle_signals=False` leaves signals to the calling process; only cancellation then stops the server.
    Raises CannotBind if `host` or `port` cannot be bound.
    """
    listening_socket = _bind(host, port)
    base_url = f"{'https' if tls else 'http'}://{host}:{listening_socket.getsockname()[1]}"
    if settings.sign_webhooks:
        public_key_pem()  # the first use makes the key, which takes a moment
    cloud = Cloud(settings)
    runner = web.AppRunner(
        create_app(cloud),
        access_log=None,
        keepalive_timeout=KEEP_ALIVE_S,
        shutdown_timeout=STOP_TIMEOUT_S,
        auto_decompress=False,  # a body of 64 KB would become 64 MB before any limit is checked
    )
    stopped = asyncio.Event()
    signal_handling: AbstractContextManager[None] = (
        _stopped_by_signals(stopped) if handle_signals else nullcontext()
    )
    with signal_handling:
        try:
            await runner.setup()
            await web.SockSite(runner, listening_socket, backlog=BACKLOG, ssl_context=tls).start()
            if ready is not None:
                ready(base_url)
            await stopped.wait()
        finally:
            await runner.cleanup()
            await cloud.close()
            listening_socket.close()


def _bind(host: str, port: int) -> socket.socket:
    """Return a bound socket.

    The socket names IPPROTO_TCP explicitly. Otherwise asyncio leaves Nagle's algorithm on, which delays every
    response by 40 ms.
    """
    if not host:
        raise CannotBind("host is empty; give an address such as 127.0.0.1, or 0.0.0.0 for every interface")
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


@contextmanager
def _stopped_by_signals(stopped: asyncio.Event) -> Iterator[None]:
    """Set `stopped` on SIGTERM, SIGINT and SIGHUP, while the context is active."""
    loop, signals = asyncio.get_running_loop(), [signal.SIGTERM, signal.SIGINT]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup
        signals.append(signal.SIGHUP)
    for signal_number in signals:
        loop.add_signal_handler(signal_number, stopped.set)
    try:
        yield
    finally:
        for signal_number in signals:
            loop.remove_signal_handler(signal_number)
