"""A scenario beside a broker that is not its stack's has its streams there."""

from __future__ import annotations

from tests.testkit.nats_server import ConfiguredServer
from warmxfer.cli.local_stack.stack import ROLES

from .cluster import REPLICATED, three_brokers
from .disk_full import LOGIN, SHARE, SHARE_MB
from .scenario import open_scenario

NONE = dict.fromkeys(ROLES, 0)


async def test_each_stream_is_on_all_three_brokers() -> None:
    async with three_brokers() as cluster, open_scenario(url=cluster.url, env=REPLICATED, counts=NONE):
        await cluster.wait_in_sync()
        assert await cluster.leader() in cluster.servers


async def test_the_streams_count_against_the_share_of_an_account() -> None:
    async with (
        ConfiguredServer(extra=SHARE) as server,
        open_scenario(url=server.url, env=LOGIN, counts=NONE) as scenario,
    ):
        assert (await scenario.bus.storage()).limit_bytes == SHARE_MB * 1_048_576
