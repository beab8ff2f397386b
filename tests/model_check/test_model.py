"""The exhaustive check, as a test: every promise holds, and nothing that can happen was left out."""

from __future__ import annotations

import pytest

from warmxfer.actors.coordinator.state_machine import Stage
from warmxfer.actors.coordinator.state_machine.transitions import TRANSITIONS

from .check import CONFIGS, sound, told
from .events import SYMBOLS
from .explore import Explorer, Report

pytestmark = [pytest.mark.model, pytest.mark.timeout(400)]

NEVER_ANSWERED = {
    f"return_caller failed: {fault}" for fault in ("caller_gone", "supervisor_gone", "called_off")
}
"""Faults that no gateway gives for a return."""


@pytest.fixture(scope="module")
def explored() -> dict[str, tuple[Explorer, Report]]:
    return {name: sound(name) for name in CONFIGS}


@pytest.mark.parametrize("config", CONFIGS)
def test_every_promise_holds_in_every_reachable_state(
    explored: dict[str, tuple[Explorer, Report]], config: str
) -> None:
    _, report = explored[config]
    assert not report.violation, "\n".join(told(report))
    assert set(report.ends) == {"completed", "cancelled", "failed"}


def test_nothing_that_can_be_told_was_left_untold(explored: dict[str, tuple[Explorer, Report]]) -> None:
    """A check that never tells the machine of a hang-up would hold as well."""
    heard = {name for explorer, _ in explored.values() for name in explorer.told}
    assert {symbol.name for symbol in SYMBOLS} - heard == NEVER_ANSWERED


def test_every_way_the_table_shows_is_taken_and_no_other(
    explored: dict[str, tuple[Explorer, Report]],
) -> None:
    taken = {way for explorer, _ in explored.values() for way in explorer.taken}
    shown = {
        (stage, event, to)
        for stage, rows in TRANSITIONS.items()
        for event, rule in rows.items()
        for to in rule.to
        if stage is not to and stage is not Stage.NEW
    }
    assert shown == {(stage, event, to) for stage, event, to in taken if stage is not to}
