"""The checks of a scenario, by the sandbox's transfer report."""

from __future__ import annotations

from typing import Any

import pytest

from warmxfer.cli.local_stack.stack import PlacedCall
from warmxfer.cli.scenario_runner import check_result, told_to_machine
from warmxfer.cli.scenarios import BY_NAME
from warmxfer.schemas import Outcome, WarmTransferPhase, WarmTransferResult

CALLER = PlacedCall("primary", "call-1", "caller-1")
MOVED = {
    "dials": {"t-1": 1},
    "switches": {"forward": 1, "back": 0},
    "supervisorLegsUp": 1,
    "callerLegUp": True,
    "callerEndedBy": None,
    "callerRoom": "consultation",
    "callerHeld": True,
    "callerAlone": False,
    "talking": [["wxc-t", "wxs-t-1"], ["wxs-t-1", "wxc-t"]],
}
RETURNED = {
    **MOVED,
    "switches": {"forward": 0, "back": 0},
    "supervisorLegsUp": 0,
    "callerRoom": "primary",
    "callerHeld": False,
    "talking": [],
}


def result(outcome: Outcome) -> WarmTransferResult:
    complete = outcome is Outcome.COMPLETE
    phase = WarmTransferPhase.TRANSFER_COMPLETE if complete else WarmTransferPhase.TRANSFER_CANCELLED
    return WarmTransferResult(
        success=complete,
        phase=phase,
        outcome=outcome,
        consultation_room_id="consultation",
        supervisor_call_id=None,
        switched_call_id=None,
        summary="",
    )


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({}, None),
        ({"dials": {"t-1": 2}}, "the supervisor was dialled more than once: {'t-1': 2}"),
        ({"switches": {"forward": 2, "back": 0}}, "the caller was moved 2 times"),
        ({"supervisorLegsUp": 0}, "the supervisor legs still up are 0, not 1"),
        ({"callerEndedBy": "api"}, "warmxfer ended the caller's leg"),
        ({"callerRoom": "primary"}, "the caller is not with the supervisor"),
        ({"talking": [["wxc-t", "wxs-t-1"]]}, "the caller and the supervisor do not hear each other"),
    ],
)
def test_checks_of_a_completed_transfer(change: dict[str, Any], problem: str | None) -> None:
    found = check_result(BY_NAME["ready"], CALLER, result(Outcome.COMPLETE), MOVED | change)
    assert found == ([problem] if problem else [])


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({}, None),
        ({"supervisorLegsUp": 1}, "the supervisor legs still up are 1, not 0"),
        ({"callerRoom": "consultation"}, "the caller is not back with the AI"),
        ({"callerHeld": True}, "the caller is still on hold"),
        ({"callerAlone": True}, "the caller is alone: the AI has left"),
        ({"callerHeld": True, "callerLegUp": False, "callerEndedBy": "person"}, None),
    ],
)
def test_checks_of_a_returned_caller(change: dict[str, Any], problem: str | None) -> None:
    found = check_result(BY_NAME["busy"], CALLER, result(Outcome.SUPERVISOR_BUSY), RETURNED | change)
    assert found == ([problem] if problem else [])


def test_an_unexpected_outcome_is_a_problem() -> None:
    found = check_result(BY_NAME["busy"], CALLER, result(Outcome.DECLINED), RETURNED)
    assert found == ["the outcome is declined, not supervisor_busy"]


def test_a_part_of_the_summary_said_to_a_mailbox_is_a_problem() -> None:
    summary = "Ann was charged twice. She wants one charge refunded."
    assert told_to_machine(summary, ["Hi, I'm the AI assistant.", ""]) == []
    assert told_to_machine(summary, ["Ann was charged twice."]) == [
        "a mailbox was told 'Ann was charged twice.'"
    ]
