"""Runs many seeds, or one.

`python -m tests.simulation.run [--seeds 10000 --first N --jobs 2 | --seed N --trace]`

Prints each broken invariant with its seed, the outcomes, and the coverage table. Exit status 1: an invariant
was broken, a seed gave two different runs, or a cell of the table that can be hit was not hit.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context

from . import coverage
from .coverage import Struck
from .logs import read_logs
from .patches import patched
from .world import RunResult, simulate

CHUNK = 50
REPEAT_EVERY = 50
"""One seed in this many is run twice; both runs must be equal to the last bit."""
MAX_SHOWN = 20


@dataclass
class Tally:
    """The sum of many runs."""

    seeds: int = 0
    steps: int = 0
    virtual_s: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)
    struck: Struck = field(default_factory=Counter)
    broken: list[tuple[int, tuple[str, ...]]] = field(default_factory=list)

    def add(self, result: RunResult) -> None:
        self.seeds += 1
        self.steps += result.steps
        self.virtual_s += result.virtual_s
        self.outcomes.update(result.outcomes)
        for cell, count in result.struck.items():  # `Counter.update` checks its argument's type slowly.
            self.struck[cell] += count
        if result.problems:
            self.broken.append((result.seed, result.problems))

    def merge(self, other: Tally) -> None:
        self.seeds += other.seeds
        self.steps += other.steps
        self.virtual_s += other.virtual_s
        self.outcomes.update(other.outcomes)
        self.struck.update(other.struck)
        self.broken += other.broken


def run_seeds(seeds: Sequence[int]) -> Tally:
    """Run these seeds, some of them twice."""
    tally = Tally()
    with patched(), ignored_errors() as ignored:
        for seed in seeds:
            result = simulate(seed)
            if seed % REPEAT_EVERY == 0 and simulate(seed).digest != result.digest:
                result = _unrepeatable(result)
            tally.add(result)
        gc.collect()
    if ignored:
        tally.broken.append((seeds[-1], (f"left behind by one of seeds {seeds[0]} to {seeds[-1]}", *ignored)))
    return tally


@contextmanager
def ignored_errors() -> Iterator[list[str]]:
    """Collect the errors that Python can only print: those in a coroutine that is closed as it is deleted."""
    found: list[str] = []
    before = sys.unraisablehook
    sys.unraisablehook = lambda args: found.append(f"{args.exc_value!r} in {args.object!r}")
    try:
        yield found
    finally:
        sys.unraisablehook = before


def run_many(first: int, count: int, jobs: int) -> Iterator[Tally]:
    """Run `count` seeds from `first` on in `jobs` processes; yield a tally for each chunk."""
    chunks = [range(at, min(at + CHUNK, first + count)) for at in range(first, first + count, CHUNK)]
    gc.collect()
    gc.freeze()  # Loaded modules stay: later collections can skip them.
    if jobs == 1:
        yield from map(run_seeds, chunks)
        return
    with get_context("fork").Pool(
        jobs, initializer=partial(read_logs, for_process=True), maxtasksperchild=20
    ) as pool:
        yield from pool.imap_unordered(run_seeds, chunks)


def _unrepeatable(result: RunResult) -> RunResult:
    problems = (*result.problems, "the same seed gave a different run")
    return RunResult(
        result.seed,
        result.digest,
        problems,
        result.struck,
        result.outcomes,
        result.trace,
        result.virtual_s,
        result.steps,
    )


def show_one(seed: int, *, trace: bool) -> int:
    """Print one seed, run twice. Return the exit status."""
    with patched():
        result, again = simulate(seed), simulate(seed)
    if trace:
        print(result.trace.shown())
    print(f"seed {seed}: {', '.join(result.outcomes)}; {result.virtual_s:.1f} s; digest {result.digest}")
    for problem in result.problems:
        print(f"  {problem}")
    if again.digest != result.digest:
        print("  the same seed gave a different run")
    return int(bool(result.problems) or again.digest != result.digest)


def show_many(first: int, count: int, jobs: int) -> int:
    """Print the sum of many runs. Return the exit status."""
    began = time.monotonic()
    total = Tally()
    for tally in run_many(first, count, jobs):
        total.merge(tally)
        if sys.stderr.isatty():
            print(f"\r{total.seeds} seeds, {len(total.broken)} broken", end="", file=sys.stderr)
    for seed, problems in sorted(total.broken)[:MAX_SHOWN]:
        print(f"seed {seed}: " + "\n  ".join(problems))
    took_s = time.monotonic() - began
    print(f"\n{coverage.table(total.struck)}\n")
    print("outcomes: " + ", ".join(f"{word} {times}" for word, times in total.outcomes.most_common()))
    print(
        f"{total.seeds} seeds from {first} in {took_s:.0f} s ({jobs} jobs): {len(total.broken)} broken, "
        f"{sum(total.struck.values())} faults, {total.virtual_s / 3_600:.0f} virtual hours"
    )
    empty = coverage.empty_cells(total.struck) if count >= coverage.SEEDS_FOR_EVERY_CELL else []
    if empty:
        print(f"{len(empty)} cells were never hit: {', '.join(empty)}")
    if total.broken:
        print(f"show one again: python -m tests.simulation.run --seed {min(total.broken)[0]} --trace")
    return int(bool(total.broken or empty))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.run", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many seeds")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--seed", type=int, help="run only this seed, twice")
    parser.add_argument("--trace", action="store_true", help="with --seed: print everything that happened")
    args = parser.parse_args()
    read_logs(for_process=True)
    if args.seed is not None:
        return show_one(args.seed, trace=args.trace)
    return show_many(args.first, args.seeds, args.jobs)


if __name__ == "__main__":
    sys.exit(main())
