"""The same as `coordinators`, beside a cluster of three servers on loopback: the slope past one broker."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from ..load import Progress
from ..plan import Plan
from ..rows import Row
from ..stack_pool import StackPool
from .coordinators import slope


async def run(plan: Plan, stacks: StackPool, progress: Progress) -> AsyncGenerator[Row, None]:
    """Yield the rate with each number of coordinators. The quick run leaves it out."""
    if not plan.cluster:
        return
    async for row in slope(plan, progress, "cluster", replicated=True):
        yield row
