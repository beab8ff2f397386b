"""Whether a transfer costs more after many others have ended."""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import AsyncGenerator

from msgspec import Struct, structs

from warmxfer.actors.coordinator.settings import MIN_ARCHIVE_AFTER_S
from warmxfer.bus import subjects
from warmxfer.schemas import InternalError

from ..children import child_cpu_s
from ..load import Load, Progress
from ..machine import memory_bytes
from ..plan import Plan
from ..rows import Point, Row, Sample, Target, median_row
from ..stack import BROKER, BenchStack, StackSettings
from ..stack_pool import StackPool

IN_FLIGHT = 50
ARCHIVED_WITHIN_S, ARCHIVED_PER_S = 120.0, 20.0
"""The wait for the archive is 45 s and two command timeouts. Beyond it, so many are archived in a second."""
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
    settings = StackSettings(archive_after_s=MIN_ARCHIVE_AFTER_S)
    async with stacks.open(settings) as stack:
        for target in plan.history:
            while (ended := stack.ended_transfers) < target:
                progress(f"{ended} of {target} transfers have ended")
                async with Load(stack, f"h{ended}-", min(BATCH, target - ended)) as load:
                    # While the broker writes megabytes to the disk, admission may refuse a few.
                    sample = await load.run(IN_FLIGHT, may_refuse=True)
                if sample.problems:
                    raise_problems(sample)
            if plan.history_archived:
                await _until_archived(stack, progress)
            progress(f"{target} transfers have ended; the broker rests for {plan.history_settle_s:g} s")
            await asyncio.sleep(plan.history_settle_s)
            progress(f"after {target} transfers")
            figures = await _measure(stack, plan, target)
            for row in _rows(figures, first):
                yield row
            first = first or figures


async def _until_archived(stack: BenchStack, progress: Progress) -> None:
    """Wait until each ended transfer has left the working streams. Raises `InternalError` if one does not."""
    deadline_at = time.perf_counter() + ARCHIVED_WITHIN_S + stack.ended_transfers / ARCHIVED_PER_S
    while (left := stack.ended_transfers - await _archived(stack)) > 0:
        if time.perf_counter() > deadline_at:
            raise InternalError(f"{left} transfers that have ended were not archived in time")
        progress(f"{left} transfers that have ended are not archived yet")
        await asyncio.sleep(1.0)


async def _archived(stack: BenchStack) -> int:
    """Return how many transfers are archived. No record is written twice here, so the numbers have no gap."""
    span = await stack.bus.stream_span(subjects.ARCHIVE)
    return span.last_seq - span.first_seq + 1


def raise_problems(sample: Sample) -> None:
    """Raise `InternalError`: figures after a broken history would mean nothing."""
    raise InternalError(f"The transfers before the measurement went wrong: {sample.problems[0]}")


async def _measure(stack: BenchStack, plan: Plan, ended: int) -> _Figures:
    many, alone, listed = list[Sample](), list[Sample](), list[float]()
    broker_mb = memory_bytes(stack.pids()[BROKER][0]) / 1e6
    for repeat in range(plan.repeats):
        async with Load(stack, f"hm{ended}-{repeat}-", plan.history_many) as load:
            many.append(await load.run(IN_FLIGHT))
        async with Load(stack, f"ha{ended}-{repeat}-", plan.history_alone) as load:
            alone.append(await load.run(1))
        listed.append(
            await child_cpu_s([sys.executable, "-m", "warmxfer.cli", "list", "--url", stack.nats.url])
        )
    return _Figures(ended, many, alone, listed, broker_mb)


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
