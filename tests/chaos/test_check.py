"""The checks of the chaos runs can fail: each invariant that is broken by hand is counted in its column."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.testkit.invariants import from_report
from tests.testkit.transfer_history import TransferHistory
from warmxfer.bus import DeadLetter, NewerVersionNeeded, Stored, subjects
from warmxfer.bus.dead_letters import describe_error
from warmxfer.schemas import Outcome, WarmTransferPhase, WarmTransferResult

from .check import count_by_column, history_violations, is_clean
from .report_row import CUT_OFF, LEFT_ALONE, PROMISED

PRIMARY, CONSULTATION = "primary", "consultation"
AT_THE_AI = {
    "dials": {"t-1": 1},
    "switches": {"forward": 0, "back": 0},
    "supervisorLegsUp": 0,
    "supervisorEndedBy": None,
    "supervisorEndedAt": None,
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
NOTHING = dict.fromkeys(("2nd dials", "2nd switches", "legs left", "muted", LEFT_ALONE, CUT_OFF), 0)


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


def test_every_promised_column_but_lost_is_counted_here() -> None:
    """`lost` is counted where results are awaited, in `scenario.py`."""
    assert set(count_by_column(from_report(AT_THE_AI, None, PRIMARY))) == {*PROMISED, CUT_OFF} - {"lost"}


@pytest.mark.parametrize(
    ("report", "reported"),
    [
        (AT_THE_AI, result(False)),
        (AT_THE_AI, None),
        (WITH_SUPERVISOR, result(True)),
        (WITH_SUPERVISOR, None),
        ({**AT_THE_AI, "callerLegUp": False, "callerEndedBy": "person", "callerRoom": None}, result(False)),
    ],
)
def test_people_in_their_right_places_break_no_invariant(
    report: dict[str, Any], reported: WarmTransferResult | None
) -> None:
    effects = from_report(report, reported, PRIMARY)
    assert count_by_column(effects) == NOTHING
    assert is_clean(effects)


ALONE_BY_SUPERVISOR = {**WITH_SUPERVISOR, "callerAlone": True, "supervisorEndedBy": "person"}


@pytest.mark.parametrize(("ended_at", "alone"), [(99.0, 1), (101.0, 0)], ids=["in the guard", "after it"])
def test_a_hang_up_is_an_excuse_only_after_the_last_leg_check(ended_at: float, alone: int) -> None:
    report = {**ALONE_BY_SUPERVISOR, "supervisorEndedAt": ended_at}
    effects = from_report(report, result(True), PRIMARY, last_check_at=100.0)
    assert count_by_column(effects)[LEFT_ALONE] == alone


@pytest.mark.parametrize(("evidence", "alone"), [({}, 1), ({"legs": "not confirmed"}, 0)])
def test_a_hang_up_without_any_check_is_an_excuse_only_if_the_result_admits_it(
    evidence: dict[str, Any], alone: int
) -> None:
    report = {**ALONE_BY_SUPERVISOR, "supervisorEndedAt": 99.0}
    reported = msgspec.structs.replace(result(True), evidence=evidence)
    assert count_by_column(from_report(report, reported, PRIMARY))[LEFT_ALONE] == alone


def test_a_caller_whom_the_guard_returned_belongs_with_the_ai() -> None:
    back = {**AT_THE_AI, "switches": {"forward": 1, "back": 1}, "supervisorEndedBy": "person"}
    report = {**back, "supervisorEndedAt": 99.0}
    assert count_by_column(from_report(report, result(True), PRIMARY, returned=True)) == NOTHING
    muted = from_report({**report, "callerHeld": True}, result(True), PRIMARY, returned=True)
    assert count_by_column(muted) == {**NOTHING, "muted": 1}


@pytest.mark.parametrize(
    ("report", "reported", "expected"),
    [
        ({**AT_THE_AI, "dials": {"t-1": 2}}, result(False), {"2nd dials": 1}),
        ({**AT_THE_AI, "dials": {"t-1": 1, "t-2": 1}}, result(False), {"2nd dials": 1}),
        ({**AT_THE_AI, "dials": {"t-1": 3}}, result(False), {"2nd dials": 2}),
        ({**WITH_SUPERVISOR, "switches": {"forward": 2, "back": 0}}, result(True), {"2nd switches": 1}),
        ({**AT_THE_AI, "switches": {"forward": 1, "back": 2}}, result(False), {"2nd switches": 1}),
        ({**AT_THE_AI, "supervisorLegsUp": 1}, result(False), {"legs left": 1}),
        ({**WITH_SUPERVISOR, "supervisorLegsUp": 2}, result(True), {"legs left": 1}),
        ({**AT_THE_AI, "callerHeld": True}, result(False), {"muted": 1}),
        ({**AT_THE_AI, "callerRoom": None}, result(False), {"muted": 1}),
        ({**WITH_SUPERVISOR, "supervisorLegsUp": 0}, result(False), {"muted": 1}),
        ({**WITH_SUPERVISOR, "supervisorLegsUp": 0}, None, {"muted": 1}),
        (AT_THE_AI, result(True), {"muted": 1}),
        ({**AT_THE_AI, "callerAlone": True}, result(False), {LEFT_ALONE: 1}),
        ({**AT_THE_AI, "callerAlone": True}, None, {LEFT_ALONE: 1}),
        ({**WITH_SUPERVISOR, "callerAlone": True, "supervisorEndedBy": "api"}, result(True), {LEFT_ALONE: 1}),
        ({**AT_THE_AI, "callerLegUp": False, "callerEndedBy": "cloud"}, result(False), {CUT_OFF: 1}),
    ],
)
def test_a_broken_invariant_is_counted_in_its_column(
    report: dict[str, Any], reported: WarmTransferResult | None, expected: dict[str, int]
) -> None:
    effects = from_report(report, reported, PRIMARY)
    assert count_by_column(effects) == {**NOTHING, **expected}
    assert is_clean(effects) is not bool(expected.keys() & {"legs left", "muted", LEFT_ALONE})


TOO_NEW = describe_error(NewerVersionNeeded("Record 5 cannot be continued: its stage is unknown"))
NOT_SENT = describe_error(DeadLetter("The log has not sent this command"))


@pytest.mark.parametrize("subject", [subjects.event("t", "gateway"), subjects.work_queue("t", "briefing")])
@pytest.mark.parametrize(
    ("outcome", "given_up", "cause", "allowed"),
    [
        (Outcome.BROKEN, True, TOO_NEW, True),
        (Outcome.BROKEN, False, TOO_NEW, False),
        (Outcome.COMPLETE, True, TOO_NEW, False),
        (Outcome.BROKEN, True, NOT_SENT, False),
    ],
)
def test_only_a_transfer_that_was_given_up_may_have_a_message_that_was_too_new(
    subject: str, outcome: Outcome, given_up: bool, cause: str, allowed: bool
) -> None:
    history = TransferHistory("t", dead_letters=[{"seq": 7, "subject": subject, "cause": cause}])
    ended = msgspec.structs.replace(result(False), outcome=outcome)
    history.results.append((Stored("warmxfer.t.result", 9, 0.0, b""), ended))
    found = [each for each in history_violations(history, given_up=given_up) if each.startswith("I22")]
    assert (not found) == allowed
