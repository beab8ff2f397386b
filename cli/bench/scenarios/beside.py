"""Other programs that do a transfer, in the same run: a coroutine in memory, and VideoSDK's own runner."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncGenerator
from importlib.util import find_spec
from pathlib import Path

import msgspec

from ..children import child_output
from ..load import Progress
from ..machine import UsageMeter
from ..plain_asyncio import PHASES, transfer
from ..plan import Plan
from ..rows import Row
from ..stack_pool import StackPool

ROOT = Path(__file__).parents[3]
UPSTREAM = ROOT / "tests" / "benchmarks" / "upstream.py"
"""Only a clone has it: it needs the tests' framework without a cloud."""
IN_MEMORY = 50
"""Transfers in memory for each one of the other programs."""


class _Measured(msgspec.Struct):
    cpu_s: float


async def run(plan: Plan, stacks: StackPool, progress: Progress) -> AsyncGenerator[Row, None]:
    """Yield the CPU per transfer of each program that is installed."""
    progress("a coroutine in memory")
    yield await _plain(plan.beside * IN_MEMORY)
    if plan.upstream and find_spec("videosdk") and UPSTREAM.exists():
        progress("VideoSDK's WarmTransferRunner")
        yield await _upstream(plan.beside)


async def _plain(count: int) -> Row:
    meter, cpu_s = UsageMeter({}), time.process_time()
    done = [await transfer() for _ in range(count)]
    used_s = time.process_time() - cpu_s
    whole = sum((each.dials, each.moves, len(each.phases)) == (1, 1, len(PHASES)) for each in done)
    return Row(
        name="beside.asyncio.cpu",
        value=1e3 * used_s / count,
        unit="ms/transfer",
        others_cpu=meter.read().others_cpu,
        note="in memory: no broker, no log; a crash loses every transfer",
        problems=() if whole == count else (f"{count - whole} of {count} transfers are not complete",),
    )


async def _upstream(count: int) -> Row:
    meter = UsageMeter({})
    command = [sys.executable, "-m", "tests.benchmarks.upstream", "--transfers", f"{count}"]
    output = await child_output(command, ROOT)
    measured = msgspec.json.decode(output.splitlines()[-1], type=_Measured)
    return Row(
        name="beside.upstream.cpu",
        value=1e3 * measured.cpu_s,
        unit="ms/transfer",
        others_cpu=meter.read().others_cpu,
        note="videosdk-agents in memory, one at a time, with the AI session; a crash loses every transfer",
    )
