"""Findings about the servers of `NATS_URL`, if the broker does not answer: which of them take connections."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import closing

from warmxfer.actors.runtime.exit_codes import UNAVAILABLE

from .finding import Finding

CONNECT_S = 1.0
"""A server that runs takes a connection within milliseconds."""

Address = tuple[str, int]


async def server_findings(addresses: Sequence[Address]) -> list[Finding]:
    """Say which of several servers take connections. Without several there is nothing to add."""
    if len(addresses) < 2:
        return []
    taken = await asyncio.gather(*(_takes_connections(*each) for each in addresses))
    down = [each for each, takes in zip(addresses, taken, strict=True) if not takes]
    return [Finding("nats", "wrong", _sentence(len(addresses), down), UNAVAILABLE)]


def _sentence(count: int, down: Sequence[Address]) -> str:
    up = count - len(down)
    if not up:
        return f"None of the {count} servers takes connections; start them."
    again = "a cluster that has just lost a server answers again within seconds: run `warmxfer doctor` again"
    if not down:
        return f"All {count} servers take connections; {again}."
    named = ", ".join(f"{host}:{port}" for host, port in down)
    if 2 * up <= count:
        return f"{up} of {count} servers take connections, which is no majority; start {named}."
    return f"{up} of {count} servers take connections, and {named} does not; {again}, then start that server."


async def _takes_connections(host: str, port: int) -> bool:
    try:
        async with asyncio.timeout(CONNECT_S):
            _, writer = await asyncio.open_connection(host, port)
    except OSError:  # also a deadline that has passed
        return False
    with closing(writer):
        return True
