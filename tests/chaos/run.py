"""Break everything that can break, look at what became of the callers, and print the table.

Exits 1 when a promise was broken. Real processes on loopback; nothing is left behind.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import random
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable

import structlog

from . import blows, cloud, cluster, crowds, cut, people
from .row import Row, table

FAULT_LIMIT_S = 600.0
"""One fault, all of its rows; what takes longer has hung, and is a broken promise."""

MAX_PROBLEMS_SHOWN = 40
STOPPED = 130
Fault = Callable[[], AsyncIterator[Row]]


def faults(args: argparse.Namespace) -> dict[str, Fault]:
    """Every fault by its number in the matrix of docs/reliability.md."""
    chance = random.Random(args.seed)
    return {
        "F1": blows.f1,
        "F2": lambda: crowds.f2(args.in_flight),
        "F3": blows.f3,
        "F4": blows.f4,
        "F6": cluster.f6,
        "F7": cut.f7,
        "F8": cloud.f8,
        "F12": lambda: cloud.f12(chance),
        "F13": cloud.f13,
        "F14": lambda: people.f14(chance),
        "F18": crowds.f18,
    }


async def play(name: str, fault: Fault) -> list[Row]:
    """All rows of one fault, those before a failure too."""
    rows: list[Row] = []
    began = time.monotonic()
    try:
        async with asyncio.timeout(FAULT_LIMIT_S):
            async for row in fault():
                rows.append(row)
                _tell(row, time.monotonic() - began)
    except Exception as error:
        failed = Row(name, "did not finish", problems=[f"{name}: {type(error).__name__}: {error}"])
        rows.append(failed)
        _tell(failed, time.monotonic() - began)
    return rows


def _tell(row: Row, after_s: float) -> None:
    outcomes = ", ".join(f"{word} {count}" for word, count in row.outcomes.most_common())
    print(f"{row.fault} {row.struck} ({after_s:.0f} s): {outcomes}", file=sys.stderr, flush=True)
    for text in (*row.notes, *row.problems[:MAX_PROBLEMS_SHOWN]):
        print(f"    {text}", file=sys.stderr, flush=True)


async def play_all(args: argparse.Namespace) -> int:
    """Play what was asked for, one after another, and print the table."""
    playing = asyncio.current_task()
    assert playing is not None
    # Asked to end, it takes its houses down with it.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, playing.cancel)
    known = faults(args)
    began = time.monotonic()
    rows: list[Row] = []
    for name in args.only or known:
        rows += await play(name, known[name])
    print(table(rows))
    broken = [row for row in rows if row.broken]
    transfers = sum(row.transfers for row in rows)
    took_s = time.monotonic() - began
    print(f"\n{transfers} transfers in {took_s:.0f} s, seed {args.seed}: {len(broken)} rows broken")
    return int(bool(broken))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.run", description=__doc__)
    parser.add_argument("--only", type=lambda text: text.split(","), help="such as F1,F4")
    parser.add_argument("--in-flight", type=int, default=100, help="transfers under way in F2")
    parser.add_argument("--seed", type=int, default=1, help="for what is left to chance")
    args = parser.parse_args()
    if unknown := set(args.only or ()) - set(faults(args)):
        parser.error(f"--only is {', '.join(sorted(unknown))}; choose from {', '.join(faults(args))}")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        return asyncio.run(play_all(args))
    except (asyncio.CancelledError, KeyboardInterrupt):
        return STOPPED


if __name__ == "__main__":
    sys.exit(main())
