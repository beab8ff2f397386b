"""A connection to the broker of a stack by a plain NATS client, as an attacker with a password has it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import nats

from tests.testkit.secured_broker import User
from warmxfer.bus.credentials import tls as tls_context
from warmxfer.cli.local_stack.stack import LocalStack


@asynccontextmanager
async def plain_user(stack: LocalStack, user: str) -> AsyncIterator[User]:
    """Connect as `user`. The broker's complaints are in `violations`."""
    settings = stack.settings(user)
    found: list[str] = []

    async def on_error(error: Exception) -> None:
        found.append(str(error))

    client = await nats.connect(
        stack.url_of(user),
        inbox_prefix=settings.inbox.encode(),
        connect_timeout=5,
        tls=tls_context(settings),
        error_cb=on_error,
    )
    try:
        yield User(user, client, found)
    finally:
        await client.close()
