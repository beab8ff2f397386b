"""Run thousands of transfers through one local stack, and check that its processes do not grow.

Each transfer is checked as in `tests.chaos`. At each mark the traffic pauses, and the memory and the open
descriptors of every process are read. Exits with 1 if a process is not level, a transfer has no result, or an
invariant is broken. Runs real processes on loopback and stops all of them at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import nats

from tests.chaos.report_page import machine, write
from tests.chaos.scenario import TIME_SCALE, Scenario, open_scenario
from tests.testkit.run_command import run_command
from warmxfer.bus.stream import STREAM
from warmxfer.cli.local_stack.managed_process import ManagedProcess
from warmxfer.cli.local_stack.stack import ROLES

from .level import BROKER, CLOUD, Sample, read_sample, table, unlevel
from .traffic import PROVIDER_TIMEOUT_S, Traffic, slow_cloud

MARKS = (500, 1_000, 2_500, 5_000)
GATEWAY_JOBS = 64
"""As many as its HTTP pool has connections."""
STAYING = 3
"""How many callers stay for the whole run."""
SETTLE_S = 7.0
"""Longer than an unused connection stays open."""
SETTLING_TRANSFERS = 5
"""Transfers after the pause and before a sample: a pool closes its old connections when it is used."""
PROGRESS_S = 10.0
MAX_PROBLEMS_SHOWN = 40
MIN_LIMIT_S, LIMIT_PER_TRANSFER_S = 300.0, 1.5


async def _stream_bytes(url: str) -> int:
    """Return how much the stream takes on disk."""
    connection = await nats.connect(url, connect_timeout=5)
    try:
        return (await connection.jetstream(timeout=5).stream_info(STREAM)).state.bytes
    finally:
        await connection.close()


class Soak:
    """One run: the traffic, and the samples of every process that stays."""

    def __init__(self, scenario: Scenario, traffic: Traffic, staying: ManagedProcess) -> None:
        self.series: dict[str, list[Sample]] = {}
        self._scenario = scenario
        self._traffic = traffic
        stack = scenario.stack
        self._processes = {
            f"{role} {number}" if len(stack.running(role)) > 1 else role: process
            for role in (*ROLES, CLOUD)
            for number, process in enumerate(stack.running(role), 1)
        } | {"primary": staying}

    async def run(self, marks: list[int], in_flight: int, cloud: str) -> None:
        """Run transfers from mark to mark, and take a sample at each."""
        for mark in marks:
            async with AsyncExitStack() as slow:
                if cloud == "slow":
                    await slow.enter_async_context(slow_cloud(self._scenario))
                await self._traffic.run(mark - self._traffic.ended - SETTLING_TRANSFERS, in_flight)
            await asyncio.sleep(SETTLE_S)
            await self._traffic.run(SETTLING_TRANSFERS, in_flight)
            self._sample(mark)
            _print(f"sample at {mark}:\n{table(self.series)}")

    def _sample(self, mark: int) -> None:
        pids = {name: process.pid for name, process in self._processes.items()}
        for name, pid in (pids | {BROKER: self._scenario.stack.nats.pid}).items():
            self.series.setdefault(name, []).append(read_sample(pid, mark))


async def play(args: argparse.Namespace) -> int:
    """Run the soak and print its table. Return the exit status."""
    where, began = machine(), time.monotonic()
    marks = sorted({mark for mark in args.marks if mark < args.transfers} | {args.transfers})
    env = {"WARMXFER_GATEWAY_JOBS": f"{GATEWAY_JOBS}"}
    if args.cloud == "slow":
        env["WARMXFER_PROVIDER_TIMEOUT_S"] = f"{PROVIDER_TIMEOUT_S:g}"
    async with open_scenario(env=env) as scenario:
        traffic = Traffic(scenario, random.Random(args.seed))
        soak = Soak(scenario, traffic, await traffic.let_callers_stay(STAYING))
        progress = asyncio.create_task(_show_progress(traffic, args.transfers))
        try:
            async with asyncio.timeout(args.limit_s):
                await soak.run(marks, args.in_flight, args.cloud)
        except TimeoutError:
            traffic.row.problems.append(
                f"{traffic.ended} of {args.transfers} transfers ended within {args.limit_s:g} s; "
                "give a larger --limit-s"
            )
        finally:
            progress.cancel()
        series = soak.series
        kept_kb = await _stream_bytes(scenario.url) / max(traffic.ended, 1) / 1024
    row, took_s = traffic.row, time.monotonic() - began
    row.problems += unlevel(series)
    outcomes = ", ".join(f"{word} {count}" for word, count in row.outcomes.most_common())
    happened = ", ".join(f"{what} {count}" for what, count in row.happened.items() if count)
    text = "\n".join(
        (
            f"`python -m tests.soak.run --transfers {args.transfers} --cloud {args.cloud}`, "
            f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, seed {args.seed}; {where}; people and cloud "
            f"{1 / TIME_SCALE:g} times as fast as in life. {row.transfers} transfers in {took_s:.0f} s: "
            f"{outcomes}. Broken: {happened or 'nothing'}. The stream took {kept_kb:.0f} KB a transfer.",
            "",
            table(series),
        )
    )
    for problem in row.problems[:MAX_PROBLEMS_SHOWN]:
        _print(problem)
    print(text)
    if args.write and not row.broken:
        write(text, begin=f"<!-- soak {args.cloud} -->", end=f"<!-- /soak {args.cloud} -->")
    return int(row.broken)


async def _show_progress(traffic: Traffic, total: int) -> None:
    began = time.monotonic()
    while True:
        await asyncio.sleep(PROGRESS_S)
        took_s = time.monotonic() - began
        found = f", {len(traffic.row.problems)} problems" if traffic.row.problems else ""
        _print(f"{traffic.ended} of {total} transfers after {took_s:.0f} s{found}")


def _print(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak.run", description=__doc__)
    parser.add_argument("--transfers", type=int, default=3_000, help="how many transfers in all")
    parser.add_argument(
        "--marks",
        type=lambda text: [int(mark) for mark in text.split(",")],
        default=list(MARKS),
        help="after how many transfers to read memory and descriptors; three or more",
    )
    parser.add_argument("--cloud", choices=["slow", "fast"], default="slow", help="slow: late at times")
    parser.add_argument("--in-flight", type=int, default=55, help="transfers under way at a time")
    parser.add_argument("--seed", type=int, default=1, help="seed of the random choices")
    parser.add_argument(
        "--limit-s", type=float, help="maximum time; default 1.5 s a transfer, at least 300 s"
    )
    parser.add_argument(
        "--write", action="store_true", help="put the table of this cloud into docs/reliability.md"
    )
    args = parser.parse_args()
    args.limit_s = args.limit_s or max(MIN_LIMIT_S, args.transfers * LIMIT_PER_TRANSFER_S)
    return run_command(play(args))


if __name__ == "__main__":
    sys.exit(main())
