"""The simulation can fail: it finds each mutation, by the invariant that the mutation breaks."""

from __future__ import annotations

import pytest

from .caller_mutations import Mutation, Patch
from .mutations import MUTATIONS
from .patches import patched
from .world import simulate

MAX_SEEDS = 1_000
"""The rarest mutation shows in one of about 300 seeds. Most show in the first ten."""
TIME_FOR_ONE_S = 600


@pytest.mark.parametrize("mutation", [each for each, _ in MUTATIONS])
def test_what_the_mutation_replaces_is_there(mutation: Mutation, monkeypatch: Patch) -> None:
    mutation(monkeypatch)


@pytest.mark.simulation
@pytest.mark.timeout(TIME_FOR_ONE_S)
@pytest.mark.parametrize(("mutation", "invariant"), MUTATIONS)
def test_the_mutation_breaks_its_invariant(mutation: Mutation, invariant: str, monkeypatch: Patch) -> None:
    with patched():
        mutation(monkeypatch)
        broken: set[str] = set()
        for seed in range(1, MAX_SEEDS + 1):
            broken |= {problem.partition(": ")[2].partition(":")[0] for problem in simulate(seed).problems}
            if invariant in broken:
                return
    pytest.fail(f"{invariant} held for {MAX_SEEDS} seeds; broken were {sorted(broken)}")
