"""People come, go and change their minds, in every stage."""

from typing import Literal

import pytest

from warmxfer.actors.coordinator.state_machine import Stage
from warmxfer.schemas import (
    CallCause,
    CallerCallEnded,
    CallerReleased,
    CancelRequested,
    CheckLegs,
    EndCall,
    LeaveCall,
    LegReport,
    LegsChecked,
    Outcome,
    ParticipantLeft,
    ReleaseCaller,
    ReturnCaller,
    SupervisorCallEnded,
)

from .transfer_builder import CALLER, CALLER_CALL, CONSULTATION, ENDED, LIVE, PRIMARY, SUPERVISOR_CALL, Story

BEFORE_THE_BRIDGE = (Stage.PREPARING, Stage.RINGING, Stage.BRIEFING)
TALKING_WITH_THE_SUPERVISOR = (Stage.SWITCHING, Stage.ARRIVING, Stage.HANDING_OVER)


def finish(story: Story) -> Story:
    """Healthy actors answer whatever is asked, until it is over."""
    for _ in range(50):
        if story.stage.ended:
            return story
        story.answer(next(iter(story.transfer.pending.values())).kind)
    raise AssertionError(f"never over: {story.stage}")


@pytest.mark.parametrize("stage", LIVE)
def test_a_cancel_in_any_stage_gives_the_caller_back_or_comes_too_late(stage: Stage) -> None:
    story = Story().until(stage)
    verdict = story.transfer.decision
    story.tell(CancelRequested(reason="changed my mind"))
    finish(story)
    assert story.result.outcome is Outcome.CANCELLED, "also where unwinding had begun, by a cancel"
    assert story.result.detail == "changed my mind"
    assert len(story.sent(ReleaseCaller)) == 1
    assert story.sent(LeaveCall) == []
    if stage in TALKING_WITH_THE_SUPERVISOR:
        assert len(story.sent(ReturnCaller)) == 1
    assert verdict is None or story.transfer.decision == verdict


@pytest.mark.parametrize("stage", ENDED)
def test_a_cancel_after_the_end_changes_nothing(stage: Stage) -> None:
    assert Story().until(stage).tell(CancelRequested(reason="too late")) == []


@pytest.mark.parametrize("stage", LIVE)
def test_h4_a_caller_who_hangs_up_in_any_stage_ends_it_without_an_apology_to_nobody(stage: Stage) -> None:
    story = Story(caller_call_id=CALLER_CALL).until(stage)
    story.tell(CallerCallEnded(call_id=CALLER_CALL))
    finish(story)
    assert not story.result.success
    if stage not in (Stage.RETURNING, Stage.UNWINDING):
        assert story.result.outcome is Outcome.CALLER_LEFT
        (release,) = story.sent(ReleaseCaller)
        assert release.line is None
    assert len(story.sent(EndCall)) == (stage is not Stage.PREPARING)


def test_who_was_not_found_because_they_had_just_hung_up_has_left() -> None:
    """The asker was told that there is no phone call, of a caller who had been on it a moment ago."""
    story = Story().begin().answer("hold_caller", "create_room").fail("find_caller_call")
    assert story.transfer.decision is not None
    assert story.transfer.decision.outcome is Outcome.CALLER_NOT_FOUND
    story.tell(ParticipantLeft(room_id=PRIMARY, participant_id="somebody-else"))
    assert story.transfer.decision.outcome is Outcome.CALLER_NOT_FOUND
    story.tell(ParticipantLeft(room_id=PRIMARY, participant_id=CALLER))
    assert finish(story).result.outcome is Outcome.CALLER_LEFT
    assert story.result.evidence["source"] == "room"


@pytest.mark.parametrize("stage", LIVE)
def test_another_callers_hang_up_is_not_ours(stage: Stage) -> None:
    assert Story().until(stage).tell(CallerCallEnded(call_id="call-other")) == []


@pytest.mark.parametrize("stage", [Stage.RINGING, Stage.BRIEFING, *TALKING_WITH_THE_SUPERVISOR])
def test_h6_a_supervisor_who_hangs_up_in_any_stage_never_leaves_the_caller_with_nobody(stage: Stage) -> None:
    story = Story().until(stage)
    story.tell(SupervisorCallEnded(attempt=1, call_id=SUPERVISOR_CALL, cause=CallCause.HUNG_UP))
    finish(story)
    assert story.result.outcome is Outcome.SUPERVISOR_DISCONNECTED
    assert len(story.sent(ReturnCaller)) == (stage in TALKING_WITH_THE_SUPERVISOR)
    assert len(story.sent(ReleaseCaller)) == 1
    assert story.sent(LeaveCall) == []


