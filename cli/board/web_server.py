"""The address of the board: bound beforehand, so that a taken port is one sentence."""

from __future__ import annotations

import socket

from warmxfer.actors.runtime.http_server import base_url
from warmxfer.schemas import InvalidRequest

MAX_CONCURRENT = 128
BACKLOG = 64
OWN_ADDRESSES: dict[str, str] = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Where to reach a server that listens on all addresses."""


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
    return base_url(host, port)
