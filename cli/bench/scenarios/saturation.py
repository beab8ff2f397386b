"""Many transfers at a time: how many a second, and what one costs, with 1, 2 and 4 processes of each role."""

from __future__ import annotations

import statistics
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack

from msgspec import structs

from ..load import Load, Progress
from ..plan import Plan
from ..rows import Point, Row, Sample, Target, median_row
from ..stack import BROKER, PRIMARY, ROLES, BenchStack, StackSettings
from ..stack_pool import StackPool

CPU_PANEL = "CPU per transfer (ms), by transfers in flight"
CPU_MS, CPU_RATIO, RATE, STORED_MESSAGES, STORED_KB = 10.0, 2.5, 180.0, 45.0, 15.0
BYTES_PER_KB = 1_000
ARCHIVE_AFTER_S = 3_600.0
"""Later than the last run. Else one stack would archive its transfers while another one is measured, and what
a run has stored would be gone before it is read.
"""
MAIN_LEVEL = 50
"""Transfers in flight at which the cost of one is compared with its target."""

Runs = dict[tuple[int, int], list[Sample]]
"""Samples by number of processes of each role and transfers in flight."""


async def run(plan: Plan, stacks: StackPool, progress: Progress) -> AsyncGenerator[Row, None]:
    """Yield rates and costs, by level and by number of processes."""
    for sync in plan.sync_intervals:
        processes = plan.processes if sync == "2m" else plan.processes[:1]
        async for row in _saturate(plan, stacks, progress, sync, processes):
            yield row


async def _saturate(
    plan: Plan, stacks: StackPool, progress: Progress, sync: str, processes: tuple[int, ...]
) -> AsyncGenerator[Row, None]:
    ours: Runs = {}
    references: dict[int, list[Sample]] = {}
    async with AsyncExitStack() as exit_stack:
        floor = await exit_stack.enter_async_context(stacks.open_floor(sync))
        by_count: dict[int, BenchStack] = {}
        for count in processes:
            counts = dict.fromkeys(ROLES, count) if count > 1 else {}
            settings = StackSettings(counts=counts, sync_interval=sync, archive_after_s=ARCHIVE_AFTER_S)
            opening = stacks.open(settings)
            by_count[count] = await exit_stack.enter_async_context(opening)
        one, stored = by_count[processes[0]], list[Row]()
        for level in plan.in_flight:
            for repeat in range(plan.repeats):
                for count, stack in by_count.items():
                    progress(f"{level} in flight, {count} of each role, sync {sync}: run {repeat + 1}")
                    before = await _written(stack)
                    prefix = f"sat{level}-{repeat}-"
                    async with Load(stack, prefix, plan.transfers, primaries=count) as load:
                        sample = await load.run(level)
                    ours.setdefault((count, level), []).append(sample)
                    if stack is one and sync == "2m":
                        stored = _stored(before, await _written(stack), sample.transfers)
                references.setdefault(level, []).append(await floor.run(plan.transfers, level))
    for row in (*_rows(ours, references, sync), *stored):
        yield row


async def _written(stack: BenchStack) -> tuple[int, int]:
    """Return how many messages were ever stored, and how many bytes are stored now."""
    return (await stack.bus.diagnose()).written, (await stack.bus.storage()).stream_bytes


def _stored(before: tuple[int, int], after: tuple[int, int], transfers: int) -> list[Row]:
    """Return what one run has stored for each of its transfers."""
    messages, size = (end - start for start, end in zip(before, after, strict=True))
    return [
        Row(
            name="stored.messages",
            value=messages / transfers,
            unit="messages/transfer",
            target=Target(STORED_MESSAGES),
        ),
        Row(
            name="stored.size",
            value=size / transfers / BYTES_PER_KB,
            unit="KB/transfer",
            target=Target(STORED_KB),
        ),
    ]


def _rows(ours: Runs, floor: Mapping[int, list[Sample]], sync: str) -> list[Row]:
    rows, suffix = list[Row](), "" if sync == "2m" else f".sync_{sync}"
    for (count, level), samples in ours.items():
        name = f"{level}_in_flight" + (f".{count}_of_each_role" if count > 1 else "") + suffix
        rows.append(median_row(f"rate.{name}", "transfers/s", samples, lambda each: each.rate, floor[level]))
        measured = median_row(f"cpu.{name}", "ms/transfer", samples, lambda each: each.cpu_ms, floor[level])
        main = count == 1 and level == MAIN_LEVEL and sync == "2m"
        rows.append(
            structs.replace(
                measured,
                target=Target(CPU_MS) if main else None,
                ratio_target=Target(CPU_RATIO) if main else None,
                point=Point(CPU_PANEL, level, f"{count} of each role") if sync == "2m" else None,
                note=_by_role(samples),
            )
        )
    return [*rows, *_summary(ours, floor, suffix)]


def _summary(ours: Runs, floor: Mapping[int, list[Sample]], suffix: str) -> list[Row]:
    """Return the best rate, and what a second process of each role adds to it."""
    by_count: dict[int, dict[int, float]] = {}
    for (count, level), samples in ours.items():
        rate = statistics.median(sample.rate for sample in samples)
        by_count.setdefault(count, {})[level] = rate
    rates = {count: max(by_level.values()) for count, by_level in by_count.items()}
    one, best_floor = rates[1], max(statistics.median(each.rate for each in runs) for runs in floor.values())
    always = bool(suffix)
    best = Row(
        name=f"rate.best{suffix}",
        value=one,
        unit="transfers/s",
        target=None if always else Target(RATE, "least"),
        ratio_target=Target(1.0, "least") if always else None,
        reference=best_floor,
    )
    return [
        best,
        *(
            Row(
                name=f"rate.best.{count}_of_each_role{suffix}",
                value=rate,
                unit="transfers/s",
                ratio_target=Target(1.0, "least"),
                reference=one,
                reference_name="one of each role",
            )
            for count, rate in rates.items()
            if count > 1
        ),
    ]


def _by_role(samples: list[Sample]) -> str:
    """Return the CPU of each role, in ms per transfer."""
    order = [BROKER, *ROLES, PRIMARY]
    shares = {
        role: statistics.median(1e3 * each.usage.by_role.get(role, 0) / each.transfers for each in samples)
        for role in order
    }
    return ", ".join(f"{role} {ms:.2f}" for role, ms in shares.items())
