"""kill -9 of all workers with transfers in flight: how long until all are complete.

A coordinator starts some hundred at a time. So the last requests may still wait when the workers are killed,
and may be refused afterwards. A transfer that had started may not.

A gateway that is killed after it has claimed a dial and before it dials leaves a dial of unknown outcome.
That dial is looked up and never repeated. So the transfer fails, and its caller is back with the AI. It is no
problem of the row if the ledger has no dial of it. The row allows as many of them as one gateway carries out
at the same time.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import AsyncGenerator
from contextlib import closing

from warmxfer.actors.gateway.settings import DEFAULT_JOBS as GATEWAY_JOBS

from ..cloud.calls import READY_NUMBER, SLOW_DIAL_S, SLOW_NUMBER
from ..cloud.ledger import Entry, Ledger
from ..load import Load, Progress
from ..machine import UsageMeter
from ..plan import ACK_WAIT_S, Plan
from ..rows import Row, Target
from ..stack import BenchStack, StackSettings
from ..stack_pool import StackPool

DEFAULT_JOBS = 50
BEYOND_ACK_WAIT_S = 3.0
LIMIT_S = 120.0
STRIKE_LIMIT_S = 60.0
POLL_S = 0.01


async def run(plan: Plan, stacks: StackPool, progress: Progress) -> AsyncGenerator[Row, None]:
    """Yield the time from the kill to the last completion: struck at work, and struck while dialling."""
    for name, number in (("recovery", READY_NUMBER), ("recovery.while_dialling", SLOW_NUMBER)):
        progress(f"kill -9 of all workers with {plan.recovery} in flight: {name}")
        # Places for all of them: a transfer without one would wait, and not be struck.
        settings = StackSettings(ack_wait_s=ACK_WAIT_S, briefing_jobs=max(DEFAULT_JOBS, plan.recovery))
        async with stacks.open(settings) as stack:
            yield await _strike(stack, name, number, plan.recovery)


async def _strike(stack: BenchStack, name: str, number: str, count: int) -> Row:
    with closing(Ledger(stack.directory, new_only=True)) as ledger:
        async with Load(stack, f"{name.replace('.', '-')}-", count, number=number) as load:
            cloud = asyncio.create_task(_answer_later(stack))
            try:
                meter = UsageMeter(stack.pids())
                ids = await load.request_all(range(count))
                await _until_some_dialled(ledger, count)
                started, ended = len(load.reached), len(load.ended_at)
                struck_at = time.perf_counter()
                await stack.kill_all()
                await stack.start_all()
                await load.wait(ids, LIMIT_S)
                sample = await load.sample(meter, struck_at, may_refuse=True, max_undialled=GATEWAY_JOBS)
                last_end_s = max(load.ended_at.values(), default=struck_at) - struck_at
            finally:
                cloud.cancel()
                await asyncio.wait({cloud})
    return Row(
        name=f"{name}.{count}",
        value=sample.seconds,
        unit="s",
        target=Target(ACK_WAIT_S + BEYOND_ACK_WAIT_S),
        others_cpu=sample.usage.others_cpu,
        note=f"from kill -9 to the last completion, ack_wait {ACK_WAIT_S:g} s; {started} had started, "
        f"{ended} had ended, {sample.refused} of the others were refused as too busy"
        + (
            f"; the gateway died between claim and dial of {sample.undialled}, which failed: the last of all "
            f"transfers ended after {last_end_s:.1f} s"
            if sample.undialled
            else ""
        ),
        problems=sample.problems,
    )


async def _until_some_dialled(ledger: Ledger, count: int) -> None:
    """Block until a quarter of the supervisors has been dialled. Raises `TimeoutError`."""
    kinds = Counter[str]()
    async with asyncio.timeout(STRIKE_LIMIT_S):
        while kinds["dial"] < count / 4:
            kinds.update(entry.kind for entry in ledger.read())
            await asyncio.sleep(POLL_S)


async def _answer_later(stack: BenchStack) -> None:
    """Let each supervisor who was dialled slowly answer, as the cloud does without its gateway."""
    due = deque[tuple[float, str]]()
    with closing(Ledger(stack.directory, new_only=True)) as ledger:
        while True:
            now = time.perf_counter()
            for entry in ledger.read():
                if entry.kind == "dial" and not entry.answered:
                    due.append((now + SLOW_DIAL_S, entry.call_id))
            while due and due[0][0] <= now:
                ledger.append(Entry("answer", due.popleft()[1]))
            await asyncio.sleep(POLL_S)
