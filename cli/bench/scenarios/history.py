"""Whether a transfer costs more after many others have ended."""

from __future__ import annotations

import statistics
import sys
from collections.abc import AsyncGenerator

from msgspec import Struct, structs

from ..children import child_cpu_s
from ..load import Load, Progress
from ..machine import memory_bytes
from ..plan import Plan
from ..rows import Point, Row, Sample, Target, median_row
from ..stack import BROKER, BenchStack
from ..stack_pool import StackPool

IN_FLIGHT = 50
BATCH = 2_000
"""Transfers of one load: each has its sessions attached before it begins."""
GROWTH = 1.10
CPU_PANEL = "CPU per transfer (ms), by transfers that have ended"


class _Figures(Struct):
    ended: int
    many: list[Sample]
    alone: list[Sample]
    list_cpu_s: list[float]
    broker_mb: float


async def run(plan: Plan, stacks: StackPool, progress: Progress) -> AsyncGenerator[Row, None]:
    """Yield cost and latency after each number of ended transfers, compared with the smallest number."""
    first: _Figures | None = None
    async with stacks.open() as stack:
        for target in plan.history:
            while (ended := stack.ended_transfers) < target:
                progress(f"{ended} of {target} transfers have ended")
                async with Load(stack, f"h{ended}-", min(BATCH, target - ended)) as load:
                    sample = await load.run(IN_FLIGHT)
                if sample.problems:
                    raise_problems(sample)
            progress(f"after {target} transfers")
            figures = await _measure(stack, plan, target)
            for row in _rows(figures, first):
                yield row
            first = first or figures


def raise_problems(sample: Sample) -> None:
    """Raise `InternalError`: figures after a broken history would mean nothing."""
    from warmxfer.schemas import InternalError

    raise InternalError(f"The transfers before the measurement went wrong: {sample.problems[0]}")


async def _measure(stack: BenchStack, plan: Plan, ended: int) -> _Figures:
    many, alone, listed = list[Sample](), list[Sample](), list[float]()
    for repeat in range(plan.repeats):
        async with Load(stack, f"hm{ended}-{repeat}-", plan.history_many) as load:
            many.append(await load.run(IN_FLIGHT))
        async with Load(stack, f"ha{ended}-{repeat}-", plan.history_alone) as load:
            alone.append(await load.run(1))
        listed.append(
            await child_cpu_s([sys.executable, "-m", "warmxfer.cli", "list", "--url", stack.nats.url])
        )
    return _Figures(ended, many, alone, listed, memory_bytes(stack.pids()[BROKER][0]) / 1e6)


def _rows(figures: _Figures, first: _Figures | None) -> list[Row]:
    name = f"history.{figures.ended}"
    rows = [
        structs.replace(
            median_row(
                f"{name}.cpu",
                "ms/transfer",
                figures.many,
                lambda each: each.cpu_ms,
                first.many if first else (),
            ),
            point=Point(CPU_PANEL, figures.ended),
        ),
        median_row(
            f"{name}.transfer.p50",
            "ms",
            figures.alone,
            lambda each: 1e3 * statistics.median(each.latencies_s),
            first.alone if first else (),
        ),
        Row(
            name=f"{name}.list_cpu",
            value=statistics.median(figures.list_cpu_s),
            unit="s",
            reference=statistics.median(first.list_cpu_s) if first else None,
            runs=len(figures.list_cpu_s),
        ),
        Row(
            name=f"{name}.broker_memory",
            value=figures.broker_mb,
            unit="MB",
            reference=first.broker_mb if first else None,
        ),
    ]
    if first is None:
        return rows
    note = f"compared with {first.ended} ended transfers"
    return [
        structs.replace(
            row, ratio_target=Target(GROWTH), reference_name=f"{first.ended} ended transfers", note=note
        )
        for row in rows
    ]
