"""The answer to a leg check that was asked before the newest sighting of a leg decides nothing.

A provider's reads are eventually consistent: they may miss a leg that came up, or was moved, a moment ago.
"""

from __future__ import annotations

from typing import Any

import pytest

from warmxfer.actors.coordinator.state_machine import Stage
from warmxfer.schemas import (
    AudioStreamEnabled,
    CallCause,
    CallerReturned,
    CheckLegs,
    LegReport,
    LegsChecked,
    Outcome,
    ParticipantJoined,
    ReleaseCaller,
    RescueByAgent,
    ReturnCaller,
    SupervisorCallEnded,
)

from .transfer_builder import CONSULTATION, PRIMARY, SUPERVISOR_CALL, TransferBuilder

UP, DOWN = LegReport(up=True, room_id=CONSULTATION), LegReport(up=False, status="gone")
CALLER_ID, SUPERVISOR_ID = "wxc-t1", "wxs-t1-1"
LEGS = [
    pytest.param(DOWN, UP, id="caller"),
    pytest.param(UP, DOWN, id="supervisor"),
]
"""Answers that say that a leg is down."""
SEEN = [
    pytest.param(kind, participant, id=f"{participant}-{kind.__name__}")
    for kind in (ParticipantJoined, AudioStreamEnabled)
    for participant in (CALLER_ID, SUPERVISOR_ID)
]
"""Events that show that a leg is up."""


def checking(stage: Stage) -> TransferBuilder:
    """Return a transfer in `stage` that awaits the answer to a leg check."""
    transfer = TransferBuilder().until(stage)
    if stage is Stage.HANDING_OVER:
        transfer.reply("leave_consultation")
    elif stage is Stage.RINGING:
        transfer.reply("dial_supervisor").fire_timers_until_sent(CheckLegs)
    else:
        transfer.fire_timers_until_sent(CheckLegs)
    assert transfer.state.awaits(CheckLegs)
    return transfer


def answer(transfer: TransferBuilder, check_id: str, caller: LegReport, supervisor: LegReport) -> list[Any]:
    return transfer.apply(LegsChecked(command_id=check_id, caller=caller, supervisor=supervisor))


@pytest.mark.parametrize(("caller", "supervisor"), LEGS)
def test_a_check_asked_before_the_switch_decides_nothing_after_it(
    caller: LegReport, supervisor: LegReport
) -> None:
    """The supervisor said yes, and the caller was seen to arrive, after it was asked."""
    transfer = checking(Stage.BRIEFING)
    old = transfer.awaited("check_legs")
    transfer.supervisor_ready().reply("switch_caller").caller_joins()
    assert answer(transfer, old, caller, supervisor) == []
    assert transfer.stage is Stage.HANDING_OVER
    transfer.reply("leave_consultation", "check_legs")
    assert answer(transfer, old, caller, supervisor) == []
    assert transfer.stage is Stage.GUARDING


def test_a_check_asked_before_the_caller_arrived_decides_nothing_after_it() -> None:
    transfer = checking(Stage.ARRIVING)
    old = transfer.awaited("check_legs")
    transfer.caller_joins()
    assert answer(transfer, old, DOWN, UP) == []
    transfer.reply("leave_consultation", "check_legs")
    assert transfer.result.outcome is Outcome.COMPLETE


@pytest.mark.parametrize(("caller", "supervisor"), LEGS)
@pytest.mark.parametrize(("kind", "participant"), SEEN)
@pytest.mark.parametrize("stage", [Stage.HANDING_OVER, Stage.GUARDING])
def test_a_leg_that_is_seen_while_a_check_is_awaited_is_checked_again(
    stage: Stage, kind: type[Any], participant: str, caller: LegReport, supervisor: LegReport
) -> None:
    transfer = checking(stage)
    old = transfer.awaited("check_legs")
    transfer.apply(transfer.room_event(kind, participant))
    assert transfer.awaited("check_legs") != old
    assert answer(transfer, old, caller, supervisor) == []
    assert transfer.stage is stage
    answer(transfer, transfer.awaited("check_legs"), caller, supervisor)
    gone = {DOWN: (Stage.UNWINDING, Stage.COMPLETED), UP: (Stage.RETURNING, Stage.GUARDING)}[caller]
    assert transfer.stage is gone[stage is Stage.GUARDING], "the fresh check decides"
    assert len(transfer.sent(ReturnCaller)) == (caller is UP)


@pytest.mark.parametrize("stage", [Stage.RINGING, Stage.BRIEFING])
@pytest.mark.parametrize("kind", [ParticipantJoined, AudioStreamEnabled])
def test_a_supervisor_who_is_seen_before_the_switch_is_checked_again(stage: Stage, kind: type[Any]) -> None:
    transfer = checking(stage)
    old = transfer.awaited("check_legs")
    transfer.apply(transfer.room_event(kind, SUPERVISOR_ID))
    seen_in = transfer.stage
    assert answer(transfer, old, UP, DOWN) == []
    assert transfer.stage is seen_in
    answer(transfer, transfer.awaited("check_legs"), UP, DOWN)
    assert transfer.stage is Stage.UNWINDING, "the fresh check decides"


def test_a_supervisor_who_is_seen_while_the_caller_arrives_is_checked_again() -> None:
    transfer = checking(Stage.ARRIVING)
    old = transfer.awaited("check_legs")
    transfer.apply(transfer.room_event(ParticipantJoined, SUPERVISOR_ID))
    assert answer(transfer, old, UP, DOWN) == []
    assert transfer.stage is Stage.ARRIVING
    answer(transfer, transfer.awaited("check_legs"), UP, DOWN)
    assert transfer.stage is Stage.RETURNING


