"""One transfer at a time: how long a transition and a whole transfer take, beside the floor."""

from __future__ import annotations

import statistics
from collections.abc import AsyncGenerator
from functools import partial

from msgspec import structs

from warmxfer.bus import subjects

from ..load import Load, Progress
from ..plan import Plan
from ..rows import Row, Sample, Target, median_row, percentile
from ..stack import BenchStack, StackSettings
from ..stack_pool import StackPool
from ..transitions import transition_times

MAX_MESSAGES = 1_000
TARGETS_MS = {
    "2m": {"transition.p50": 1.5, "transition.p99": 6.0, "transfer.p50": 25.0},
    "always": {"transition.p50": 3.0, "transition.p99": 12.0, "transfer.p50": 50.0},
}
"""By `sync_interval` of the broker."""


async def run(plan: Plan, stacks: StackPool, progress: Progress) -> AsyncGenerator[Row, None]:
    """Yield the latencies of transitions and of whole transfers."""
    for sync in plan.sync_intervals:
        ours, references = list[Sample](), list[Sample]()
        settings = StackSettings(sync_interval=sync)
        async with stacks.open(settings) as stack, stacks.open_floor(sync) as floor:
            for repeat in range(plan.repeats):
                progress(f"one at a time, sync {sync}: run {repeat + 1} of {plan.repeats}")
                ours.append(await _measure(stack, f"one{repeat}-", plan.one_at_a_time))
                references.append(await floor.run(plan.one_at_a_time, 1))
        for row in _rows(ours, references, sync):
            yield row


async def _measure(stack: BenchStack, prefix: str, count: int) -> Sample:
    async with Load(stack, prefix, count) as load:
        sample = await load.run(1)
        times = [
            each
            for id in load.sessions
            for each in transition_times(await stack.bus.history(subjects.all_of(id), MAX_MESSAGES))
        ]
    return structs.replace(sample, transitions_s=times)


def _rows(ours: list[Sample], floor: list[Sample], sync: str) -> list[Row]:
    targets, suffix = TARGETS_MS.get(sync, {}), "" if sync == "2m" else f".sync_{sync}"
    figures = {
        "transition.p50": lambda sample: 1e3 * statistics.median(sample.transitions_s),
        "transition.p99": lambda sample: 1e3 * percentile(sample.transitions_s, 0.99),
        "transfer.p50": lambda sample: 1e3 * statistics.median(sample.latencies_s),
        "transfer.p99": lambda sample: 1e3 * percentile(sample.latencies_s, 0.99),
    }
    row = partial(median_row, unit="ms", samples=ours, references=floor)
    return [
        row(f"{name}{suffix}", figure=figure, target=Target(targets[name]) if name in targets else None)
        for name, figure in figures.items()
    ]
