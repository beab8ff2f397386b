"""F6: three brokers on loopback with three replicas: the stream's leader killed, then a rolling restart.

The brokers reach each other through proxies, which F7 cuts.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import nats
from nats.errors import Error
from nats.js import JetStreamContext

from tests.testkit.nats_server import ConfiguredServer, restart
from warmxfer.bus import EmbeddedServer
from warmxfer.bus.free_ports import free_ports
from warmxfer.bus.subjects import CORE, STREAMS

from .report_row import Row
from .scenario import Scenario, open_scenario
from .stage_barrier import at_every_phase
from .tcp_proxy import TcpProxy

NODES = 3
READY_TIMEOUT_S = 30.0
REQUEST_TIMEOUT_S = 2.0
POLL_S = 0.1
REPLICATED = {"WARMXFER_REPLICAS": str(NODES)}


class Cluster:
    """Three servers of one cluster. `proxies` has one proxy for each pair of server names."""

    def __init__(self, servers: dict[str, EmbeddedServer], proxies: dict[frozenset[str], TcpProxy]) -> None:
        self.servers = servers
        self.proxies = proxies
        self.url = ",".join(server.url for server in servers.values())

    async def leader(self) -> str:
        """Return the name of the leader of the coordinator's stream. Waits until there is one."""
        async with self._jetstream() as js, asyncio.timeout(READY_TIMEOUT_S):
            while True:
                try:
                    cluster = (await js.stream_info(CORE)).cluster
                    if cluster and cluster.leader:
                        return cluster.leader
                except Error:
                    pass  # No leader replies yet; ask again.
                await asyncio.sleep(POLL_S)

    async def wait_in_sync(self) -> None:
        """Wait until every replica has caught up."""
        async with self._jetstream() as js, asyncio.timeout(READY_TIMEOUT_S):
            while not await _caught_up(js):
                await asyncio.sleep(POLL_S)

    async def wait_ready(self) -> None:
        """Wait until the cluster accepts requests."""
        async with self._jetstream() as js, asyncio.timeout(READY_TIMEOUT_S):
            while True:
                try:
                    await js.account_info()
                    return
                except Error:
                    await asyncio.sleep(POLL_S)

    @asynccontextmanager
    async def _jetstream(self) -> AsyncIterator[JetStreamContext]:
        connection = await nats.connect(self.url.split(","), max_reconnect_attempts=-1, error_cb=_ignore)
        try:
            yield connection.jetstream(timeout=REQUEST_TIMEOUT_S)
        finally:
            await connection.close()


async def f6() -> AsyncIterator[Row]:
    """Kill the leader and start it again; then restart the brokers in turn."""
    async with three_brokers() as cluster, open_scenario(url=cluster.url, env=REPLICATED) as scenario:
        for name, act in (("kill -9 stream leader", _kill_leader), ("rolling restart", _restart_in_turn)):
            row = Row("F6", f"{name} of 3")
            await cluster.wait_in_sync()
            async with at_every_phase(scenario, row) as calls:
                gap = asyncio.create_task(_longest_gap(scenario))
                began = time.monotonic()
                await act(cluster)
                row.recovered(await scenario.recovery(began, "coordinator"))
                gap.cancel()
                row.facts.append(f"a publish waited {(await gap):.2f} s at most")
                await scenario.check_transfers(row, calls)
            await scenario.reset()
            yield row


async def _kill_leader(cluster: Cluster) -> None:
    leader = cluster.servers[await cluster.leader()]
    await leader.stop(kill=True)
    await cluster.leader()
    await leader.start()


async def _restart_in_turn(cluster: Cluster) -> None:
    for server in cluster.servers.values():
        await restart(server)
        await cluster.wait_in_sync()


async def _longest_gap(scenario: Scenario) -> float:
    """Publish small messages until cancelled. Return the seconds that the slowest one took."""
    longest_s = 0.0
    try:
        for number in range(100_000):
            began = time.monotonic()
            await scenario.bus.publish(
                "warmxfer.gap.dead", b"{}", msg_id=f"gap:{number}", deadline_s=READY_TIMEOUT_S
            )
            longest_s = max(longest_s, time.monotonic() - began)
            await asyncio.sleep(POLL_S)
    except asyncio.CancelledError:
        return longest_s
    return longest_s


async def _caught_up(js: JetStreamContext) -> bool:
    for stream in STREAMS:
        try:
            cluster = (await js.stream_info(stream)).cluster
        except Error:
            return False
        peers = cluster.replicas or [] if cluster else []
        if len(peers) != NODES - 1 or not all(peer.current and not peer.offline for peer in peers):
            return False
    return True


@asynccontextmanager
async def three_brokers() -> AsyncIterator[Cluster]:
    """Run a cluster. It accepts requests when this yields."""
    free = free_ports(2 * NODES + 1)
    clients, routes, nowhere = free[:NODES], free[NODES:-1], free[-1]
    names = [f"n{place}" for place in range(NODES)]
    async with AsyncExitStack() as stack:
        servers: dict[str, EmbeddedServer] = {}
        proxies: dict[frozenset[str], TcpProxy] = {}
        for place, name in enumerate(names):
            # Each server has a route to the next one only, and advertises an unused port.
            # So each pair of servers has one connection, and it goes through a proxy.
            after = (place + 1) % NODES
            proxy = await stack.enter_async_context(TcpProxy())
            proxy.target = ("127.0.0.1", routes[after])
            proxies[frozenset((name, names[after]))] = proxy
            extra = (
                f'server_name: {name}\ncluster {{ name: chaos, listen: "127.0.0.1:{routes[place]}", '
                f'advertise: "127.0.0.1:{nowhere}", no_advertise: true, routes: ["{proxy.url}"] }}'
            )
            servers[name] = ConfiguredServer(port=clients[place], extra=extra)
        for server in servers.values():
            await stack.enter_async_context(server)
        cluster = Cluster(servers, proxies)
        await cluster.wait_ready()
        yield cluster


async def _ignore(_error: Exception) -> None:
    """Ignore an error of the connection: nats-py reconnects, and the requests are repeated."""