@pytest.mark.parametrize(
    ("room", "participant"),
    [(CONSULTATION, "wxa-t1"), (CONSULTATION, "other"), (PRIMARY, CALLER_ID), (PRIMARY, "caller-1")],
)
@pytest.mark.parametrize(
    "stage", [Stage.RINGING, Stage.BRIEFING, Stage.ARRIVING, Stage.HANDING_OVER, Stage.GUARDING]
)
def test_other_participants_and_rooms_do_not_replace_a_check(
    stage: Stage, room: str, participant: str
) -> None:
    transfer = checking(stage)
    for kind in (ParticipantJoined, AudioStreamEnabled):
        assert transfer.apply(transfer.room_event(kind, participant, room)) == []
    assert len(transfer.sent(CheckLegs)) == 1 + (stage is Stage.GUARDING)


@pytest.mark.parametrize("stage", [Stage.RINGING, Stage.BRIEFING, Stage.HANDING_OVER, Stage.GUARDING])
def test_a_leg_that_is_seen_while_no_check_is_awaited_causes_none(stage: Stage) -> None:
    transfer = TransferBuilder().until(stage)
    transfer.apply(transfer.room_event(ParticipantJoined, SUPERVISOR_ID))
    assert len(transfer.sent(CheckLegs)) == (stage is Stage.GUARDING)


@pytest.mark.parametrize(("caller", "supervisor"), LEGS)
def test_a_check_of_the_handover_that_is_answered_late_decides(
    caller: LegReport, supervisor: LegReport
) -> None:
    """It was asked after both were seen."""
    transfer = checking(Stage.HANDING_OVER)
    check_id = transfer.awaited("check_legs")
    transfer.time_out(CheckLegs)
    answer(transfer, check_id, caller, supervisor)
    assert transfer.stage is (Stage.UNWINDING if caller is DOWN else Stage.RETURNING)


@pytest.mark.parametrize(("caller", "supervisor"), LEGS)
def test_a_check_of_the_handover_that_is_answered_after_the_end_decides(
    caller: LegReport, supervisor: LegReport
) -> None:
    transfer = checking(Stage.HANDING_OVER).fire_timers_until(Stage.GUARDING)
    assert "legs" in transfer.result.evidence
    check_id = transfer.sent(CheckLegs)[-1].command_id
    answer(transfer, check_id, caller, supervisor)
    assert transfer.stage is (Stage.COMPLETED if caller is DOWN else Stage.GUARDING)
    assert len(transfer.sent(ReturnCaller)) == (caller is UP)


def test_a_leg_that_is_seen_after_a_check_timed_out_is_not_lost_by_its_answer() -> None:
    transfer = checking(Stage.HANDING_OVER)
    check_id = transfer.awaited("check_legs")
    transfer.time_out(CheckLegs)
    transfer.apply(transfer.room_event(ParticipantJoined, CALLER_ID))
    assert answer(transfer, check_id, DOWN, UP) == []
    assert transfer.fire_timers_until_sent(CheckLegs).reply("check_legs").stage is Stage.GUARDING


def test_a_check_of_the_guard_decides_nothing_once_the_caller_was_moved_back() -> None:
    """The guard waits for the session, because it may have to rescue the caller."""
    transfer = TransferBuilder(rescue=RescueByAgent(agent_id="agent-1")).until(Stage.GUARDING)
    transfer.fire_timers_until_sent(CheckLegs)
    old = transfer.awaited("check_legs")
    transfer.apply(SupervisorCallEnded(attempt=1, call_id=SUPERVISOR_CALL, cause=CallCause.HUNG_UP))
    transfer.reply("return_caller")
    assert transfer.state.awaits(ReleaseCaller)
    assert answer(transfer, old, DOWN, UP) == []
    assert transfer.stage is Stage.GUARDING


def stranded() -> TransferBuilder:
    """Return a transfer that has ended without knowing where its caller is."""
    return TransferBuilder().until(Stage.RETURNING).fire_timers_until(Stage.UNWINDING).finish_cleanup()


@pytest.mark.parametrize("participant", [CALLER_ID, SUPERVISOR_ID])
def test_a_check_after_the_end_decides_nothing_once_a_leg_was_seen(participant: str) -> None:
    """Either would part two people who talk: the caller taken for gone, or the supervisor."""
    transfer = stranded().fire_timers_until_sent(CheckLegs)
    old = transfer.sent(CheckLegs)[-1].command_id
    out = transfer.apply(transfer.room_event(ParticipantJoined, participant))
    assert [type(each) for each in out if isinstance(each, CheckLegs)] == [CheckLegs], "a fresh check"
    gone = (DOWN, UP) if participant == CALLER_ID else (UP, DOWN)
    assert answer(transfer, old, *gone) == []
    assert answer(transfer, transfer.sent(CheckLegs)[-1].command_id, *gone) != []


def test_a_transfer_whose_caller_was_returned_checks_no_legs_again() -> None:
    transfer = stranded().fire_timers_until_sent(CheckLegs)
    transfer.apply(CallerReturned(command_id=transfer.sent(ReturnCaller)[-1].command_id, caller_up=True))
    out = transfer.apply(transfer.room_event(ParticipantJoined, SUPERVISOR_ID))
    assert [each for each in out if isinstance(each, CheckLegs)] == []


@pytest.mark.parametrize("stage", [Stage.RINGING, Stage.BRIEFING])
def test_a_transfer_of_a_version_without_this_rule_keeps_its_check(stage: Stage) -> None:
    """Its log would otherwise not replay."""
    transfer = TransferBuilder(bridge_guard_s=None).until(stage)
    transfer.fire_timers_until_sent(CheckLegs)
    check_id = transfer.awaited("check_legs")
    transfer.apply(transfer.room_event(AudioStreamEnabled, SUPERVISOR_ID))
    assert transfer.awaited("check_legs") == check_id
