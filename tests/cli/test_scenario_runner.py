"""The checks of a scenario, by the sandbox's transfer report."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from warmxfer.cli.local_stack.stack import PlacedCall
from warmxfer.cli.scenario_runner import check_briefing, check_result
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
        detail=f"It ended as {outcome}.",
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
    assert found == ["the outcome is declined, not supervisor_busy (It ended as declined.)"]


SUMMARY = "Hi, this is Ann. Ann was charged twice. She wants one charge refunded."
GREETING = ("wxa-t", "Hi, I'm the AI assistant.")
TOLD = ("wxa-t", "Ann was charged twice.")


def briefing(scenario: str, outcome: Outcome, *said: tuple[str, str]) -> list[str]:
    speech = [{"participantId": speaker, "text": text} for speaker, text in said]
    return check_briefing(
        BY_NAME[scenario], msgspec.structs.replace(result(outcome), summary=SUMMARY), speech
    )


def test_a_summary_told_to_a_person_is_no_problem() -> None:
    assert briefing("ready", Outcome.COMPLETE, GREETING, ("wxs-t-1", "Hello?"), TOLD) == []
    assert briefing("declined", Outcome.DECLINED, ("wxs-t-1", "Hello?"), TOLD) == []
    assert briefing("silent", Outcome.BRIEFING_TIMEOUT, GREETING) == []


def test_an_interrupted_greeting_with_a_word_of_the_summary_is_no_problem() -> None:
    assert briefing("voicemail", Outcome.VOICEMAIL, ("wxa-t", "Hi,")) == []


@pytest.mark.parametrize(
    ("scenario", "said"),
    [
        ("ready", [GREETING, TOLD, ("wxs-t-1", "Hello?")]),
        ("ready", [("agent-room", "Hello?"), ("wxc-t", "Hello?"), TOLD, ("wxs-t-1", "Hello?")]),
        ("silent", [GREETING, TOLD]),
        ("voicemail", [("wxs-t-1", "Hello?"), TOLD]),
        ("hold_queue", [("wxs-t-1", "All of our agents are busy."), TOLD]),
        ("call_screening", [("wxs-t-1", "Hi, the person you're calling is using a service."), TOLD]),
    ],
)
def test_a_part_of_the_summary_told_before_a_person_spoke_is_a_problem(
    scenario: str, said: list[tuple[str, str]]
) -> None:
    assert briefing(scenario, Outcome.VOICEMAIL, *said) == [
        "'Ann was charged twice.' was told before a person was on the line"
    ]


def test_a_caller_who_is_moved_to_a_supervisor_without_a_briefing_is_a_problem() -> None:
    assert briefing("ready", Outcome.COMPLETE, GREETING, ("wxs-t-1", "Hello?")) == [
        "the supervisor was not told the summary"
    ]
