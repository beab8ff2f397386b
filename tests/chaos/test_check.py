"""The judge of every fault can find somebody guilty: each promise broken by hand is seen."""

from __future__ import annotations

from typing import Any

import pytest

from warmxfer.schemas import Outcome, WarmTransferPhase, WarmTransferResult

from .check import Executed, executed

PRIMARY, CONSULTATION = "primary", "consultation"
AT_THE_AI = {
    "dials": {"t-1": 1},
    "switches": {"forward": 0, "back": 0},
    "supervisorLegsUp": 0,
    "supervisorEndedBy": None,
    "callerLegUp": True,
    "callerEndedBy": None,
    "callerRoom": PRIMARY,
    "callerHeld": False,
    "callerAlone": False,
}
WITH_SUPERVISOR = AT_THE_AI | {
    "switches": {"forward": 1, "back": 0},
    "supervisorLegsUp": 1,
    "callerRoom": CONSULTATION,
}
NOTHING = Executed(second_dials=0, second_switches=0, legs_left=0, muted=0, left_alone=0, cut_off=0)


def result(success: bool) -> WarmTransferResult:
    return WarmTransferResult(
        success=success,
        phase=WarmTransferPhase.TRANSFER_COMPLETE if success else WarmTransferPhase.TRANSFER_FAILED,
        outcome=Outcome.COMPLETE if success else Outcome.SUPERVISOR_BUSY,
        consultation_room_id=CONSULTATION,
        supervisor_call_id=None,
        switched_call_id=None,
        summary="",
    )


@pytest.mark.parametrize(
    ("verdict", "told"),
    [
        (AT_THE_AI, result(False)),
        (AT_THE_AI, None),
        (WITH_SUPERVISOR, result(True)),
        (WITH_SUPERVISOR, None),
        ({**AT_THE_AI, "callerLegUp": False, "callerEndedBy": "person", "callerRoom": None}, result(False)),
        ({**WITH_SUPERVISOR, "callerAlone": True, "supervisorEndedBy": "person"}, result(True)),
    ],
)
def test_who_is_where_they_should_be_breaks_nothing(
    verdict: dict[str, Any], told: WarmTransferResult | None
) -> None:
    assert executed(verdict, told, PRIMARY) == NOTHING


@pytest.mark.parametrize(
    ("verdict", "told", "seen"),
    [
        ({**AT_THE_AI, "dials": {"t-1": 2}}, result(False), {"second_dials": 1}),
        ({**AT_THE_AI, "dials": {"t-1": 1, "t-2": 1}}, result(False), {"second_dials": 1}),
        ({**WITH_SUPERVISOR, "switches": {"forward": 2, "back": 0}}, result(True), {"second_switches": 1}),
        ({**AT_THE_AI, "switches": {"forward": 1, "back": 2}}, result(False), {"second_switches": 1}),
        ({**AT_THE_AI, "supervisorLegsUp": 1}, result(False), {"legs_left": 1}),
        ({**WITH_SUPERVISOR, "supervisorLegsUp": 2}, result(True), {"legs_left": 1}),
        ({**AT_THE_AI, "callerHeld": True}, result(False), {"muted": 1}),
        ({**AT_THE_AI, "callerRoom": None}, result(False), {"muted": 1}),
        ({**WITH_SUPERVISOR, "supervisorLegsUp": 0}, result(False), {"muted": 1}),
        ({**WITH_SUPERVISOR, "supervisorLegsUp": 0}, None, {"muted": 1}),
        (AT_THE_AI, result(True), {"muted": 1}),
        ({**AT_THE_AI, "callerAlone": True}, result(False), {"left_alone": 1, "muted": 0}),
        ({**AT_THE_AI, "callerAlone": True}, None, {"left_alone": 1}),
        (
            {**WITH_SUPERVISOR, "callerAlone": True, "supervisorEndedBy": "api"},
            result(True),
            {"left_alone": 1},
        ),
        ({**AT_THE_AI, "callerLegUp": False, "callerEndedBy": "cloud"}, result(False), {"cut_off": 1}),
    ],
)
def test_a_broken_promise_is_seen(
    verdict: dict[str, Any], told: WarmTransferResult | None, seen: dict[str, int]
) -> None:
    found = executed(verdict, told, PRIMARY)
    assert {name: getattr(found, name) for name in seen} == seen
    assert found != NOTHING
