"""How long workers and commands need to start, and what they cost."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import AsyncGenerator

import msgspec
from msgspec import Struct

from warmxfer.schemas import InternalError, WarmTransferPhase

from ..children import child_cpu_s, until_line
from ..cloud.calls import RINGING_NUMBER
from ..load import Load, Progress
from ..plan import Plan
from ..rows import Row, Target
from ..stack import ROLES, BenchStack
from ..stack_pool import StackPool

COMMAND_CPU_S, UP_S, DEMO_S = 0.3, 6.0, 10.0
BEGIN_LIMIT_S = 20.0
CLI = [sys.executable, "-m", "warmxfer.cli"]
DEMO_PACE = "0.02"
"""People who need almost no time, so that the call before the transfer needs none."""


class _PlayedTransfer(Struct):
    """What `demo --json` prints of a transfer, as far as it is read here."""

    took_s: float


async def run(plan: Plan, stacks: StackPool, progress: Progress) -> AsyncGenerator[Row, None]:
    """Yield start-up times of workers, CPU of commands, and the time of `up` and `demo`."""
    async with stacks.open() as stack:
        for role in ROLES:
            progress(f"a {role} starts")
            yield await _worker(stack, role, plan.starts)
        async with Load(stack, "up-", plan.starts, number=RINGING_NUMBER) as load:
            ids = await load.request_all(range(plan.starts))
            await load.wait(ids, BEGIN_LIMIT_S, WarmTransferPhase.SUPERVISOR_DIALED)
            for name, commands in {
                "list": [["list"]] * plan.starts,
                "show": [["show", id] for id in ids],
                "cancel": [["cancel", id] for id in ids],
            }.items():
                progress(f"warmxfer {name}")
                yield await _command(stack, name, commands)
            cancelled = await load.wait(ids, BEGIN_LIMIT_S)
        if not cancelled:
            raise InternalError("The cancelled transfers have not ended")
    if plan.whole_commands:
        progress("warmxfer up")
        yield _seconds("command.up.seconds", [await _up_s() for _ in range(plan.starts)], UP_S)
        progress("warmxfer demo")
        demos = [await _demo_s() for _ in range(plan.starts)]
        note = "without the transfer, whose length is what people say"
        yield _seconds("command.demo.seconds", demos, DEMO_S, note)


def _seconds(name: str, took_s: list[float], limit_s: float | None = None, note: str = "") -> Row:
    return Row(
        name=name,
        value=statistics.median(took_s),
        unit="s",
        target=None if limit_s is None else Target(limit_s),
        runs=len(took_s),
        note=note,
    )


async def _up_s() -> float:
    """Return how long `up` takes until a caller is there."""
    ports = ("--port", "0", "--sandbox-port", "0", "--board-port", "0")
    took_s, _ = await until_line([*CLI, "up", *ports, "--json"], "caller_call_id")
    return took_s


async def _demo_s() -> float:
    """Return how long `demo` takes until it prints the result, without the transfer itself."""
    took_s, line = await until_line([*CLI, "demo", "--pace", DEMO_PACE, "--json"], '"result"')
    return took_s - msgspec.json.decode(line, type=_PlayedTransfer).took_s


async def _command(stack: BenchStack, name: str, commands: list[list[str]]) -> Row:
    used_s = [await child_cpu_s([*CLI, *arguments, "--url", stack.nats.url]) for arguments in commands]
    return _seconds(f"command.{name}.cpu", used_s, COMMAND_CPU_S)


async def _worker(stack: BenchStack, role: str, starts: int) -> Row:
    took_s = list[float]()
    for _ in range(starts):
        began_at = time.perf_counter()
        process = await stack.start(role)
        took_s.append(time.perf_counter() - began_at)
        await stack.stop(process)
    return _seconds(f"start.{role}", took_s)
