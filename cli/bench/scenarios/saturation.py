"""Many transfers at a time: how many a second, and what one costs, with 1, 2 and 4 processes of each role.

Each level has a stack of its own, so that no level pays for what the one before has left. One process of each
role runs beside the floor alone. The comparison with a second coordinator, and with 2 and 4 of each role, is
a part of its own: its processes take time from the cores also while they wait.
"""

from __future__ import annotations

import statistics
from collections.abc import AsyncGenerator
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
MAIN_LEVEL, MANY_LEVEL = 50, 100
"""Transfers in flight: where the cost of one has its target, and where numbers of processes are compared."""

Runs = dict[int, list[Sample]]
"""Samples by transfers in flight."""


async def run(plan: Plan, stacks: StackPool, progress: Progress) -> AsyncGenerator[Row, None]:
    """Yield rates and costs, by level and by number of processes."""
    for sync in plan.sync_intervals:
        async for row in _beside_floor(plan, stacks, progress, sync):
            yield row
    if len(plan.processes) > 1:
        async for row in _more_processes(plan, stacks, progress):
            yield row


async def _beside_floor(
    plan: Plan, stacks: StackPool, progress: Progress, sync: str
) -> AsyncGenerator[Row, None]:
    """Yield what one process of each role carries at each level."""
    ours, floors, stored = Runs(), Runs(), list[Row]()
    settings = StackSettings(sync_interval=sync, archive_after_s=ARCHIVE_AFTER_S)
    for level in plan.in_flight:
        async with stacks.open_floor(sync) as floor, stacks.open(settings) as stack:
            for repeat in range(plan.repeats):
                progress(f"{level} in flight, sync {sync}: run {repeat + 1}")
                before = await _written(stack)
                sample = await _run(stack, plan, level, repeat)
                ours.setdefault(level, []).append(sample)
                if sync == "2m":
                    stored = _stored(before, await _written(stack), sample.transfers)
                floors.setdefault(level, []).append(await floor.run(plan.transfers, level))
    for row in (*_rows(ours, floors, sync), *stored):
        yield row


async def _more_processes(plan: Plan, stacks: StackPool, progress: Progress) -> AsyncGenerator[Row, None]:
    """Yield what several processes of each role carry, compared with one of each."""
    fewest, *more = plan.processes
    # By name: how many coordinators, and how many processes of each other role.
    fleets = {
        "one": (fewest, fewest),
        "2_coordinators": (2, fewest),
        **{f"{count}_of_each_role": (count, count) for count in more},
    }
    runs: dict[str, list[Sample]] = {name: [] for name in fleets}
    async with AsyncExitStack() as exit_stack:
        by_fleet = dict[str, BenchStack]()
        for fleet, (coordinators, others) in fleets.items():
            counts = dict.fromkeys(ROLES, others) | {"coordinator": coordinators}
            settings = StackSettings(counts=counts, archive_after_s=ARCHIVE_AFTER_S)
            by_fleet[fleet] = await exit_stack.enter_async_context(stacks.open(settings))
        for repeat in range(plan.repeats):
            for fleet, stack in by_fleet.items():
                progress(f"{MANY_LEVEL} in flight, {fleet}: run {repeat + 1}")
                _, primaries = fleets[fleet]
                runs[fleet].append(await _run(stack, plan, MANY_LEVEL, repeat, primaries=primaries))
    one = runs.pop("one")
    for fleet, samples in runs.items():
        for figure, unit, read, target in (
            ("rate", "transfers/s", _rate, Target(1.0, "least")),
            ("cpu", "ms/transfer", _cpu_ms, None),
        ):
            name = f"{figure}.{MANY_LEVEL}_in_flight.{fleet}"
            measured = median_row(name, unit, samples, read, one, ratio_target=target)
            yield structs.replace(measured, reference_name="one of each role", note=_by_role(samples))


async def _run(stack: BenchStack, plan: Plan, level: int, repeat: int, *, primaries: int = 1) -> Sample:
    async with Load(stack, f"sat{level}-{repeat}-", plan.transfers, primaries=primaries) as load:
        return await load.run(level)


def _rate(sample: Sample) -> float:
    return sample.rate


def _cpu_ms(sample: Sample) -> float:
    return sample.cpu_ms


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


def _rows(ours: Runs, floors: Runs, sync: str) -> list[Row]:
    rows, suffix = list[Row](), "" if sync == "2m" else f".sync_{sync}"
    for level, samples in ours.items():
        name, floor = f"{level}_in_flight{suffix}", floors[level]
        rows.append(median_row(f"rate.{name}", "transfers/s", samples, _rate, floor))
        main = level == MAIN_LEVEL and not suffix
        rows.append(
            structs.replace(
                median_row(f"cpu.{name}", "ms/transfer", samples, _cpu_ms, floor),
                target=Target(CPU_MS) if main else None,
                ratio_target=Target(CPU_RATIO) if main else None,
                point=None if suffix else Point(CPU_PANEL, level),
                note=_by_role(samples),
            )
        )
    best, best_floor = _best_rate(ours), _best_rate(floors)
    target, ratio_target = Target(RATE, "least"), Target(1.0, "least")
    rows.append(
        Row(
            name=f"rate.best{suffix}",
            value=best,
            unit="transfers/s",
            target=None if suffix else target,
            ratio_target=ratio_target if suffix else None,
            reference=best_floor,
        )
    )
    return rows


def _best_rate(runs: Runs) -> float:
    return max(statistics.median(map(_rate, samples)) for samples in runs.values())


def _by_role(samples: list[Sample]) -> str:
    """Return the CPU of each role, in ms per transfer."""
    order = [BROKER, *ROLES, PRIMARY]
    shares = {
        role: statistics.median(1e3 * each.usage.by_role.get(role, 0) / each.transfers for each in samples)
        for role in order
    }
    return ", ".join(f"{role} {ms:.2f}" for role, ms in shares.items())
