"""The same as `coordinators`, beside a cluster of three servers on loopback: the slope past one broker.

The three servers share the cores with all else. So the coordinators get a smaller share than beside one
broker: then they are what limits the rate, also if there are four.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

from ..load import Progress
from ..plan import Plan
from ..rows import Row
from ..stack_pool import StackPool
from .coordinators import slope

SHARE, IN_FLIGHT = 0.08, 50
"""Of a core, and transfers at a time, for each coordinator."""


async def run(plan: Plan, stacks: StackPool, progress: Progress) -> AsyncGenerator[Row, None]:
    """Yield the rate with each number of coordinators. The quick run leaves it out."""
    if not plan.cluster:
        return
    async for row in slope(plan, progress, "cluster", SHARE, IN_FLIGHT, replicated=True):
        yield row
