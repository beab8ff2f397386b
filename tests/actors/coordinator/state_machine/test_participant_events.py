"""Participants leave, callers hang up, users cancel and sessions release, in every stage."""

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

from .transfer_builder import (
    CALLER,
    CALLER_CALL,
    CONSULTATION,
    ENDED,
    LIVE,
    PRIMARY,
    SUPERVISOR_CALL,
    TransferBuilder,
)

BEFORE_BRIDGE = (Stage.PREPARING, Stage.RINGING, Stage.BRIEFING)
DURING_BRIDGE = (Stage.SWITCHING, Stage.ARRIVING, Stage.HANDING_OVER)


def finish(transfer: TransferBuilder) -> TransferBuilder:
    """Apply the replies of healthy actors until the transfer ends."""
    for _ in range(50):
        if transfer.stage.ended:
            return transfer
        transfer.reply(next(iter(transfer.state.pending.values())).kind)
    raise AssertionError(f"the transfer stays in {transfer.stage}")


@pytest.mark.parametrize("stage", LIVE)
def test_a_cancel_in_any_live_stage_gives_the_caller_back(stage: Stage) -> None:
    transfer = TransferBuilder().until(stage)
    decision = transfer.state.decision
    transfer.apply(CancelRequested(reason="changed my mind"))
    finish(transfer)
    assert transfer.result.outcome is Outcome.CANCELLED, "also if clean-up had begun, by a cancel"
    assert transfer.result.detail == "changed my mind"
    assert len(transfer.sent(ReleaseCaller)) == 1
    assert transfer.sent(LeaveCall) == []
    if stage in DURING_BRIDGE:
        assert len(transfer.sent(ReturnCaller)) == 1
    assert decision is None or transfer.state.decision == decision


@pytest.mark.parametrize("stage", ENDED)
def test_a_cancel_after_the_end_has_no_effect(stage: Stage) -> None:
    assert TransferBuilder().until(stage).apply(CancelRequested(reason="too late")) == []


@pytest.mark.parametrize("stage", LIVE)
def test_h4_a_hang_up_in_any_live_stage_ends_the_transfer_without_an_apology(stage: Stage) -> None:
    transfer = TransferBuilder(caller_call_id=CALLER_CALL).until(stage)
    transfer.apply(CallerCallEnded(call_id=CALLER_CALL))
    finish(transfer)
    assert not transfer.result.success
    if stage not in (Stage.RETURNING, Stage.UNWINDING):
        assert transfer.result.outcome is Outcome.CALLER_LEFT
        (release,) = transfer.sent(ReleaseCaller)
        assert release.line is None
    assert len(transfer.sent(EndCall)) == (stage is not Stage.PREPARING)


def test_a_caller_not_found_and_then_seen_leaving_gives_caller_left() -> None:
    """Regression: the outcome was `caller_not_found` for a caller who had just hung up."""
    transfer = TransferBuilder().start().reply("hold_caller", "create_room").fail("find_caller_call")
    assert transfer.state.decision is not None
    assert transfer.state.decision.outcome is Outcome.CALLER_NOT_FOUND
    transfer.apply(ParticipantLeft(room_id=PRIMARY, participant_id="participant-other"))
    assert transfer.state.decision.outcome is Outcome.CALLER_NOT_FOUND
    transfer.apply(ParticipantLeft(room_id=PRIMARY, participant_id=CALLER))
    assert finish(transfer).result.outcome is Outcome.CALLER_LEFT
    assert transfer.result.evidence["source"] == "room"


@pytest.mark.parametrize("stage", LIVE)
def test_the_hang_up_of_another_caller_has_no_effect(stage: Stage) -> None:
    assert TransferBuilder().until(stage).apply(CallerCallEnded(call_id="call-other")) == []


@pytest.mark.parametrize("stage", [Stage.RINGING, Stage.BRIEFING, *DURING_BRIDGE])
def test_h6_the_caller_is_given_back_when_the_supervisor_hangs_up_in_any_stage(stage: Stage) -> None:
    transfer = TransferBuilder().until(stage)
    transfer.apply(SupervisorCallEnded(attempt=1, call_id=SUPERVISOR_CALL, cause=CallCause.HUNG_UP))
    finish(transfer)
    assert transfer.result.outcome is Outcome.SUPERVISOR_DISCONNECTED
    assert len(transfer.sent(ReturnCaller)) == (stage in DURING_BRIDGE)
    assert len(transfer.sent(ReleaseCaller)) == 1
    assert transfer.sent(LeaveCall) == []


@pytest.mark.parametrize("stage", LIVE)
def test_the_end_of_another_attempts_leg_has_no_effect(stage: Stage) -> None:
    ended = SupervisorCallEnded(attempt=2, call_id="call-other", cause=CallCause.HUNG_UP)
    assert TransferBuilder().until(stage).apply(ended) == []


@pytest.mark.parametrize("stage", [Stage.BRIEFING, *DURING_BRIDGE, Stage.GUARDING])
def test_the_end_of_a_leg_that_the_dial_did_not_name_has_no_effect(stage: Stage) -> None:
    """A dial that was executed twice rings twice, and a webhook can claim any call."""
    ended = SupervisorCallEnded(attempt=1, call_id="call-other", cause=CallCause.NO_ANSWER)
    assert TransferBuilder().until(stage).apply(ended) == []


