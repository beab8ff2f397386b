"""Each mutation makes one known mistake; the model check must find it."""

from __future__ import annotations

import pytest

from warmxfer.actors.coordinator.state_machine.command_policy import POLICY
from warmxfer.actors.coordinator.state_machine.transitions import TRANSITIONS

from .check import explore_mutation
from .mutations import MUTATIONS, Mutation


@pytest.mark.model
@pytest.mark.timeout(400)
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.mistake)
def test_the_model_check_finds_the_mutation(mutation: Mutation) -> None:
    report = explore_mutation(mutation)
    assert report.violation.startswith(mutation.invariant), report.violation or "not found"
    assert report.trace[0] == "coordinator: the transfer is requested"


def test_a_mutation_leaves_the_product_unchanged() -> None:
    before = {stage: dict(rows) for stage, rows in TRANSITIONS.items()}, dict(POLICY)
    for mutation in MUTATIONS:
        with mutation.applied():
            pass
    assert before == (TRANSITIONS, POLICY)
