"""Recording of caller and supervisor: requested when each joins, awaited once, and never a reason to fail."""

from __future__ import annotations

from typing import Any

import pytest

from warmxfer.actors.coordinator.state_machine import SetTimer, Stage
from warmxfer.schemas import (
    CallCause,
    CallerCallEnded,
    CancelRequested,
    CheckLegs,
    CommandFailed,
    ConsultationLeft,
    FailureKind,
    LeaveCall,
    LeaveConsultation,
    Outcome,
    PhaseChanged,
    RecordingStarted,
    RecordParticipant,
    SupervisorCallEnded,
    TransferBroken,
    WarmTransferResult,
)

from .transfer_builder import CALLER_CALL, CONSULTATION, SUPERVISOR_CALL, TransferBuilder

SUPERVISOR, CALLER = (CONSULTATION, "wxs-t1-1"), (CONSULTATION, "wxc-t1")


def recorded(**config: Any) -> TransferBuilder:
    return TransferBuilder(record=True, **config)


def recordings(transfer: TransferBuilder) -> list[tuple[str, str]]:
    """Return room and participant of each `RecordParticipant`, in the order sent."""
    return [(each.room_id, each.participant_id) for each in transfer.sent(RecordParticipant)]


def test_no_participant_is_recorded_by_default() -> None:
    transfer = TransferBuilder().until(Stage.COMPLETED)
    assert transfer.sent(RecordParticipant) == []
    assert transfer.result.evidence == {}


def test_the_supervisor_is_recorded_from_joining_on() -> None:
    transfer = recorded().until(Stage.RINGING).reply("dial_supervisor")
    assert recordings(transfer) == []
    transfer.enable_supervisor_audio()
    assert recordings(transfer) == [SUPERVISOR]


@pytest.mark.parametrize("fault", FailureKind)
def test_the_supervisors_recording_does_not_affect_the_briefing(fault: FailureKind) -> None:
    transfer = recorded().until(Stage.BRIEFING)
    assert not transfer.state.awaits(RecordParticipant)
    (command,) = transfer.sent(RecordParticipant)
    assert transfer.apply(CommandFailed(command_id=command.command_id, failure=fault)) == []
    assert transfer.supervisor_ready().stage is Stage.SWITCHING


def test_recording_the_caller_and_the_agents_leave_are_sent_together() -> None:
    transfer = recorded().until(Stage.ARRIVING)
    assert recordings(transfer) == [SUPERVISOR]
    transfer.caller_joins()
    assert recordings(transfer) == [SUPERVISOR, CALLER]
    sent = [type(each) for each in transfer.records[-1].outbox]
    assert {LeaveConsultation, RecordParticipant} <= set(sent)


@pytest.mark.parametrize(
    ("first", "second"),
    [("leave_consultation", "record_participant"), ("record_participant", "leave_consultation")],
)
def test_complete_needs_the_agents_leave_and_the_callers_recording(first: str, second: str) -> None:
    transfer = recorded().until(Stage.HANDING_OVER).reply(first)
    assert transfer.stage is Stage.HANDING_OVER
    assert transfer.sent(LeaveCall) == []
    transfer.reply(second)
    assert not transfer.sent(WarmTransferResult)
    transfer.reply("check_legs")
    sent = [type(each) for each in transfer.records[-1].outbox]
    assert sent == [PhaseChanged, WarmTransferResult, SetTimer]
    assert transfer.result.evidence == {"recording": "started"}


@pytest.mark.parametrize("fault", FailureKind)
def test_a_failed_recording_is_in_the_evidence_and_does_not_fail_the_transfer(fault: FailureKind) -> None:
    transfer = recorded().until(Stage.HANDING_OVER).reply("leave_consultation")
    transfer.fail("record_participant", fault, detail="not enough disk").reply("check_legs")
    assert transfer.result.outcome is Outcome.COMPLETE
    assert transfer.result.evidence == {"recording": "not started: not enough disk"}


def test_a_failed_recording_does_not_complete_before_the_agent_left() -> None:
    transfer = recorded().until(Stage.HANDING_OVER).fail("record_participant")
    assert transfer.stage is Stage.HANDING_OVER
    transfer.reply("leave_consultation", "check_legs")
    assert transfer.result.evidence == {"recording": "not started: refused"}


@pytest.mark.parametrize("left", [True, False])
def test_an_absent_gateway_delays_completion_by_one_command_timeout(left: bool) -> None:
    transfer = recorded(command_timeout_s=5.0).until(Stage.HANDING_OVER)
    began_at = transfer.now
    if left:
        transfer.reply("leave_consultation")
    transfer.fire_timers_until_sent(CheckLegs)
    assert transfer.now - began_at == pytest.approx(5.0, abs=0.2)
    transfer.reply("check_legs")
    assert transfer.result.outcome is Outcome.COMPLETE
    assert str(transfer.result.evidence["recording"]).startswith("not confirmed")


def test_a_dead_lettered_deadline_counts_as_passed() -> None:
    transfer = recorded().until(Stage.HANDING_OVER).reply("leave_consultation")
    transfer.apply(TransferBroken(transfer_id="t1", kind="timeout", cause="KeyError at bridge.py:42"))
    transfer.reply("check_legs")
    assert transfer.result.outcome is Outcome.COMPLETE
    assert str(transfer.result.evidence["recording"]).startswith("not confirmed")


def test_a_reply_after_its_deadline_has_no_effect() -> None:
    transfer = recorded().until(Stage.HANDING_OVER)
    command_id = transfer.awaited("record_participant")
    transfer.fire_timers_until(Stage.GUARDING)
    assert transfer.apply(RecordingStarted(command_id=command_id, participant_id="wxc-t1")) == []


@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize(
    "event",
    [
        CancelRequested(reason="stop"),
        SupervisorCallEnded(attempt=1, call_id=SUPERVISOR_CALL, cause=CallCause.HUNG_UP),
    ],
    ids=["cancelled", "supervisor gone"],
)
def test_the_return_does_not_wait_for_the_recording(event: Any, left: bool) -> None:
    """Until the transfer is complete the caller can be returned. Leaving the room ends the recording."""
    transfer = recorded().until(Stage.HANDING_OVER)
    command_id = transfer.awaited("record_participant")
    if left:
        transfer.reply("leave_consultation")
    transfer.apply(event)
    assert transfer.stage is Stage.RETURNING
    assert not transfer.state.awaits(RecordParticipant)
    assert transfer.apply(RecordingStarted(command_id=command_id, participant_id="wxc-t1")) == []
    transfer.reply("return_caller").finish_cleanup()
    assert "recording" not in transfer.result.evidence


def test_a_hang_up_does_not_wait_for_the_recording() -> None:
    transfer = recorded().until(Stage.HANDING_OVER)
    transfer.apply(CallerCallEnded(call_id=CALLER_CALL))
    assert transfer.finish_cleanup().result.outcome is Outcome.CALLER_LEFT


def test_complete_waits_for_an_agent_that_leaves_late() -> None:
    transfer = recorded().until(Stage.HANDING_OVER).reply("record_participant")
    assert not transfer.stage.ended
    transfer.apply(ConsultationLeft(command_id=transfer.awaited("leave_consultation")))
    assert transfer.reply("check_legs").result.outcome is Outcome.COMPLETE
