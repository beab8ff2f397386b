"""Three nats-servers on loopback that keep each message on all of them (R3)."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType

from warmxfer.bus import Bus, BusSettings, EmbeddedServer, RetryableError
from warmxfer.bus.free_ports import free_ports

SERVERS = 3
READY_S = 60.0
POLL_S = 0.2


class BrokerCluster:
    """`async with BrokerCluster() as brokers: ... brokers.url`. It accepts writes when it is entered."""

    def __init__(self, *, sync_interval: str) -> None:
        free = free_ports(2 * SERVERS)
        ports, routes = free[:SERVERS], free[SERVERS:]
        listed = ", ".join(f'"nats://127.0.0.1:{port}"' for port in routes)
        self.servers = [
            _ClusterServer(port, sync_interval, f"n{route}", f"127.0.0.1:{route}", listed)
            for port, route in zip(ports, routes, strict=True)
        ]
        self.monitor_url: str | None = None
        """Only a single server has one."""
        self._exit_stack = AsyncExitStack()

    @property
    def url(self) -> str:
        """The addresses for clients."""
        return ",".join(server.url for server in self.servers)

    @property
    def pids(self) -> list[int]:
        return [server.pid for server in self.servers]

    async def __aenter__(self) -> BrokerCluster:
        try:
            # A server of a cluster is ready only once it has met another one.
            await asyncio.gather(*(self._exit_stack.enter_async_context(each) for each in self.servers))
            await self._create_streams()
        except BaseException:
            await self._exit_stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._exit_stack.aclose()

    async def _create_streams(self) -> None:
        """Create the streams with a replica on each server. Raises `TimeoutError` if no leader is elected."""
        settings = BusSettings(url=self.url, replicas=SERVERS)
        async with asyncio.timeout(READY_S):
            while True:
                try:
                    async with await Bus.connect(settings, name="bench") as bus:
                        await bus.ensure()
                        return
                except RetryableError:
                    await asyncio.sleep(POLL_S)


class _ClusterServer(EmbeddedServer):
    """One server of the cluster."""

    def __init__(self, port: int, sync_interval: str, name: str, listen: str, routes: str) -> None:
        super().__init__(port=port, sync_interval=sync_interval)
        cluster = f'name: bench, listen: "{listen}", routes: [{routes}]'
        self._cluster = f"server_name: {name}\ncluster {{ {cluster} }}\n"

    def _config(self, work_dir: Path) -> str:
        return super()._config(work_dir) + self._cluster
