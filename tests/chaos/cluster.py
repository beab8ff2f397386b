"""F6: three brokers on loopback, R3: the stream's leader killed, then a rolling restart.

They reach each other through wires that can be cut, which is F7's use of them.
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

from .report_row import Row
from .scenario import Scene, scene
from .stage_barrier import at_every_phase
from .tcp_proxy import Wire, free_ports

NODES = 3
MEET_S = 30.0
ASK_S = 2.0
LOOK_EVERY_S = 0.1
STREAM = "WARMXFER"
REPLICATED = {"WARMXFER_REPLICAS": str(NODES)}


class Cluster:
    """Three servers that know each other: `wires` by the two whom each joins."""

    def __init__(self, servers: dict[str, EmbeddedServer], wires: dict[frozenset[str], Wire]) -> None:
        self.servers = servers
        self.wires = wires
        self.url = ",".join(server.url for server in servers.values())

    async def leader(self) -> str:
        """The node that leads the stream, once there is one."""
        async with self._asking() as js, asyncio.timeout(MEET_S):
            while True:
                try:
                    cluster = (await js.stream_info(STREAM)).cluster
                    if cluster and cluster.leader:
                        return cluster.leader
                except Error:
                    pass  # No leader answers yet: that is what is waited for.
                await asyncio.sleep(LOOK_EVERY_S)

    async def whole(self) -> None:
        """Return when every replica has caught up."""
        async with self._asking() as js, asyncio.timeout(MEET_S):
            while not await _caught_up(js):
                await asyncio.sleep(LOOK_EVERY_S)

    async def met(self) -> None:
        """Return when the cluster takes orders."""
        async with self._asking() as js, asyncio.timeout(MEET_S):
            while True:
                try:
                    await js.account_info()
                    return
                except Error:
                    await asyncio.sleep(LOOK_EVERY_S)

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[JetStreamContext]:
        link = await nats.connect(self.url.split(","), max_reconnect_attempts=-1, error_cb=_unheard)
        try:
            yield link.jetstream(timeout=ASK_S)
        finally:
            await link.close()


async def f6() -> AsyncIterator[Row]:
    """The leader killed and brought back; then a rolling restart."""
    async with three_brokers() as cluster, scene(url=cluster.url, env=REPLICATED) as here:
        for name, blow in (("kill -9 stream leader", _leader_killed), ("rolling restart", _rolled)):
            row = Row("F6", f"{name} of 3")
            await cluster.whole()
            async with at_every_phase(here, row) as calls:
                gap = asyncio.create_task(_longest_gap(here))
                began = time.monotonic()
                await blow(cluster)
                row.recovered(await here.recovery(began, "coordinator"))
                gap.cancel()
                row.facts.append(f"a publish waited {(await gap):.2f} s at most")
                await here.judge(row, calls)
            await here.calm()
            yield row


async def _leader_killed(cluster: Cluster) -> None:
    leader = cluster.servers[await cluster.leader()]
    await leader.stop(kill=True)
    await cluster.leader()
    await leader.start()


async def _rolled(cluster: Cluster) -> None:
    for server in cluster.servers.values():
        await restart(server)
        await cluster.whole()


async def _longest_gap(here: Scene) -> float:
    """Publish one small message after another; how long the slowest was on its way. Ends when cancelled."""
    longest_s = 0.0
    try:
        for number in range(100_000):
            began = time.monotonic()
            await here.bus.publish("warmxfer.gap.dead", b"{}", msg_id=f"gap:{number}", deadline_s=MEET_S)
            longest_s = max(longest_s, time.monotonic() - began)
            await asyncio.sleep(LOOK_EVERY_S)
    except asyncio.CancelledError:
        return longest_s
    return longest_s


async def _caught_up(js: JetStreamContext) -> bool:
    try:
        cluster = (await js.stream_info(STREAM)).cluster
    except Error:
        return False
    peers = cluster.replicas or [] if cluster else []
    return len(peers) == NODES - 1 and all(peer.current and not peer.offline for peer in peers)


@asynccontextmanager
async def three_brokers() -> AsyncIterator[Cluster]:
    """A cluster that takes orders."""
    clients, routes, nowhere = free_ports(NODES), free_ports(NODES), free_ports(1)[0]
    names = [f"n{place}" for place in range(NODES)]
    async with AsyncExitStack() as stack:
        servers: dict[str, EmbeddedServer] = {}
        wires: dict[frozenset[str], Wire] = {}
        for place, name in enumerate(names):
            # Each is told of the next one only, and what it says of itself leads nowhere: so two of them
            # have one way to each other, and that is a wire of ours.
            after = (place + 1) % NODES
            wire = await stack.enter_async_context(Wire())
            wire.target = ("127.0.0.1", routes[after])
            wires[frozenset((name, names[after]))] = wire
            extra = (
                f'server_name: {name}\ncluster {{ name: chaos, listen: "127.0.0.1:{routes[place]}", '
                f'advertise: "127.0.0.1:{nowhere}", no_advertise: true, routes: ["{wire.url}"] }}'
            )
            servers[name] = ConfiguredServer(port=clients[place], extra=extra)
        for server in servers.values():
            await stack.enter_async_context(server)
        cluster = Cluster(servers, wires)
        await cluster.met()
        yield cluster


async def _unheard(_error: Exception) -> None:
    """The link comes back by itself; what it asks is asked again."""
