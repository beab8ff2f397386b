"""Transfers that wait for a supervisor who does not answer: what they cost, and that they still complete."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator

from warmxfer.schemas import WarmTransferPhase, participant_ids

from ..cloud.calls import RINGING_NUMBER, supervisor_call
from ..cloud.ledger import Entry, Ledger
from ..load import Load, Progress
from ..machine import UsageMeter, memory_bytes
from ..plan import Plan
from ..rows import Point, Row, Target
from ..stack import BenchStack

CPU_PANEL = "CPU of all waiting transfers (% of a core), by their number"
MEMORY_PANEL = "Memory per waiting transfer (KB), by their number"
MEMORY_KB, IDLE_SHARE_OF_10_000, FINISHED_S = 25.0, 0.10, 10.0
BYTES_PER_KB = 1_000
BEGIN_RATE = 100
"""Requests a second: fast enough, and no burst."""
BEGIN_LIMIT_S, SETTLE_S = 300.0, 3.0
SPARE_JOBS = 100


async def run(plan: Plan, progress: Progress) -> AsyncGenerator[Row, None]:
    """Yield memory, CPU and the time to complete, for each number of waiting transfers."""
    for count in plan.waiting:
        async for row in _wait(count, min(plan.finished, count), plan.idle_s, progress):
            yield row


async def _wait(count: int, finished: int, idle_s: float, progress: Progress) -> AsyncGenerator[Row, None]:
    progress(f"{count} transfers begin to wait")
    jobs = {"briefing": count + SPARE_JOBS}
    async with (
        BenchStack(jobs=jobs) as stack,
        Load(stack, f"w{count}-", count, number=RINGING_NUMBER) as load,
    ):
        before_bytes = _memory(stack)
        ids = await load.request_all(range(count), within_s=count / BEGIN_RATE)
        await load.wait(ids, BEGIN_LIMIT_S, WarmTransferPhase.SUPERVISOR_DIALED)
        begun = [id for id in ids if load.reached.get(id) is WarmTransferPhase.SUPERVISOR_DIALED]
        await asyncio.sleep(SETTLE_S)
        grown_kb = {
            role: (size - before_bytes[role]) / BYTES_PER_KB / count for role, size in _memory(stack).items()
        }
        progress(f"{count} transfers wait")
        meter = UsageMeter(stack.pids())
        await asyncio.sleep(idle_s)
        idle = meter.read()
        progress(f"{finished} of {count} waiting transfers are answered")
        began_at = time.perf_counter()
        _answer(stack, begun[:finished])
        await load.wait(begun[:finished], 6 * FINISHED_S)
        sample = await load.sample(meter, began_at, may_run=True)
        complete = len(load.complete())
    problems = list(sample.problems)
    if len(begun) < count:
        problems.append(f"{count - len(begun)} of {count} transfers did not begin to wait")
    if complete < finished:
        problems.append(f"{finished - complete} of {finished} answered transfers are not complete")
    name = f"waiting.{count}"
    yield Row(
        name=f"{name}.memory",
        value=sum(grown_kb.values()),
        unit="KB/transfer",
        target=Target(MEMORY_KB),
        note=", ".join(f"{role} {kb:.1f}" for role, kb in grown_kb.items()),
        problems=tuple(problems),
        point=Point(MEMORY_PANEL, count),
    )
    yield Row(
        name=f"{name}.cpu",
        value=100 * idle.cpu_s / idle.seconds,
        unit="% of a core",
        target=Target(100 * IDLE_SHARE_OF_10_000) if count <= 10_000 else None,
        others_cpu=idle.others_cpu,
        note=", ".join(f"{role} {100 * used / idle.seconds:.1f}" for role, used in idle.by_role.items()),
        point=Point(CPU_PANEL, count),
    )
    yield Row(
        name=f"{name}.answered",
        value=sample.seconds,
        unit="s",
        target=Target(FINISHED_S),
        others_cpu=sample.usage.others_cpu,
        note=f"from the answer of {finished} supervisors to the last completion",
        problems=tuple(problems),
    )


def _memory(stack: BenchStack) -> dict[str, int]:
    return {role: sum(memory_bytes(pid) for pid in pids) for role, pids in stack.pids().items()}


def _answer(stack: BenchStack, ids: list[str]) -> None:
    """Let the supervisors of these transfers answer their phones."""
    ledger = Ledger(stack.directory)
    for id in ids:
        ledger.append(Entry("answer", supervisor_call(participant_ids.supervisor(id, 1))))
    ledger.close()
