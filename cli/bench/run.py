"""Runs one scenario. A failure in it becomes a row that misses, and the other scenarios go on."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from warmxfer.schemas import WarmxferError

from .load import Progress
from .plan import Plan
from .rows import Row
from .stack_pool import StackPool

Scenario = Callable[[Plan, StackPool, Progress], AsyncGenerator[Row, None]]


async def measure(
    name: str, scenario: Scenario, plan: Plan, stacks: StackPool, progress: Progress
) -> AsyncGenerator[Row, None]:
    """Yield the rows of a scenario, and a row with the problem if it fails."""
    try:
        async with aclosing(scenario(plan, stacks, progress)) as rows:
            async for row in rows:
                yield row
    except* (WarmxferError, TimeoutError, OSError) as errors:
        await stacks.close()  # what the scenario left in a shared stack would disturb the next one
        problem = "; ".join(f"{type(error).__name__}: {error}" for error in errors.exceptions)
        yield Row(name=name, value=None, unit="", problems=(problem,))
