"""A scenario beside three brokers has its streams there, on all of them."""

from __future__ import annotations

from warmxfer.cli.local_stack.stack import ROLES

from .cluster import REPLICATED, three_brokers
from .scenario import open_scenario


async def test_a_scenario_keeps_each_stream_on_all_three_brokers() -> None:
    none = dict.fromkeys(ROLES, 0)
    async with three_brokers() as cluster, open_scenario(url=cluster.url, env=REPLICATED, counts=none):
        await cluster.wait_in_sync()
        assert await cluster.leader() in cluster.servers
