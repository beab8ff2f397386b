"""kill -9 of all workers with transfers in flight: how long until all are complete.

When the workers are killed, all transfers have started and a quarter of the supervisors is dialled. Until
then no phone is answered, or no supervisor says yes. So no transfer has ended. From the kill on people answer
and say yes at once.

A gateway that is killed after it has claimed a dial and before it dials leaves a dial of unknown outcome.
That dial is looked up and never repeated. So the transfer fails, and its caller is back with the AI. It is no
problem of the row if the ledger has no dial of it. The row allows as many of them as a gateway carries out at
the same time without a setting.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import closing

from warmxfer.actors.gateway.settings import DEFAULT_JOBS, MAX_JOBS
from warmxfer.schemas import WarmTransferPhase

from ..cloud.calls import SILENT_NUMBER, SLOW_NUMBER
from ..cloud.ledger import Entry, Ledger
from ..load import Load, Progress
from ..machine import UsageMeter
from ..plan import ACK_WAIT_S, Plan
from ..rows import Row, Sample, Target
from ..stack import BenchStack, StackSettings
from ..stack_pool import StackPool

BRIEFING_JOBS = 50
BEYOND_ACK_WAIT_S = 3.0
LIMIT_S = 120.0
POLL_S = 0.01


async def run(plan: Plan, stacks: StackPool, progress: Progress) -> AsyncGenerator[Row, None]:
    """Yield the time from the kill to the last completion: struck at work, and struck while dialling."""
    for name, number in (("recovery", SILENT_NUMBER), ("recovery.while_dialling", SLOW_NUMBER)):
        progress(f"kill -9 of all workers with {plan.recovery} in flight: {name}")
        # Places for all of them: a transfer without one would wait, and not be struck.
        settings = StackSettings(
            ack_wait_s=ACK_WAIT_S,
            briefing_jobs=max(BRIEFING_JOBS, plan.recovery),
            gateway_jobs=min(max(DEFAULT_JOBS, plan.recovery), MAX_JOBS) if number == SLOW_NUMBER else None,
        )
        async with stacks.open(settings) as stack:
            yield await _strike(stack, name, number, plan.recovery)


async def _strike(stack: BenchStack, name: str, number: str, count: int) -> Row:
    struck = asyncio.Event()
    prefix = f"{name.replace('.', '-')}-"
    with closing(Ledger(stack.directory, new_only=True)) as ledger:
        async with Load(stack, prefix, count, number=number) as load:
            people = asyncio.create_task(_answer(stack, struck))
            try:
                meter = UsageMeter(stack.pids())
                ids = await load.request_all(range(count))
                started = await load.wait(ids, LIMIT_S, WarmTransferPhase.STARTED)
                await _until_some_dialled(ledger, count)
                phases = Counter(phase.value for phase in load.reached.values())
                struck_at = time.perf_counter()
                await stack.kill_all()
                struck.set()
                await stack.start_all()
                await load.wait(ids, LIMIT_S)
                sample = await load.sample(meter, struck_at, max_undialled=DEFAULT_JOBS)
                last_end_s = max(load.ended_at.values(), default=struck_at) - struck_at
            finally:
                people.cancel()
                await asyncio.wait({people})
    return Row(
        name=f"{name}.{count}",
        value=sample.seconds,
        unit="s",
        target=Target(ACK_WAIT_S + BEYOND_ACK_WAIT_S),
        others_cpu=sample.usage.others_cpu,
        note=_note(phases, sample, last_end_s),
        problems=(*sample.problems, *(() if started else ("not every transfer had started at the kill",))),
    )


def _note(phases: Counter[str], sample: Sample, last_end_s: float) -> str:
    at_the_kill = ", ".join(f"{count} {phase}" for phase, count in phases.most_common())
    note = f"from kill -9 to the last completion, ack_wait {ACK_WAIT_S:g} s; at the kill: {at_the_kill}"
    if sample.undialled:
        note += (
            f"; the gateway died between claim and dial of {sample.undialled}, which failed: the last of all "
            f"transfers ended after {last_end_s:.1f} s"
        )
    return note


async def _until_some_dialled(ledger: Ledger, count: int) -> None:
    """Block until a quarter of the supervisors has been dialled. Raises `TimeoutError`."""
    dials = 0
    async with asyncio.timeout(LIMIT_S):
        while dials < count / 4:
            dials += sum(entry.kind == "dial" for entry in ledger.read())
            await asyncio.sleep(POLL_S)


async def _answer(stack: BenchStack, struck: asyncio.Event) -> None:
    """From the kill on, let each supervisor who was dialled answer and say yes."""
    with closing(Ledger(stack.directory, new_only=True)) as ledger:
        await struck.wait()
        while True:
            for entry in ledger.read():
                if entry.kind == "dial":
                    ledger.append(Entry("yes" if entry.answered else "answer", entry.call_id))
            await asyncio.sleep(POLL_S)
