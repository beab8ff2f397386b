"""Inject every fault into a running stack, check what happened to the callers, and print the table.

Exits with 1 if an invariant was broken. Runs real processes on loopback and stops all of them at the end. A
whole run takes more than half an hour on two cores. Use `--only F5 --seed 3` to look at one fault.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

from tests.testkit.run_command import run_command

from . import (
    clock_skew,
    cloud,
    cluster,
    cpu_starvation,
    disk_full,
    fault_pairs,
    flood,
    kill_and_freeze,
    load,
    partition,
    people,
    redelivery,
    rolling_restart,
    stream_loss,
    upgrade,
)
from .report_page import machine, replace_rows, report, write
from .report_row import Row
from .scenario import ACK_WAIT_S, TIME_SCALE

FAULT_LIMIT_S = 900.0
"""Maximum time for all rows of one fault. A fault that takes longer has hung, and its row is broken."""

MAX_PROBLEMS_SHOWN = 40
Fault = Callable[[], AsyncIterator[Row]]


def faults(seed: int, in_flight: int) -> dict[str, Fault]:
    """Return each fault by its number in docs/reliability.md. Each has its own random source."""
    return {
        "F1": kill_and_freeze.f1,
        "F2": lambda: load.f2(in_flight),
        "F3": kill_and_freeze.f3,
        "F4": kill_and_freeze.f4,
        "F5": stream_loss.f5,
        "F6": cluster.f6,
        "F7": partition.f7,
        "F8": lambda: _in_turn(redelivery.f8(random.Random(seed)), cloud.f8()),
        "F9": lambda: redelivery.f9(random.Random(seed)),
        "F10": cloud.f10,
        "F11": clock_skew.f11,
        "F12": lambda: cloud.f12(random.Random(seed)),
        "F13": cloud.f13,
        "F14": lambda: people.f14(random.Random(seed)),
        "F15": disk_full.f15,
        "F16": cpu_starvation.f16,
        "F17": rolling_restart.f17,
        "F18": load.f18,
        "F19": lambda: fault_pairs.f19(random.Random(seed)),
        "F20": upgrade.f20,
        "F21": flood.f21,
    }


async def _in_turn(*parts: AsyncIterator[Row]) -> AsyncIterator[Row]:
    for part in parts:
        async for row in part:
            yield row


async def play(name: str, fault: Fault) -> list[Row]:
    """Run one fault and return its rows, also those before a failure."""
    rows: list[Row] = []
    began = time.monotonic()
    try:
        async with asyncio.timeout(FAULT_LIMIT_S):
            async for row in fault():
                rows.append(row)
                _print_row(row, time.monotonic() - began)
    except Exception as error:
        failed = Row(name, "did not finish", problems=[f"{name}: {type(error).__name__}: {error}"])
        rows.append(failed)
        _print_row(failed, time.monotonic() - began)
    return rows


def _print_row(row: Row, after_s: float) -> None:
    outcomes = ", ".join(f"{word} {count}" for word, count in row.outcomes.most_common())
    print(f"{row.fault} {row.struck} ({after_s:.0f} s): {outcomes}", file=sys.stderr, flush=True)
    for text in (*row.facts, *row.notes, *row.problems[:MAX_PROBLEMS_SHOWN]):
        print(f"    {text}", file=sys.stderr, flush=True)


async def play_all(args: argparse.Namespace) -> int:
    """Run the chosen faults one after another and print the table. Return the exit status."""
    known = faults(args.seed, args.in_flight)
    names = args.only or list(known)
    began, where = time.monotonic(), machine()
    rows: list[Row] = []
    for place, name in enumerate(names, 1):
        print(f"{name}, {place} of {len(names)}, begins", file=sys.stderr, flush=True)
        rows += await play(name, known[name])
    broken = sum(row.broken for row in rows)
    header = _header(args, where, rows, broken, time.monotonic() - began)
    text = report(header, rows)
    print(text)
    if args.write and args.only:
        replace_rows(header, names, rows)
    elif args.write:
        write(text)
    return int(bool(broken))


def _header(args: argparse.Namespace, where: str, rows: list[Row], broken: int, took_s: float) -> str:
    transfers = sum(row.transfers for row in rows)
    only = f" --only {','.join(args.only)}" if args.only else ""
    return (
        f"`python -m tests.chaos.run{only}`, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, "
        f"seed {args.seed}; {where}; "
        f"`ack_wait` {ACK_WAIT_S:g} s, people and cloud {1 / TIME_SCALE:g} times as fast as in life. "
        f"{transfers} transfers in {took_s:.0f} s, rows broken: {broken}."
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.run", description=__doc__)
    parser.add_argument("--only", type=lambda text: text.split(","), help="such as F1,F4")
    parser.add_argument("--in-flight", type=int, default=500, help="transfers under way in F2; maximum 512")
    parser.add_argument("--seed", type=int, default=1, help="seed of the random choices")
    parser.add_argument("--write", action="store_true", help="put the rows into docs/reliability.md")
    args = parser.parse_args()
    known = faults(args.seed, args.in_flight)
    if unknown := set(args.only or ()) - set(known):
        parser.error(f"--only is {', '.join(sorted(unknown))}; choose from {', '.join(known)}")
    return run_command(play_all(args))


if __name__ == "__main__":
    sys.exit(main())
