"""A check that finds nothing proves nothing: every known mistake is made once, and must be found."""

from __future__ import annotations

import pytest

from warmxfer.actors.coordinator.state_machine.command_policy import POLICY
from warmxfer.actors.coordinator.state_machine.transitions import TRANSITIONS

from .check import mutated
from .mutations import MUTATIONS, Mutation


@pytest.mark.model
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.mistake)
def test_every_known_mistake_is_found(mutation: Mutation) -> None:
    report = mutated(mutation)
    assert report.violation.startswith(mutation.promise), report.violation or "not found"
    assert report.trace[0] == "coordinator: the transfer is requested"


def test_a_mutation_leaves_the_product_as_it_was() -> None:
    before = {stage: dict(rows) for stage, rows in TRANSITIONS.items()}, dict(POLICY)
    for mutation in MUTATIONS:
        with mutation.made():
            pass
    assert before == (TRANSITIONS, POLICY)
