"""A cluster of three servers with users and permissions as `warmxfer permissions` writes them."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

from tests.testkit.secured_broker import SecuredBroker
from warmxfer.bus import Bus, BusSettings, EmbeddedServer, RetryableError
from warmxfer.bus.free_ports import free_ports
from warmxfer.bus.permission_file import CLUSTER, DEFAULT_TENANT, Login, accounts, login_name, routes
from warmxfer.bus.subject_table import USERS

SERVERS = 3
LEADER_S = 60.0


class SecuredCluster:
    """Three servers that run, and the passwords of each tenant's users."""

    def __init__(self, servers: list[EmbeddedServer], passwords: dict[str, str], ack_wait_s: float) -> None:
        self.servers = servers
        self._ack_wait_s = ack_wait_s
        self._broker = SecuredBroker(servers[0], passwords)

    def settings(self, user: str, server: int, tenant: str = DEFAULT_TENANT) -> BusSettings:
        """Return the settings with which `user` of `tenant` connects to one of the servers."""
        settings = self._broker.settings(user, tenant, replicas=SERVERS, ack_wait_s=self._ack_wait_s)
        return replace(settings, url=self.servers[server].url)

    async def connect(self, user: str, server: int, tenant: str = DEFAULT_TENANT) -> Bus:
        return await Bus.connect(self.settings(user, server, tenant), name=user)


@asynccontextmanager
async def secured_cluster(*tenants: str, ack_wait_s: float = 5.0) -> AsyncIterator[SecuredCluster]:
    """Start the servers, and create the streams of each tenant (default: one) as `deploy`."""
    names = tenants or (DEFAULT_TENANT,)
    hosts = [f"127.0.0.1:{port}" for port in free_ports(SERVERS)]
    passwords = {login_name(user, tenant): f"p{secrets.token_hex(12)}" for tenant in names for user in USERS}
    logins = {
        tenant: {user: Login(password=passwords[login_name(user, tenant)]) for user in USERS}
        for tenant in names
    }
    route_password = f"p{secrets.token_hex(12)}"
    urls = [f'"{each}"' for each in routes(hosts, route_password).strip("[]").split(",")]
    block = CLUSTER.replace("$NATS_ROUTES", f"[{', '.join(urls)}]").replace(
        "$NATS_PASSWORD_ROUTE", route_password
    )
    servers = [
        EmbeddedServer(
            accounts=block.replace("$NATS_SERVER_NAME", f"n{at}").replace("0.0.0.0:6222", host)
            + accounts(logins)
        )
        for at, host in enumerate(hosts)
    ]
    async with AsyncExitStack() as stack:
        await asyncio.gather(*(stack.enter_async_context(each) for each in servers))
        found = SecuredCluster(servers, passwords, ack_wait_s)
        for tenant in names:
            async with asyncio.timeout(LEADER_S), await found.connect("deploy", 0, tenant) as bus:
                while True:
                    try:
                        await bus.ensure()
                        break
                    except RetryableError:
                        await asyncio.sleep(0.2)  # The servers have not elected a leader yet.
        yield found
