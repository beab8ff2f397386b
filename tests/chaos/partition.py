"""F7: network partitions: one broker cut off from every actor, and three brokers from each other.

The connections go through proxies that can be cut. An actor on the minority's side stays with its broker, as
a real one would: its own connection is not broken.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AsyncExitStack

from .cluster import REPLICATED, three_brokers
from .report_row import Row
from .scenario import Scenario, open_scenario
from .stage_barrier import at_every_phase
from .tcp_proxy import TcpProxy

CUT_S = (1.0, 5.0)
FLAPS = 5
APART_S = 5.0


async def f7() -> AsyncIterator[Row]:
    """Cut off one broker briefly, for longer, and repeatedly; then separate three brokers."""
    async with AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(TcpProxy())
        scenario = await stack.enter_async_context(open_scenario(proxy=proxy))
        for cut_s in CUT_S:
            yield await _run_fault(scenario, [proxy], Row("F7", f"broker cut off for {cut_s:g} s"), [cut_s])
        yield await _run_fault(scenario, [proxy], Row("F7", f"cut off {FLAPS} times for 1 s"), [1.0] * FLAPS)
    async with three_brokers() as cluster, open_scenario(url=cluster.url, env=REPLICATED) as scenario:
        await cluster.wait_in_sync()
        leader = await cluster.leader()
        of_leader = [proxy for pair, proxy in cluster.proxies.items() if leader in pair]
        row = Row("F7", f"the leader of 3 cut off from the others for {APART_S:g} s")
        yield await _run_fault(scenario, of_leader, row, [APART_S])
        await cluster.wait_in_sync()
        row = Row("F7", f"each of 3 cut off from the others for {APART_S:g} s")
        yield await _run_fault(scenario, cluster.proxies.values(), row, [APART_S])


async def _run_fault(
    scenario: Scenario, proxies: Collection[TcpProxy], row: Row, cuts_s: Sequence[float]
) -> Row:
    async with at_every_phase(scenario, row) as calls:
        began = time.monotonic()
        for cut_s in cuts_s:
            for proxy in proxies:
                proxy.cut()
            await asyncio.sleep(cut_s)
            for proxy in proxies:
                proxy.heal()
            await asyncio.sleep(1.0)
        row.recovered(await scenario.recovery(began, "coordinator"))
        await scenario.check_transfers(row, calls)
    await scenario.reset()
    return row
