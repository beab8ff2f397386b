"""Model check: every reachable state of the product's `step()`, and the invariants that must hold there.

Exit code 0: every invariant holds (with `--mutations`: and every mutation is found). Exit code 1: not so; the
output has a shortest trace to the violation.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from typing import Any

from warmxfer.schemas import RescueByAgent

from .expected_behaviour import ExpectedBehaviour
from .explorer import Explorer, Report
from .mutations import MUTATIONS, Mutation

CONFIGS: dict[str, dict[str, Any]] = {
    "overlap": {"pacing": "overlap", "on_briefing_timeout": "cancel", "record": True, "bridge_guard_s": 5.0},
    "sequential": {
        "pacing": "sequential",
        "on_briefing_timeout": "proceed",
        "record": True,
        "bridge_guard_s": None,
    },
    "rescue": {"pacing": "sequential", "bridge_guard_s": 5.0, "rescue": RescueByAgent(agent_id="agent")},
}


BEHAVIOURS = {"rescue": ExpectedBehaviour(session_may_die=True)}
"""What differs in the actors of a configuration."""


def explore_config(config: str) -> tuple[Explorer, Report]:
    """Explore the product as it is, with actors that behave as expected."""
    explorer = Explorer(BEHAVIOURS.get(config, ExpectedBehaviour()), **CONFIGS[config])
    return explorer, explorer.run()


def explore_mutation(mutation: Mutation) -> Report:
    """Explore the mutation's configuration, with the mutation applied."""
    with mutation.applied():
        return Explorer(mutation.behaviour, **CONFIGS[mutation.config]).run()


def trace_lines(report: Report) -> Iterator[str]:
    """Yield the violation and the trace to it, line by line."""
    yield f"BROKEN {report.violation}"
    for number, line in enumerate(report.trace):
        yield f"  {number:3} {line}"


def check() -> bool:
    """Explore every configuration and print the reports. Return True if every invariant holds."""
    holds = True
    for name in CONFIGS:
        started_s = time.process_time()
        _, report = explore_config(name)
        print(
            f"{name}: {report.states:,} states, {report.transitions:,} transitions, depth {report.depth}, "
            f"{time.process_time() - started_s:.1f} s CPU"
        )
        ends = ", ".join(f"{stage} {count:,}" for stage, count in sorted(report.clean_ends.items()))
        holding = f"  every invariant holds; clean ends: {ends}"
        print("\n".join(trace_lines(report)) if report.violation else holding)
        holds = holds and not report.violation
    return holds


def check_mutations(*, traces: bool) -> bool:
    """Explore with each mutation and print what was found. Return True if each was found as expected."""
    all_found = True
    for mutation in MUTATIONS:
        report = explore_mutation(mutation)
        found = report.violation.startswith(mutation.invariant)
        result = report.violation or "NOT FOUND"
        print(f"{mutation.mistake}\n  {result} ({len(report.trace)} steps, {report.states:,} states seen)")
        if traces or not found:
            print("\n".join(trace_lines(report)))
        all_found = all_found and found
    print(f"{len(MUTATIONS)} mutations, {'each found' if all_found else 'NOT ALL FOUND AS EXPECTED'}")
    return all_found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.model_check.check", description=__doc__)
    parser.add_argument("--mutations", action="store_true", help="also apply each mutation and find it")
    parser.add_argument("--traces", action="store_true", help="with --mutations: print the trace to each")
    arguments = parser.parse_args()
    holds = check()
    if arguments.mutations:
        holds = check_mutations(traces=arguments.traces) and holds
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
