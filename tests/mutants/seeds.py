"""Run seeds of the simulation until one is broken: `python -m tests.mutants.seeds 150`."""

from __future__ import annotations

import sys

from tests.simulation.logs import read_logs
from tests.simulation.patches import patched
from tests.simulation.world import simulate


def main(count: int) -> int:
    """Return 1 if a seed is broken."""
    read_logs(for_process=True)
    with patched():
        for seed in range(1, count + 1):
            problems = simulate(seed).problems
            if problems:
                print(f"seed {seed}: {problems[0]}")
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
