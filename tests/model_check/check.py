"""`python -m tests.model_check.check`: every reachable state of the real `step()`, and what must hold there.

Exit code 0: every promise holds (with `--mutations`: and every mistake was found). 1: not so, with the
shortest way there.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator

from .expected_behaviour import Habits
from .explore import Explorer, Report
from .mutations import MUTATIONS, Mutation

CONFIGS: dict[str, dict[str, str | bool]] = {
    "overlap": {"pacing": "overlap", "on_briefing_timeout": "cancel", "record": True},
    "sequential": {"pacing": "sequential", "on_briefing_timeout": "proceed"},
}


def sound(config: str) -> tuple[Explorer, Report]:
    """The machine as it is, among actors as they should be."""
    explorer = Explorer(Habits(), **CONFIGS[config])
    return explorer, explorer.run()


def mutated(mutation: Mutation) -> Report:
    """The same with one mistake in it."""
    with mutation.made():
        return Explorer(mutation.habits, **CONFIGS["overlap"]).run()


def told(report: Report) -> Iterator[str]:
    """The way to a broken promise, line by line."""
    yield f"BROKEN {report.violation}"
    for number, line in enumerate(report.trace):
        yield f"  {number:3} {line}"


def check() -> bool:
    """Explore every configuration; print what was found."""
    holds = True
    for name in CONFIGS:
        began = time.process_time()
        _, report = sound(name)
        print(
            f"{name}: {report.states:,} states, {report.transitions:,} transitions, depth {report.depth}, "
            f"{time.process_time() - began:.1f} s CPU"
        )
        ends = ", ".join(f"{stage} {count:,}" for stage, count in sorted(report.ends.items()))
        print("\n".join(told(report)) if report.violation else f"  every promise holds; clean ends: {ends}")
        holds = holds and not report.violation
    return holds


def check_mutations(*, traces: bool) -> bool:
    """Make every mistake once; print how soon it was found."""
    found = True
    for mutation in MUTATIONS:
        report = mutated(mutation)
        right = report.violation.startswith(mutation.promise)
        verdict = report.violation or "NOT FOUND"
        print(f"{mutation.mistake}\n  {verdict} ({len(report.trace)} steps, {report.states:,} states seen)")
        if traces or not right:
            print("\n".join(told(report)))
        found = found and right
    print(f"{len(MUTATIONS)} mistakes, {'each found' if found else 'NOT ALL FOUND AS THEY SHOULD BE'}")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.model_check.check", description=__doc__)
    parser.add_argument("--mutations", action="store_true", help="make every known mistake, and find it")
    parser.add_argument("--traces", action="store_true", help="with --mutations: show the way to each")
    asked = parser.parse_args()
    holds = check()
    if asked.mutations:
        holds = check_mutations(traces=asked.traces) and holds
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
