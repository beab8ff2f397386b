"""Draw changes of product code, run the fast tests against each, and print those that no test catches.

    uv run --group dev python -m tests.mutants [--seed N] [--count 200] [--skip 0] [--only FILE]

The exit status is 1 if a change survived that `tests/mutants/accepted.toml` does not list. Then write a test
that fails with the change. If there can be none, add the printed entry with the reason. It is 2 if a stage
fails without any change: the changes that no other stage caught are not tested then.

Run it on a quiet machine. A test that a busy machine fails would count as one that catches a change.
"""

from __future__ import annotations

import argparse
import difflib
import random
import secrets
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from .accepted import accepted, all_changes, entry
from .operators import Change
from .targets import ROOT
from .trials import Trials

COUNT = 200
JOBS = 2
STOPPED = 130
"""Exit status after SIGTERM or Ctrl-C."""


def draw(changes: Sequence[Change], count: int, seed: int) -> list[Change]:
    """Return `count` of the changes, or all if there are fewer. The same seed draws the same."""
    return random.Random(seed).sample(list(changes), min(count, len(changes)))


def diff(change: Change) -> str:
    """Return the change as a unified diff."""
    source = (ROOT / change.file).read_text(encoding="utf-8")
    lines = difflib.unified_diff(
        source.splitlines(keepends=True),
        change.applied(source).splitlines(keepends=True),
        change.file,
        change.file,
        n=2,
    )
    return "".join(lines)


def show(change: Change) -> None:
    """Print a change that survived, and the entry that would accept it."""
    print(f"\nSURVIVED {change.file}:{change.number} {change.function} ({change.operator})")
    print(diff(change))
    print(entry(change), flush=True)


def run(changes: Sequence[Change], jobs: int, limit_s: float | None) -> int:
    """Try out the changes in private copies. Returns the exit status."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        return report(changes, Trials(Path(folder), jobs, limit_s))


def report(changes: Sequence[Change], trials: Trials) -> int:
    """Print each outcome when it is known, and a sum. Returns the exit status."""
    began = time.monotonic()
    verdicts: Counter[str] = Counter()
    survivors: list[Change] = []
    with closing(trials.outcomes(changes)) as outcomes:
        for number, outcome in enumerate(outcomes, 1):
            verdicts[outcome.verdict] += 1
            passed_s = time.monotonic() - began
            left_s = passed_s / number * (len(changes) - number)
            place = f"{outcome.change.file}:{outcome.change.number}"
            print(
                f"{number:4}/{len(changes)}  {outcome.verdict:10}  {outcome.took_s:5.1f} s  {place}  "
                f"{outcome.change.operator}, by {outcome.stage}; about {left_s / 60:.0f} min left",
                file=sys.stderr,
                flush=True,
            )
            if outcome.verdict == "survived":
                survivors.append(outcome.change)
                show(outcome.change)
    counted = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items()))
    print(f"\n{len(changes)} changes in {time.monotonic() - began:.0f} s: {counted}")
    for change in survivors:
        print(f"  {change.file}:{change.number}  {change.operator}  {change.line}  =>  {change.becomes}")
    for name, output in trials.times.failed.items():
        print(f"\n{name} fails without a change, so it was left out:\n{output[-2_000:]}", file=sys.stderr)
    return 1 if survivors else 2 * bool(trials.times.failed)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutants", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seed", type=int, help="draw the same changes again")
    parser.add_argument("--count", type=int, default=COUNT, help=f"number of changes; {COUNT} by default")
    parser.add_argument("--skip", type=int, default=0, help="changes at the start that a run has tried")
    parser.add_argument("--only", default="", help="a file or folder, such as bus or bus/pull_consumer.py")
    parser.add_argument("--jobs", type=int, default=JOBS, help=f"copies of the tree; {JOBS} by default")
    parser.add_argument("--limit", type=float, help="seconds for each stage, not a multiple of its own")
    parser.add_argument("--list", action="store_true", help="only print the changes that are drawn")
    args = parser.parse_args()
    seed = secrets.randbelow(1_000_000) if args.seed is None else args.seed
    known = accepted()
    possible = all_changes(only=args.only)
    if not possible:
        parser.error(f"--only is {args.only!r}; give a file or folder of {', '.join(sorted(_folders()))}")
    fresh = [change for change in possible if change.key not in known]
    drawn = draw(fresh, args.count, seed)[args.skip :]
    without = f" without the first {args.skip}" if args.skip else ""
    print(
        f"seed {seed}: {len(drawn)} of {len(fresh)} changes{without}; "
        f"{len(possible) - len(fresh)} more are accepted",
        flush=True,
    )
    if args.list:
        for change in drawn:
            print(f"{change.file}:{change.number}  {change.operator}  {change.line}  =>  {change.becomes}")
        return 0
    # SIGTERM ends the stages and removes the copies, as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return run(drawn, args.jobs, args.limit)
    except KeyboardInterrupt:
        return STOPPED


def _folders() -> set[str]:
    return {change.file.rpartition("/")[0] for change in all_changes()}


if __name__ == "__main__":
    sys.exit(main())
