"""The model check as a test: every invariant holds, and every possible event was delivered."""

from __future__ import annotations

import pytest

from warmxfer.actors.coordinator.state_machine import Stage
from warmxfer.actors.coordinator.state_machine.transitions import TRANSITIONS

from .check import CONFIGS, explore_config, trace_lines
from .events import ABSTRACT_EVENTS
from .explorer import Explorer, Report

pytestmark = [pytest.mark.model, pytest.mark.timeout(400)]

NEVER_DELIVERED = {
    f"return_caller failed: {fault}" for fault in ("caller_gone", "supervisor_gone", "called_off")
}
"""Faults that no gateway reports for a return."""

WITHOUT_EFFECT = {f"legs checked before they were seen: {leg} gone" for leg in ("caller", "supervisor")}
"""Events that may come at any time and change nothing. A mutation shows that they are delivered."""


@pytest.fixture(scope="module")
def explored() -> dict[str, tuple[Explorer, Report]]:
    return {name: explore_config(name) for name in CONFIGS}


@pytest.mark.parametrize("config", CONFIGS)
def test_every_invariant_holds_in_every_reachable_state(
    explored: dict[str, tuple[Explorer, Report]], config: str
) -> None:
    _, report = explored[config]
    assert not report.violation, "\n".join(trace_lines(report))
    assert set(report.clean_ends) == {"completed", "cancelled", "failed"}


def test_every_possible_event_was_delivered(explored: dict[str, tuple[Explorer, Report]]) -> None:
    """The invariants would also hold in a check that never delivers a hang-up."""
    delivered = {name for explorer, _ in explored.values() for name in explorer.delivered}
    assert {event.name for event in ABSTRACT_EVENTS} - delivered == NEVER_DELIVERED | WITHOUT_EFFECT


def test_exactly_the_stage_changes_of_the_table_were_taken(
    explored: dict[str, tuple[Explorer, Report]],
) -> None:
    taken = {change for explorer, _ in explored.values() for change in explorer.taken}
    in_table = {
        (stage, event, to)
        for stage, rows in TRANSITIONS.items()
        for event, transition in rows.items()
        for to in transition.to
        if stage is not to and stage is not Stage.NEW
    }
    assert in_table == {(stage, event, to) for stage, event, to in taken if stage is not to}
