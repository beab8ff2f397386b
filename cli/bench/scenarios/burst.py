"""Many requests within one second: each one complete, or refused in time."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator

from ..load import Load, Progress
from ..machine import UsageMeter
from ..plan import Plan
from ..rows import Row, Target
from ..stack_pool import StackPool

LIMIT_S = 120.0
SPAN_S = 1.0


async def run(plan: Plan, stacks: StackPool, progress: Progress) -> AsyncGenerator[Row, None]:
    """Yield for each burst how many were complete or refused, and how long the last one took."""
    for count in plan.bursts:
        progress(f"{count} requests within {SPAN_S:g} s")
        async with stacks.open() as stack, Load(stack, f"burst{count}-", count) as load:
            meter, began_at = UsageMeter(stack.pids()), time.perf_counter()
            ids = await load.request_all(range(count), within_s=SPAN_S)
            await load.wait(ids, LIMIT_S)
            sample = await load.sample(meter, began_at, may_refuse=True)
        complete = len(load.complete())
        yield Row(
            name=f"burst.{count}.answered",
            value=(complete + sample.refused) / count,
            unit="of all",
            target=Target(1.0, "least"),
            others_cpu=sample.usage.others_cpu,
            note=f"{complete} complete, {sample.refused} refused as too busy",
            problems=sample.problems,
        )
        yield Row(
            name=f"burst.{count}.seconds",
            value=sample.seconds,
            unit="s",
            others_cpu=sample.usage.others_cpu,
            note="until the last transfer ended",
        )
