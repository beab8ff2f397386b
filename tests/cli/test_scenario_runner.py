"""What counts as a fault of a scenario, judged from the ledger."""

from __future__ import annotations

from typing import Any

import pytest

from warmxfer.cli.local_stack.stack import PlacedCall
from warmxfer.cli.scenario_runner import check_result
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
BACK = {
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
    ("verdict", "fault"),
    [
        ({}, None),
        ({"dials": {"t-1": 2}}, "the supervisor was dialled {'t-1': 2}"),
        ({"switches": {"forward": 2, "back": 0}}, "the caller was moved 2 times"),
        ({"supervisorLegsUp": 0}, "0 legs of the supervisor are up"),
        ({"callerEndedBy": "api"}, "the caller's leg was ended by us"),
        ({"callerRoom": "primary"}, "the caller is not with the supervisor"),
        ({"talking": [["wxc-t", "wxs-t-1"]]}, "the two do not hear each other"),
    ],
)
def test_a_completed_transfer(verdict: dict[str, Any], fault: str | None) -> None:
    found = check_result(BY_NAME["ready"], CALLER, result(Outcome.COMPLETE), MOVED | verdict)
    assert found == ([fault] if fault else [])


@pytest.mark.parametrize(
    ("verdict", "fault"),
    [
        ({}, None),
        ({"supervisorLegsUp": 1}, "1 legs of the supervisor are up"),
        ({"callerRoom": "consultation"}, "the caller is not back with the AI"),
        ({"callerHeld": True}, "the caller is still on hold"),
        ({"callerAlone": True}, "the caller is alone: the AI has left"),
        ({"callerHeld": True, "callerLegUp": False, "callerEndedBy": "person"}, None),
    ],
)
def test_a_transfer_that_came_back(verdict: dict[str, Any], fault: str | None) -> None:
    found = check_result(BY_NAME["busy"], CALLER, result(Outcome.SUPERVISOR_BUSY), BACK | verdict)
    assert found == ([fault] if fault else [])


def test_another_outcome_than_expected_is_a_fault() -> None:
    found = check_result(BY_NAME["busy"], CALLER, result(Outcome.DECLINED), BACK)
    assert found == ["it ended declined, not supervisor_busy"]
