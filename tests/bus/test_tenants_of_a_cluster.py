"""Two tenants in accounts of one cluster of three servers: none sees anything of the other, on any server."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import pytest

from tests.chaos.tcp_proxy import free_ports
from tests.testkit.secured_broker import SecuredBroker
from warmxfer.bus import Bus, BusSettings, EmbeddedServer, RetryableError, subjects
from warmxfer.bus.permission_file import CLUSTER, Login, accounts, login_name, routes
from warmxfer.bus.subject_table import USERS
from warmxfer.schemas import InvalidRequest

TENANTS = "acme", "globex"
SERVERS = 3
LEADER_S = 60.0
ID = "t-both"


class Cluster:
    """Three servers that run, and the passwords of each tenant's users."""

    def __init__(self, servers: list[EmbeddedServer], passwords: dict[str, str]) -> None:
        self.servers = servers
        self._broker = SecuredBroker(servers[0], passwords)

    def settings(self, user: str, tenant: str, server: int) -> BusSettings:
        """Return the settings with which `user` of `tenant` connects to one of the servers."""
        return replace(self._broker.settings(user, tenant, replicas=SERVERS), url=self.servers[server].url)

    async def connect(self, user: str, tenant: str, server: int) -> Bus:
        return await Bus.connect(self.settings(user, tenant, server), name=user)


@asynccontextmanager
async def cluster() -> AsyncIterator[Cluster]:
    hosts = [f"127.0.0.1:{port}" for port in free_ports(SERVERS)]
    passwords = {
        login_name(user, tenant): f"p{secrets.token_hex(12)}" for tenant in TENANTS for user in USERS
    }
    logins = {
        tenant: {user: Login(password=passwords[login_name(user, tenant)]) for user in USERS}
        for tenant in TENANTS
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
        found = Cluster(servers, passwords)
        for tenant in TENANTS:
            async with asyncio.timeout(LEADER_S), await found.connect("deploy", tenant, 0) as bus:
                while True:
                    try:
                        await bus.ensure()
                        break
                    except RetryableError:
                        await asyncio.sleep(0.2)  # The servers have not elected a leader yet.
        yield found


async def test_two_tenants_of_one_cluster_see_nothing_of_each_other() -> None:
    async with cluster() as servers, AsyncExitStack() as stack:
        opened = {
            (user, tenant): await stack.enter_async_context(await servers.connect(user, tenant, at % SERVERS))
            for at, (user, tenant) in enumerate(
                (user, tenant) for user in ("client", "operator", "coordinator") for tenant in TENANTS
            )
        }
        acme, globex = opened["client", "acme"], opened["client", "globex"]
        live = await stack.enter_async_context(globex.subscribe(subjects.ANY_PHASE))
        await acme.publish(subjects.request(ID), b'{"of": "acme"}')
        for subject in (subjects.phase(ID), subjects.log(ID), subjects.caller_lock(ID)):
            await opened["coordinator", "acme"].publish(subject, b'{"of": "acme"}')
        for subject in (subjects.request(ID), subjects.phase(ID), subjects.log(ID), subjects.caller_lock(ID)):
            stored = await opened["operator", "acme"].get_last(subject)
            assert stored is not None
            assert stored.data == b'{"of": "acme"}'
            assert await opened["operator", "globex"].get_last(subject) is None
        # The same id and the same guard in the other tenant are free, on another server.
        await globex.publish(subjects.request(ID), b'{"of": "globex"}', expect_last=0)
        await opened["coordinator", "globex"].publish(subjects.log(ID), b'{"of": "globex"}', expect_last=0)
        await opened["coordinator", "globex"].publish(subjects.phase(ID), b'{"of": "globex"}')
        heard = await live.next(10)
        assert heard is not None
        assert heard.data == b'{"of": "globex"}', "the phase of acme did not arrive before it"
        mixed = replace(servers.settings("coordinator", "acme", 1), user=login_name("coordinator", "globex"))
        with pytest.raises(InvalidRequest, match="refused the credentials"):
            await Bus.connect(mixed, name="mixed")
