"""A broker with users and permissions as `warmxfer permissions` writes them, with passwords of its own."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import nats
from nats.aio.client import Client as NatsClient

from warmxfer.bus import Bus, BusSettings, EmbeddedServer
from warmxfer.bus.permission_file import DEFAULT_TENANT, Login, accounts, login_name
from warmxfer.bus.subject_table import USERS
from warmxfer.cli.local_stack.certificates import StackCertificates

ROOT = "root"
"""A user of the streams' account without limits: what the tests look with."""


@dataclass
class User:
    """One user's connection, and the violations that the broker reported to it."""

    name: str
    client: NatsClient
    violations: list[str] = field(default_factory=list[str])

    async def is_refused(self, subject: str, data: bytes = b"", reply: str = "") -> bool:
        """Publish, and return whether the broker refused it."""
        self.violations.clear()
        await self.client.publish(subject, data, reply=reply)
        await self.sent()
        return bool(self.violations)

    async def sent(self) -> None:
        """Return when the broker has handled what was sent, and its complaints are in `violations`."""
        for _ in range(2):  # nats-py sends a PING past what is pending.
            await self.client.flush()


@dataclass
class SecuredBroker:
    """A running server. `passwords` has one for each user of each tenant, by its name at the broker."""

    server: EmbeddedServer
    passwords: dict[str, str]
    certificates: StackCertificates | None = None

    def settings(self, user: str, tenant: str = DEFAULT_TENANT, **more: object) -> BusSettings:
        """Return the settings with which `user` connects."""
        name = login_name(user, tenant)
        own = self.certificates
        files = {"ca": own.authority, "cert": own.client_cert, "key": own.client_key} if own else {}
        login = {"url": self.server.url, "user": name, "password": self.passwords[name]}
        return BusSettings(**{**login, **files, **more})  # pyright: ignore[reportArgumentType]

    @asynccontextmanager
    async def user(self, user: str, tenant: str = DEFAULT_TENANT) -> AsyncIterator[User]:
        """Connect as `user` with a plain NATS client."""
        settings = self.settings(user, tenant)
        found: list[str] = []

        async def on_error(error: Exception) -> None:
            found.append(str(error))

        client = await nats.connect(
            self.server.url,
            user=settings.user,
            password=settings.password,
            inbox_prefix=settings.inbox.encode(),
            error_cb=on_error,
        )
        try:
            yield User(user, client, found)
        finally:
            await client.close()


@asynccontextmanager
async def secured_broker(
    *tenants: str, certificates: StackCertificates | None = None
) -> AsyncIterator[SecuredBroker]:
    """Start a broker for these tenants (default: one), and create the streams of each as `deploy`.

    With `certificates` every connection is mutual TLS.
    """
    names = tenants or (DEFAULT_TENANT,)
    passwords = {
        login_name(user, tenant): secrets.token_hex(12) for tenant in names for user in (*USERS, ROOT)
    }
    text = ""
    logins = {
        tenant: {user: Login(password=passwords[login_name(user, tenant)]) for user in USERS}
        for tenant in names
    }
    if len(names) == 1:
        root = login_name(ROOT, names[0])
        text = accounts(logins, more_users={root: passwords[root]})
    else:
        text = accounts(logins)
    tls = certificates.server_tls() if certificates else None
    async with EmbeddedServer(accounts=text, tls=tls) as server:
        broker = SecuredBroker(server, passwords, certificates)
        for tenant in names:
            async with await Bus.connect(broker.settings("deploy", tenant), name="deploy") as bus:
                await bus.ensure()
        yield broker
