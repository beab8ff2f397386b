"""Recording the two who talk: asked for when each is there, waited for once, and never worth a transfer."""

from __future__ import annotations

from typing import Any

import pytest

from warmxfer.actors.coordinator.state_machine import Stage
from warmxfer.schemas import (
    CallCause,
    CallerCallEnded,
    CancelRequested,
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

from .transfer_builder import CALLER_CALL, CONSULTATION, SUPERVISOR_CALL, Story

SUPERVISOR, CALLER = (CONSULTATION, "wxs-t1-1"), (CONSULTATION, "wxc-t1")


def recorded(**config: Any) -> Story:
    return Story(record=True, **config)


def asked(story: Story) -> list[tuple[str, str]]:
    """Who is to be recorded, and where, in the order of the commands."""
    return [(each.room_id, each.participant_id) for each in story.sent(RecordParticipant)]


def test_nobody_is_recorded_who_was_not_to_be() -> None:
    story = Story().until(Stage.COMPLETED)
    assert story.sent(RecordParticipant) == []
    assert story.result.evidence == {}


def test_the_supervisor_is_recorded_from_the_moment_they_are_there() -> None:
    story = recorded().until(Stage.RINGING).answer("dial_supervisor")
    assert asked(story) == []
    story.supervisor_heard()
    assert asked(story) == [SUPERVISOR]


@pytest.mark.parametrize("fault", FailureKind)
def test_a_briefing_neither_waits_for_the_supervisors_recording_nor_ends_with_it(fault: FailureKind) -> None:
    story = recorded().until(Stage.BRIEFING)
    assert not story.transfer.awaits(RecordParticipant)
    (command,) = story.sent(RecordParticipant)
    assert story.tell(CommandFailed(command_id=command.command_id, failure=fault)) == []
    assert story.ready().stage is Stage.SWITCHING


def test_the_caller_is_recorded_when_they_are_seen_and_the_agent_is_told_to_leave_with_it() -> None:
    story = recorded().until(Stage.ARRIVING)
    assert asked(story) == [SUPERVISOR]
    story.caller_seen()
    assert asked(story) == [SUPERVISOR, CALLER]
    told = [type(each) for each in story.records[-1].outbox]
    assert {LeaveConsultation, RecordParticipant} <= set(told)


@pytest.mark.parametrize(
    ("first", "second"),
    [("leave_consultation", "record_participant"), ("record_participant", "leave_consultation")],
)
def test_it_is_complete_when_the_agent_has_left_and_the_caller_is_recorded(first: str, second: str) -> None:
    story = recorded().until(Stage.HANDING_OVER).answer(first)
    assert story.stage is Stage.HANDING_OVER
    assert story.sent(LeaveCall) == []
    story.answer(second)
    assert [type(each) for each in story.records[-1].outbox] == [PhaseChanged, WarmTransferResult, LeaveCall]
    assert story.result.evidence == {"recording": "started"}


@pytest.mark.parametrize("fault", FailureKind)
def test_a_recording_that_fails_is_told_and_fails_nothing(fault: FailureKind) -> None:
    story = recorded().until(Stage.HANDING_OVER).answer("leave_consultation")
    story.fail("record_participant", fault, detail="not enough disk")
    assert story.result.outcome is Outcome.COMPLETE
    assert story.result.evidence == {"recording": "not started: not enough disk"}


def test_a_recording_that_fails_does_not_make_it_complete_before_the_agent_has_left() -> None:
    story = recorded().until(Stage.HANDING_OVER).fail("record_participant")
    assert story.stage is Stage.HANDING_OVER
    assert story.answer("leave_consultation").result.evidence == {"recording": "not started: refused"}


@pytest.mark.parametrize("left", [True, False])
def test_an_absent_gateway_costs_one_command_timeout_and_no_transfer(left: bool) -> None:
    story = recorded(command_timeout_s=5.0).until(Stage.HANDING_OVER)
    began = story.now
    if left:
        story.answer("leave_consultation")
    story.wait_for(Stage.COMPLETED)
    assert story.now - began == pytest.approx(5.0, abs=0.2)
    assert story.result.outcome is Outcome.COMPLETE
    assert str(story.result.evidence["recording"]).startswith("not confirmed")


def test_a_deadline_nobody_could_handle_counts_as_passed() -> None:
    story = recorded().until(Stage.HANDING_OVER).answer("leave_consultation")
    story.tell(TransferBroken(transfer_id="t1", kind="timeout", cause="KeyError at bridging.py:42"))
    assert story.result.outcome is Outcome.COMPLETE
    assert str(story.result.evidence["recording"]).startswith("not confirmed")


def test_an_answer_that_comes_after_its_time_changes_nothing() -> None:
    story = recorded().until(Stage.HANDING_OVER)
    command_id = story.awaited("record_participant")
    story.wait_for(Stage.COMPLETED)
    assert story.tell(RecordingStarted(command_id=command_id, participant_id="wxc-t1")) == []


@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize(
    "event",
    [
        CancelRequested(reason="stop"),
        SupervisorCallEnded(attempt=1, call_id=SUPERVISOR_CALL, cause=CallCause.HUNG_UP),
    ],
    ids=["cancelled", "supervisor gone"],
)
def test_a_caller_who_is_brought_back_waits_for_no_recording(event: Any, left: bool) -> None:
    """Until it is complete there is a way back; the recording ends with their leaving the room."""
    story = recorded().until(Stage.HANDING_OVER)
    command_id = story.awaited("record_participant")
    if left:
        story.answer("leave_consultation")
    story.tell(event)
    assert story.stage is Stage.RETURNING
    assert not story.transfer.awaits(RecordParticipant)
    assert story.tell(RecordingStarted(command_id=command_id, participant_id="wxc-t1")) == []
    story.answer("return_caller").clear_away()
    assert "recording" not in story.result.evidence


def test_a_caller_who_hangs_up_waits_for_no_recording() -> None:
    story = recorded().until(Stage.HANDING_OVER)
    story.tell(CallerCallEnded(call_id=CALLER_CALL))
    assert story.clear_away().result.outcome is Outcome.CALLER_LEFT


def test_an_agent_that_is_slow_to_leave_is_still_waited_for() -> None:
    story = recorded().until(Stage.HANDING_OVER).answer("record_participant")
    assert not story.stage.ended
    story.tell(ConsultationLeft(command_id=story.awaited("leave_consultation")))
    assert story.stage is Stage.COMPLETED
