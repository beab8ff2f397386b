"""The benchmark's cluster: three servers, and each message on all of them."""

from __future__ import annotations

from warmxfer.bus import Bus, BusSettings
from warmxfer.cli.bench.broker_cluster import SERVERS, BrokerCluster


async def test_a_cluster_keeps_each_message_on_three_servers() -> None:
    async with BrokerCluster(sync_interval="2m") as brokers:
        assert len({*brokers.pids}) == len({*brokers.url.split(",")}) == SERVERS
        async with await Bus.connect(BusSettings(url=brokers.url, replicas=SERVERS), name="test") as bus:
            await bus.publish("warmxfer.t1.request", b"{}")
            assert (await bus.storage()).replicas == SERVERS
