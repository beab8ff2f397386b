"""Ports of loopback for servers that must know each other's ports before they start."""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack
from pathlib import Path

from .embedded_server import HOST
from .errors import RetryableError

_OUTGOING = Path("/proc/sys/net/ipv4/ip_local_port_range")
_FIRST, _OUTGOING_UNLESS_SAID = 10_000, 32_768
MAX_TRIES = 1_000


def free_ports(count: int) -> list[int]:
    """Return so many ports that were free a moment ago.

    They are below those that the system gives to outgoing connections, which could take one before its server
    starts. Raises RetryableError if it finds none.
    """
    ports: list[int] = []
    numbers, end = random.SystemRandom(), _first_outgoing()
    with ExitStack() as held:
        for _ in range(MAX_TRIES):
            if len(ports) == count:
                return ports
            port = numbers.randrange(_FIRST, end)
            try:
                held.enter_context(socket.socket()).bind((HOST, port))
            except OSError:
                continue
            ports.append(port)
    raise RetryableError(f"No {count} free ports of {HOST} were found in {MAX_TRIES} tries")


def _first_outgoing() -> int:
    try:
        return max(_FIRST + 1, int(_OUTGOING.read_text().split()[0]))
    except OSError:
        return _OUTGOING_UNLESS_SAID