@pytest.mark.parametrize("stage", LIVE)
def test_the_end_of_another_attempts_leg_is_not_this_ones(stage: Stage) -> None:
    ended = SupervisorCallEnded(attempt=2, call_id="call-other", cause=CallCause.HUNG_UP)
    assert Story().until(stage).tell(ended) == []


@pytest.mark.parametrize("stage", [Stage.RINGING, Stage.BRIEFING, Stage.ARRIVING, Stage.HANDING_OVER])
def test_a_supervisor_seen_leaving_the_room_counts_without_a_webhook(stage: Stage) -> None:
    story = Story().until(stage)
    story.tell(story.seen(ParticipantLeft, "wxs-t1-1"))
    assert finish(story).result.outcome is Outcome.SUPERVISOR_DISCONNECTED


@pytest.mark.parametrize("stage", TALKING_WITH_THE_SUPERVISOR)
def test_leaving_the_primary_room_is_what_a_switch_looks_like_from_there(stage: Stage) -> None:
    story = Story().until(stage)
    story.tell(ParticipantLeft(room_id=PRIMARY, participant_id=CALLER))
    finish_bridge(story)
    assert story.stage is Stage.COMPLETED


def finish_bridge(story: Story) -> None:
    if story.stage is Stage.SWITCHING:
        story.answer("switch_caller")
    if story.stage is Stage.ARRIVING:
        story.caller_seen()
    story.answer("leave_consultation")


@pytest.mark.parametrize("stage", BEFORE_THE_BRIDGE)
def test_somebody_unknown_leaving_the_primary_room_is_looked_into(stage: Stage) -> None:
    """The caller's participant id is not always known; then the provider is asked who is still there."""
    story = Story().until(stage)
    story.transfer.caller_participant_id = None
    story.tell(ParticipantLeft(room_id=PRIMARY, participant_id="somebody"))
    assert (story.stage, len(story.sent(CheckLegs))) == (stage, 1)
    gone = LegsChecked(command_id=story.awaited("check_legs"), caller=LegReport(up=False, status="ended"))
    story.tell(gone)
    assert finish(story).result.outcome is Outcome.CALLER_LEFT


@pytest.mark.parametrize("stage", BEFORE_THE_BRIDGE)
def test_a_session_that_let_the_caller_go_by_itself_is_followed(stage: Stage) -> None:
    story = Story().until(stage)
    story.tell(CallerReleased(command_id=None, cause="bus_silent"))
    result = finish(story).result
    assert (result.outcome, result.evidence["cause"]) == (Outcome.SESSION_RELEASED, "bus_silent")


@pytest.mark.parametrize("cause", ["session_closed", "bus_silent"])
@pytest.mark.parametrize("stage", TALKING_WITH_THE_SUPERVISOR)
def test_a_caller_is_not_pulled_out_of_a_bridge_because_the_session_let_go(
    stage: Stage, cause: Literal["session_closed", "bus_silent"]
) -> None:
    """They were moved back to an empty room, or taken from a supervisor who had said yes before an outage."""
    story = Story().until(stage)
    story.tell(CallerReleased(command_id=None, cause=cause))
    finish_bridge(story)
    assert story.stage is Stage.COMPLETED
    assert story.sent(ReturnCaller) == []


def test_both_hang_up_at_once_and_nobody_is_moved() -> None:
    story = Story().until(Stage.BRIEFING)
    story.tell(CallerCallEnded(call_id=CALLER_CALL))
    story.tell(SupervisorCallEnded(attempt=1, call_id=SUPERVISOR_CALL, cause=CallCause.HUNG_UP))
    assert finish(story).result.outcome is Outcome.CALLER_LEFT
    assert story.sent(ReturnCaller) == []


def test_the_consultations_own_agents_coming_and_going_is_nobodys_business() -> None:
    story = Story().until(Stage.BRIEFING)
    assert story.tell(ParticipantLeft(room_id=CONSULTATION, participant_id="wxa-t1")) == []
    assert story.tell(ParticipantLeft(room_id="room-elsewhere", participant_id="wxs-t1-1")) == []
