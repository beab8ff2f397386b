"""1, 2 and 4 coordinators, each held to a share of a core: whether more of them carry more."""

from __future__ import annotations

import statistics
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack

from msgspec import structs

from ..load import Load, Progress
from ..plan import Plan
from ..rows import Row, Sample, Target, median_row
from ..stack import ANSWERS, ROLES, BenchStack, StackSettings
from ..stack_pool import StackPool
from ..throttle import throttled

SHARE, IN_FLIGHT = 0.2, 100
"""Of a core, and transfers at a time, for each coordinator. A throttled coordinator is slow, so that a fixed
number of transfers would wait for one another, and the number would be what limits the rate.
"""
SCALES = {2: 1.8, 4: 3.2}
"""Coordinators -> the least multiple of one coordinator's rate."""


async def run(plan: Plan, stacks: StackPool, progress: Progress) -> AsyncGenerator[Row, None]:
    """Yield the rate with each number of coordinators, as multiples of one coordinator's."""
    async for row in slope(plan, progress, "coordinators", SHARE, IN_FLIGHT, replicated=False):
        yield row


async def slope(
    plan: Plan, progress: Progress, name: str, share: float, in_flight: int, *, replicated: bool
) -> AsyncGenerator[Row, None]:
    """Yield the rates beside one broker, or beside a cluster of three that keeps all messages thrice.

    Each coordinator has `share` of a core and `in_flight` transfers at a time.
    """
    ours: dict[int, list[Sample]] = {count: [] for count in plan.coordinators}
    async with AsyncExitStack() as exit_stack:
        by_count = {
            count: await exit_stack.enter_async_context(BenchStack(_only_coordinators(count, replicated)))
            for count in plan.coordinators
        }
        for repeat in range(plan.repeats):
            for count, stack in by_count.items():
                progress(f"{count} coordinators at {share:.0%} of a core each: run {repeat + 1}")
                transfers = plan.coordinator_transfers * count
                async with Load(stack, f"co{repeat}-", transfers, role=ANSWERS) as load:
                    pids = [process.pid for process in stack.processes["coordinator"]]
                    async with throttled(pids, share):
                        ours[count].append(await load.run(in_flight * count))
    one = statistics.median(sample.rate for sample in ours[1])
    for count, samples in ours.items():
        row = median_row(f"{name}.{count}", "transfers/s", samples, lambda each: each.rate)
        yield _as_multiple(row, one, count)


def _only_coordinators(count: int, replicated: bool) -> StackSettings:
    return StackSettings(counts=dict.fromkeys(ROLES, 0) | {"coordinator": count}, replicated=replicated)


def _as_multiple(row: Row, one: float, count: int) -> Row:
    if count == 1:
        return row
    target = Target(SCALES[count], "least") if count in SCALES else None
    return structs.replace(row, reference=one, reference_name="one coordinator", ratio_target=target)
