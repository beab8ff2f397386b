"""Revert each mend in a copy of the tree, and run its test: it must fail. Then print the table.

    uv run --group dev python -m tests.findings [--only PART] [--jobs 2] [--list]

The exit status is 1 if a test passed with its mend reverted, and 2 if a test fails without any change. Run it
on a quiet machine: a test that a busy machine fails would count as one that fails because of the revert.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from tests.mutants.__main__ import STOPPED
from tests.mutants.operators import Change
from tests.mutants.trial import Verdict
from tests.mutants.trials import Trials

from .listed import Revert, findings

JOBS = 2
WORDS: dict[Verdict, str] = {
    "caught": "fails",
    "timed out": "fails (no end)",
    "survived": "PASSES",
    "not tested": "FAILS WITHOUT IT",
}
"""What the test does with the mend reverted."""


def run(reverts: Sequence[Revert], jobs: int) -> int:
    """Try the reverts out. Print each outcome when it is known, and the table. Return the exit status."""
    changes = {each: each.change() for each in reverts}
    by_change = {change: each for each, change in changes.items()}
    verdicts: dict[Revert, Verdict] = {}
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="findings-") as folder:
        trials = Trials(Path(folder), jobs, None, lambda change, _: (by_change[change].stage,))
        with closing(trials.outcomes(list(by_change))) as outcomes:
            for number, outcome in enumerate(outcomes, 1):
                revert = by_change[outcome.change]
                verdicts[revert] = outcome.verdict
                print(
                    f"{number:3}/{len(reverts)}  {WORDS[outcome.verdict]:16}  {outcome.took_s:5.1f} s  "
                    f"{revert.finding}: {revert.mend}",
                    file=sys.stderr,
                    flush=True,
                )
    print("\n".join(table(reverts, verdicts, by_change)))
    failing = sum(verdict in ("caught", "timed out") for verdict in verdicts.values())
    print(
        f"\n{failing} of {len(reverts)} tests fail with their mend reverted; {time.monotonic() - began:.0f} s"
    )
    for name, output in trials.times.failed.items():
        print(f"\n{name} fails without a change:\n{output[-2_000:]}", file=sys.stderr)
    return 1 if "survived" in verdicts.values() else 2 * bool(trials.times.failed)


def table(
    reverts: Sequence[Revert], verdicts: dict[Revert, Verdict], by_change: dict[Change, Revert]
) -> list[str]:
    """Return a line for each revert: the finding, the mend, its place, its test and what the test does."""
    place = {revert: f"{change.file}:{change.number}" for change, revert in by_change.items()}
    lines = ["| finding | mend | reverted in | test | with the mend reverted |", "|---|---|---|---|---|"]
    for each in reverts:
        word = WORDS[verdicts[each]] if each in verdicts else "not run"
        lines.append(f"| {each.finding} | {each.mend} | `{place[each]}` | `{each.test}` | {word} |")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.findings", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", default="", help="a part of the name of a finding, or of a test")
    parser.add_argument("--jobs", type=int, default=JOBS, help=f"copies of the tree; {JOBS} by default")
    parser.add_argument("--list", action="store_true", help="only print the table")
    args = parser.parse_args()
    reverts = [
        revert
        for finding in findings()
        for revert in finding.reverts
        if args.only in revert.finding or args.only in revert.test
    ]
    if not reverts:
        names = ", ".join(finding.name for finding in findings())
        parser.error(f"--only is {args.only!r}; give a part of a test's path, or of {names}")
    if args.list:
        print("\n".join(table(reverts, {}, {each.change(): each for each in reverts})))
        return 0
    # SIGTERM ends the tests and removes the copies, as Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return run(reverts, args.jobs)
    except KeyboardInterrupt:
        return STOPPED


if __name__ == "__main__":
    sys.exit(main())
