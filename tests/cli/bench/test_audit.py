"""The check by the ledger: each way in which a ledger can be broken is found."""

from __future__ import annotations

import pytest

from warmxfer.cli.bench.audit import check_ledger, undialled
from warmxfer.cli.bench.cloud.calls import caller_call, supervisor_call
from warmxfer.cli.bench.cloud.ledger import Entry
from warmxfer.schemas import participant_ids

ID, SESSION, ROOM = "transfer-1", "s1", "c-transfer-1"
SUPERVISOR = participant_ids.supervisor(ID, 1)
DIAL = Entry("dial", supervisor_call(SUPERVISOR), ROOM, SUPERVISOR, answered=True)
MOVE = Entry("move", caller_call(SESSION), ROOM, participant_ids.caller_consult(ID))


def problems(*entries: Entry, complete: bool = True) -> list[str]:
    return check_ledger(entries, {ID: SESSION}, frozenset({ID} if complete else ()))


def test_one_dial_and_one_move_are_a_complete_transfer() -> None:
    assert problems(DIAL, MOVE) == []


def test_a_transfer_that_has_not_ended_owes_nothing() -> None:
    assert problems(DIAL, complete=False) == []


@pytest.mark.parametrize(
    ("entries", "found"),
    [
        ((DIAL, DIAL, MOVE), "dialled a supervisor more than once"),
        ((DIAL, MOVE, MOVE), "moved the caller more than once"),
        ((MOVE,), "the caller is not with the supervisor"),
        ((DIAL,), "the caller is not with the supervisor"),
        ((DIAL, MOVE, Entry("end", supervisor_call(SUPERVISOR))), "the caller is not with the supervisor"),
        ((DIAL, MOVE, Entry("end", caller_call(SESSION))), "ended the caller's call"),
    ],
)
def test_a_broken_ledger_is_found(entries: tuple[Entry, ...], found: str) -> None:
    (problem,) = problems(*entries)
    assert found in problem
    assert ID in problem


def test_a_second_dial_counts_even_if_the_transfer_failed() -> None:
    (problem,) = problems(DIAL, DIAL, complete=False)
    assert problem.startswith("1 of 1 transfers dialled a supervisor more than once")


def test_a_failed_transfer_is_undialled_only_if_the_ledger_has_no_dial_of_it() -> None:
    assert undialled([DIAL], [ID, "t-2"], at_most=1) == {"t-2"}
    assert undialled([MOVE], [ID], at_most=1) == {ID}


def test_more_undialled_transfers_than_allowed_are_all_problems() -> None:
    assert undialled([], [ID, "t-2"], at_most=1) == frozenset()
    assert undialled([], [ID], at_most=0) == frozenset()
