"""HTTP server for webhooks, on an address that is bound beforehand."""

from __future__ import annotations

import socket
from contextlib import AbstractAsyncContextManager

from starlette.types import ASGIApp

from warmxfer.schemas import InvalidRequest

from ..runtime.http_server import base_url, serving

BACKLOG = 256
MAX_CONCURRENT = 256


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
    return base_url(host, port)


def serving_webhooks(app: ASGIApp, bound: socket.socket) -> AbstractAsyncContextManager[None]:
    """Serve `app` while the context is open, within the limits of `http_server.serving`."""
    return serving(app, bound, "webhooks", max_concurrent=MAX_CONCURRENT)
