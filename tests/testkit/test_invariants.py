"""The invariants of a history can fail: each one that is broken by hand is found, and no other one."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from tests.golden.record import log_path, read_log
from warmxfer.actors.coordinator.outbox import outgoing
from warmxfer.actors.coordinator.state_machine import Applied, Stage, Transfer, step
from warmxfer.actors.coordinator.state_machine.record import MACHINE_VERSION, encode_record
from warmxfer.bus import Stored, subjects
from warmxfer.schemas import unknown_member

from .invariants import HISTORY_CHECKS, only_poison_dead_lettered
from .transfer_history import TransferHistory

Mutation = Callable[[TransferHistory], object]


def complete_history() -> TransferHistory:
    """Return the history of a transfer that went well: the events of a recorded log, applied anew.

    An older version wrote that log, and what it sent may lack a field that this version sends.
    """
    recorded = read_log(log_path("ready"))
    history = TransferHistory(recorded[0].state.id)
    stored: list[tuple[str, bytes, float]] = []
    state: Transfer | None = None
    for each in recorded:
        applied = step(state, each.event, each.at)
        assert isinstance(applied, Applied)
        state = applied.state
        record = msgspec.structs.replace(each, state=applied.state, outbox=applied.outbox)
        stored.append((subjects.log(history.id), encode_record(record), record.at))
        stored += [(each.subject, each.data, record.at) for each in outgoing(record)]
    for seq, (subject, data, at) in enumerate(stored, 1):
        history.add(Stored(subject, seq, at, data, {}))
    return history


def violations(history: TransferHistory) -> list[str]:
    found = [each for check in HISTORY_CHECKS for each in check(history)]
    return [each.invariant for each in (*found, *only_poison_dead_lettered(history))]


def change_record(history: TransferHistory, place: int, **changes: Any) -> None:
    stored, record = history.records[place]
    history.records[place] = (stored, msgspec.structs.replace(record, **changes))


def repeat_trigger(history: TransferHistory) -> None:
    first = history.records[1][1]
    change_record(history, 2, trigger=first.trigger, at=first.at)


def change_outbox(history: TransferHistory) -> None:
    place = next(place for place, (_, record) in enumerate(history.records) if record.outbox)
    change_record(history, place, outbox=())


def change_stage(history: TransferHistory) -> None:
    state = history.records[1][1].state
    change_record(history, 1, state=msgspec.structs.replace(state, stage=Stage.COMPLETED))


def dead_letter(history: TransferHistory) -> None:
    history.dead_letters.append({"subject": subjects.cancel(history.id), "seq": 7, "cause": "unreadable"})


def test_a_recorded_transfer_breaks_no_invariant() -> None:
    history = complete_history()
    assert history.complete
    assert len(history.records) > 10
    assert violations(history) == []


@pytest.mark.parametrize(
    ("mutate", "broken"),
    [
        (lambda history: history.results.append(history.results[0]), {"I11"}),
        (lambda history: history.results.clear(), {"I11"}),
        (lambda history: history.phases.append(history.phases[0]), {"I11", "I12"}),
        (lambda history: history.phases.pop(1), {"I11", "I12"}),
        (lambda history: history.records.pop(2), {"I12", "I13"}),
        (change_stage, {"I12", "I13"}),
        (repeat_trigger, {"I20"}),
        (change_outbox, {"I13"}),
        (dead_letter, {"I22"}),
    ],
)
def test_a_broken_invariant_is_found(mutate: Mutation, broken: set[str]) -> None:
    history = complete_history()
    mutate(history)
    assert set(violations(history)) == broken


def test_poison_needs_a_dead_letter() -> None:
    history = complete_history()
    assert [str(each) for each in only_poison_dead_lettered(history, {7})] == [
        "I22: poison [7] was not dead-lettered"
    ]
    dead_letter(history)
    assert list(only_poison_dead_lettered(history, {7})) == []


def make_newer(history: TransferHistory, place: int) -> None:
    """Let a newer version have written one record, in a stage that this version does not know."""
    state = copy.copy(history.records[place][1].state)
    state.stage = unknown_member(Stage, "conferencing")
    change_record(history, place, state=state, machine_version=MACHINE_VERSION + 1)


def test_records_of_a_newer_version_are_taken_as_they_are() -> None:
    history = complete_history()
    for place in (5, 6, 9):
        make_newer(history, place)
    assert violations(history) == []


def test_a_record_of_this_version_is_checked_beside_those_of_a_newer_one() -> None:
    history = complete_history()
    make_newer(history, 5)
    change_record(history, 8, outbox=[])
    assert violations(history) == ["I13"]
