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
REFUSED_WITHIN_S = 20.0
"""A request may wait for 15 s until its transfer starts. The rest is for what is before it in the queues."""
RELEASED_BY_LEASE = "caller_released_without_command"
"""The log event of a session that gave up waiting for a coordinator."""
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
            released = stack.logged(RELEASED_BY_LEASE)
        complete = load.complete()
        refused_s = [at - load.began_at[id] for id, at in load.ended_at.items() if id not in complete]
        problems = sample.problems
        if released:
            problems += (f"{released} callers were released by the lease of their session",)
        yield Row(
            name=f"burst.{count}.answered",
            value=(len(complete) + sample.refused) / count,
            unit="of all",
            target=Target(1.0, "least"),
            others_cpu=sample.usage.others_cpu,
            note=f"{len(complete)} complete, {sample.refused} refused as too busy",
            problems=problems,
        )
        yield Row(
            name=f"burst.{count}.last_refused",
            value=max(refused_s, default=0.0),
            unit="s",
            target=Target(REFUSED_WITHIN_S),
            others_cpu=sample.usage.others_cpu,
            note="from its request to the result of the slowest refusal",
        )
        yield Row(
            name=f"burst.{count}.seconds",
            value=sample.seconds,
            unit="s",
            others_cpu=sample.usage.others_cpu,
            note="until the last transfer ended",
        )