def test_any_leg_of_the_attempt_counts_in_a_transfer_that_an_older_version_began() -> None:
    """Its log replays to what is stored."""
    transfer = TransferBuilder()
    transfer.begun_by_version = 3
    transfer.until(Stage.BRIEFING)
    transfer.apply(SupervisorCallEnded(attempt=1, call_id="call-other", cause=CallCause.HUNG_UP))
    assert transfer.stage is Stage.UNWINDING


def test_any_leg_of_the_attempt_counts_until_the_dial_was_answered() -> None:
    transfer = TransferBuilder().until(Stage.RINGING)
    assert transfer.awaited("dial_supervisor")
    transfer.apply(SupervisorCallEnded(attempt=1, call_id="call-other", cause=CallCause.BUSY))
    assert finish(transfer).result.outcome is Outcome.SUPERVISOR_BUSY


@pytest.mark.parametrize("stage", [Stage.RINGING, Stage.BRIEFING, Stage.ARRIVING, Stage.HANDING_OVER])
def test_a_supervisor_who_leaves_the_room_is_disconnected_without_a_webhook(stage: Stage) -> None:
    transfer = TransferBuilder().until(stage)
    transfer.apply(transfer.room_event(ParticipantLeft, "wxs-t1-1"))
    assert finish(transfer).result.outcome is Outcome.SUPERVISOR_DISCONNECTED


@pytest.mark.parametrize("stage", DURING_BRIDGE)
def test_a_caller_who_leaves_the_primary_room_during_the_bridge_has_not_left(stage: Stage) -> None:
    transfer = TransferBuilder().until(stage)
    transfer.apply(ParticipantLeft(room_id=PRIMARY, participant_id=CALLER))
    finish_bridge(transfer)
    assert transfer.result.outcome is Outcome.COMPLETE


def finish_bridge(transfer: TransferBuilder) -> None:
    if transfer.stage is Stage.SWITCHING:
        transfer.reply("switch_caller")
    if transfer.stage is Stage.ARRIVING:
        transfer.caller_joins()
    transfer.reply("leave_consultation", "check_legs")


@pytest.mark.parametrize("stage", BEFORE_BRIDGE)
def test_the_legs_are_checked_if_an_unknown_participant_leaves_the_primary_room(stage: Stage) -> None:
    """The caller's participant id is not always known. Then the provider is asked for both legs."""
    transfer = TransferBuilder().until(stage)
    transfer.state.caller_participant_id = None
    transfer.apply(ParticipantLeft(room_id=PRIMARY, participant_id="participant-unknown"))
    assert (transfer.stage, len(transfer.sent(CheckLegs))) == (stage, 1)
    hung_up = LegsChecked(
        command_id=transfer.awaited("check_legs"), caller=LegReport(up=False, status="ended")
    )
    transfer.apply(hung_up)
    assert finish(transfer).result.outcome is Outcome.CALLER_LEFT


@pytest.mark.parametrize("stage", BEFORE_BRIDGE)
def test_a_release_by_the_session_itself_ends_the_transfer_before_the_bridge(stage: Stage) -> None:
    transfer = TransferBuilder().until(stage)
    transfer.apply(CallerReleased(command_id=None, cause="bus_silent"))
    result = finish(transfer).result
    assert (result.outcome, result.evidence["cause"]) == (Outcome.SESSION_RELEASED, "bus_silent")


@pytest.mark.parametrize("cause", ["session_closed", "bus_silent"])
@pytest.mark.parametrize("stage", DURING_BRIDGE)
def test_a_release_by_the_session_itself_does_not_end_the_bridge(
    stage: Stage, cause: Literal["session_closed", "bus_silent"]
) -> None:
    """Regression: the caller was moved to an empty room, or taken from the supervisor after an outage."""
    transfer = TransferBuilder().until(stage)
    transfer.apply(CallerReleased(command_id=None, cause=cause))
    finish_bridge(transfer)
    assert transfer.result.outcome is Outcome.COMPLETE
    assert transfer.sent(ReturnCaller) == []


def test_no_caller_is_moved_if_both_hang_up_at_once() -> None:
    transfer = TransferBuilder().until(Stage.BRIEFING)
    transfer.apply(CallerCallEnded(call_id=CALLER_CALL))
    transfer.apply(SupervisorCallEnded(attempt=1, call_id=SUPERVISOR_CALL, cause=CallCause.HUNG_UP))
    assert finish(transfer).result.outcome is Outcome.CALLER_LEFT
    assert transfer.sent(ReturnCaller) == []


def test_our_own_agent_and_other_rooms_have_no_effect() -> None:
    transfer = TransferBuilder().until(Stage.BRIEFING)
    assert transfer.apply(ParticipantLeft(room_id=CONSULTATION, participant_id="wxa-t1")) == []
    assert transfer.apply(ParticipantLeft(room_id="room-elsewhere", participant_id="wxs-t1-1")) == []


@pytest.mark.parametrize("stage", [*DURING_BRIDGE, Stage.RETURNING, Stage.UNWINDING, *ENDED])
def test_after_the_briefing_a_caller_who_leaves_the_primary_room_changes_nothing(stage: Stage) -> None:
    """So the session does not say it (`SessionController.participant_left`)."""
    transfer = TransferBuilder().until(stage)
    records = len(transfer.records)
    assert transfer.apply(ParticipantLeft(room_id=PRIMARY, participant_id=CALLER, reason="left")) == []
    assert len(transfer.records) == records
