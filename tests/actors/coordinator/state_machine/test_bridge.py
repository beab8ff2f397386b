"""Moving the caller, and moving them back when it does not hold."""

from typing import Any

import pytest

from warmxfer.actors.coordinator.state_machine import Stage
from warmxfer.schemas import (
    CallCause,
    CallerCallEnded,
    CallerReturned,
    CancelRequested,
    CheckLegs,
    CloseRoom,
    DeadlinePassed,
    EndCall,
    FailureKind,
    LeaveCall,
    LegReport,
    LegsChecked,
    Outcome,
    ParticipantJoined,
    PhaseChanged,
    ReleaseCaller,
    ReturnCaller,
    SupervisorCallEnded,
    SupervisorDialed,
    SwitchCaller,
    WarmTransferResult,
)

from .transfer_builder import CALLER_CALL, CONSULTATION, PRIMARY, SUPERVISOR_CALL, Story

HUNG_UP = SupervisorCallEnded(attempt=1, call_id=SUPERVISOR_CALL, cause=CallCause.HUNG_UP)


def test_h3_a_supervisor_who_never_says_yes_is_given_no_caller() -> None:
    story = Story().until(Stage.BRIEFING).wait_for(Stage.UNWINDING)
    assert story.sent(SwitchCaller) == []
    assert story.clear_away().result.outcome is Outcome.BRIEFING_TIMEOUT
    assert (len(story.sent(ReleaseCaller)), len(story.sent(EndCall))) == (1, 1)


def test_h7_a_caller_who_never_arrives_is_brought_back_and_it_is_no_success() -> None:
    story = Story().until(Stage.ARRIVING).wait_for(Stage.RETURNING)
    assert (len(story.sent(ReturnCaller)), story.sent(LeaveCall)) == (1, [])
    assert story.answer("return_caller").clear_away().result.outcome is Outcome.CALLER_NEVER_ARRIVED
    assert len(story.sent(EndCall)) == 1


def test_the_ai_leaves_only_with_the_record_that_says_complete() -> None:
    story = Story().until(Stage.HANDING_OVER)
    assert story.sent(LeaveCall) == []
    story.answer("leave_consultation")
    out = [type(each) for each in story.records[-1].outbox]
    assert out == [PhaseChanged, WarmTransferResult, LeaveCall]


def test_a_caller_seen_before_the_switchs_own_answer_counts() -> None:
    story = Story().until(Stage.SWITCHING).caller_seen()
    assert story.stage is Stage.SWITCHING
    assert story.answer("switch_caller").stage is Stage.HANDING_OVER


@pytest.mark.parametrize(
    ("room", "participant"), [(PRIMARY, "wxc-t1"), (CONSULTATION, "wxs-t1-1"), (CONSULTATION, "caller-1")]
)
def test_only_the_caller_in_the_consultation_room_has_arrived(room: str, participant: str) -> None:
    story = Story().until(Stage.ARRIVING)
    story.tell(ParticipantJoined(room_id=room, participant_id=participant))
    assert story.stage is Stage.ARRIVING


def test_the_providers_word_that_the_caller_is_there_counts_where_the_rooms_was_lost() -> None:
    story = Story().until(Stage.ARRIVING)
    story.wait_until_asked_again(CheckLegs)
    there = LegReport(up=True, room_id=CONSULTATION)
    story.tell(
        LegsChecked(command_id=story.awaited("check_legs"), caller=there, supervisor=LegReport(up=True))
    )
    assert story.stage is Stage.HANDING_OVER


def test_the_providers_word_that_the_supervisor_is_gone_counts_more_than_that_the_caller_is_there() -> None:
    story = Story().until(Stage.ARRIVING)
    story.wait_until_asked_again(CheckLegs)
    legs = {"caller": LegReport(up=True, room_id=CONSULTATION), "supervisor": LegReport(up=False)}
    story.tell(LegsChecked(command_id=story.awaited("check_legs"), **legs))
    assert story.stage is Stage.RETURNING


def time_to_arrive_is_over() -> Story:
    """As after an outage: nothing was heard meanwhile, and the deadline is what is handled first."""
    story = Story().until(Stage.ARRIVING)
    due_at = story.transfer.stage_due_at
    assert due_at is not None
    story.now = due_at
    story.tell(DeadlinePassed(due_at=due_at))
    assert story.stage is Stage.ARRIVING
    return story


def test_a_caller_who_talks_with_the_supervisor_is_not_taken_away_because_the_broker_was() -> None:
    """After an outage their time to arrive was over before anybody could tell that they had come."""
    story = time_to_arrive_is_over()
    there = LegReport(up=True, room_id=CONSULTATION)
    story.tell(
        LegsChecked(command_id=story.awaited("check_legs"), caller=there, supervisor=LegReport(up=True))
    )
    assert story.stage is Stage.HANDING_OVER
    assert story.sent(ReturnCaller) == []


@pytest.mark.parametrize("seen", [LegReport(up=True, room_id=PRIMARY), None], ids=["elsewhere", "not told"])
def test_a_caller_who_is_not_there_at_the_last_look_is_brought_back(seen: LegReport | None) -> None:
    story = time_to_arrive_is_over()
    story.tell(LegsChecked(command_id=story.awaited("check_legs"), caller=seen, supervisor=None))
    assert story.stage is Stage.RETURNING
    assert story.answer("return_caller").clear_away().result.outcome is Outcome.CALLER_NEVER_ARRIVED


def test_a_last_look_that_nobody_answers_is_not_waited_for() -> None:
    story = time_to_arrive_is_over().wait_for(Stage.RETURNING)
    assert len(story.sent(CheckLegs)) == 1


@pytest.mark.parametrize(
    ("fault", "outcome"), [(FailureKind.UNKNOWN, Outcome.SWITCH_FAILED), (FailureKind.BROKEN, Outcome.BROKEN)]
)
def test_h8_a_switch_that_may_have_happened_is_taken_back_before_anything_is_said(
    fault: FailureKind, outcome: Outcome
) -> None:
    story = Story().until(Stage.SWITCHING).fail("switch_caller", fault)
    assert story.stage is Stage.RETURNING
    assert (story.sent(ReleaseCaller), story.sent(EndCall)) == ([], [])
    assert story.answer("return_caller").clear_away().result.outcome is outcome


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (FailureKind.REFUSED, Outcome.SWITCH_FAILED),
        (FailureKind.CALLED_OFF, Outcome.SWITCH_FAILED),
        (FailureKind.CALLER_GONE, Outcome.CALLER_LEFT),
        (FailureKind.SUPERVISOR_GONE, Outcome.SUPERVISOR_DISCONNECTED),
    ],
)
def test_a_switch_that_certainly_did_not_happen_needs_no_way_back(
    fault: FailureKind, outcome: Outcome
) -> None:
    story = Story().until(Stage.SWITCHING).fail("switch_caller", fault)
    assert story.sent(ReturnCaller) == []
    assert story.clear_away().result.outcome is outcome


def test_a_cancel_during_the_switch_waits_for_its_outcome_and_then_brings_the_caller_back() -> None:
    story = Story().until(Stage.SWITCHING)
    assert story.tell(CancelRequested(reason="stop")) == []
    story.answer("switch_caller")
    assert story.stage is Stage.RETURNING
    assert "call_switched" in story.phase_names
    assert story.answer("return_caller").clear_away().result.outcome is Outcome.CANCELLED


def test_a_caller_who_hung_up_during_a_refused_switch_left_and_was_not_failed() -> None:
    """The result said `switch_failed`, and the apology was spoken to nobody."""
    story = Story().until(Stage.SWITCHING)
    story.tell(CallerCallEnded(call_id=CALLER_CALL))
    story.fail("switch_caller", FailureKind.REFUSED)
    assert story.clear_away().result.outcome is Outcome.CALLER_LEFT
    assert [release.line for release in story.sent(ReleaseCaller)] == [None]


def test_a_supervisor_who_leaves_while_the_agent_is_on_its_way_out_brings_the_caller_back() -> None:
    story = Story().until(Stage.HANDING_OVER)
    story.tell(HUNG_UP)
    assert story.stage is Stage.RETURNING
    story.answer("return_caller").clear_away()
    assert story.result.outcome is Outcome.SUPERVISOR_DISCONNECTED
    assert "transfer_complete" not in story.phase_names


def test_a_caller_found_to_be_gone_on_the_way_back_hears_nothing() -> None:
    story = Story().until(Stage.RETURNING)
    story.tell(CallerReturned(command_id=story.awaited("return_caller"), caller_up=False))
    assert [release.line for release in story.sent(ReleaseCaller)] == [None]


def test_a_caller_who_hangs_up_on_the_way_back_is_not_waited_for() -> None:
    """The hang-up was passed over; when the return then failed, the supervisor was kept for nobody."""
    story = Story().until(Stage.RETURNING)
    story.tell(CallerCallEnded(call_id=CALLER_CALL))
    assert story.stage is Stage.UNWINDING
    assert len(story.sent(EndCall)) == 1
    assert story.clear_away().result.outcome is Outcome.CANCELLED


# ── a caller who cannot be brought back ──────────────────────────────────────────────────────────


def stranded(fault: FailureKind = FailureKind.REFUSED) -> Story:
    """Over, while the caller may still be with the supervisor."""
    return Story().until(Stage.RETURNING).fail("return_caller", fault).clear_away()


def test_a_caller_who_cannot_be_brought_back_keeps_the_supervisor_and_the_room() -> None:
    """The supervisor's leg was ended and the room was closed with the caller inside."""
    story = stranded()
    assert (story.sent(EndCall), story.sent(CloseRoom)) == ([], [])
    assert story.result.outcome is Outcome.CANCELLED
    assert story.result.evidence["return_fault"] == "refused"
    assert len(story.sent(ReleaseCaller)) == 1


def test_a_return_that_is_never_answered_is_named_in_the_evidence() -> None:
    story = Story().until(Stage.RETURNING).wait_for(Stage.UNWINDING).clear_away()
    assert story.result.evidence["return_fault"] == "unanswered"
    assert (story.sent(EndCall), story.sent(CloseRoom)) == ([], [])


def test_what_was_left_up_for_a_stranded_caller_comes_down_when_they_are_back() -> None:
    story = stranded()
    back = CallerReturned(command_id="t1-11", caller_up=True)
    assert [type(each) for each in story.tell(back)] == [EndCall, CloseRoom]
    assert story.tell(back) == []
    assert len(story.sent(WarmTransferResult)) == 1


def test_what_was_left_up_for_a_stranded_caller_comes_down_when_they_hang_up() -> None:
    story = stranded()
    out = story.tell(CallerCallEnded(call_id=CALLER_CALL))
    assert [type(each) for each in out] == [ReleaseCaller, EndCall, CloseRoom]


def test_the_ai_stays_for_a_caller_who_may_be_brought_back() -> None:
    """It was let go with its apology spoken to an empty room, and left."""
    (release,) = stranded().sent(ReleaseCaller)
    assert release.line is not None
    assert release.stay_s >= 3_600, "as long as they may be looked for"


def test_a_caller_who_is_brought_back_in_time_needs_nobody_to_stay() -> None:
    story = Story().until(Stage.RETURNING).answer("return_caller").clear_away()
    assert [release.stay_s for release in story.sent(ReleaseCaller)] == [0.0]


def looked_at(caller: LegReport | None, supervisor: LegReport | None) -> tuple[Story, list[Any]]:
    """A stranded caller, looked at after the end."""
    story = stranded().wait_until_asked_again(CheckLegs)
    look = story.sent(CheckLegs)[-1].command_id
    return story, story.tell(LegsChecked(command_id=look, caller=caller, supervisor=supervisor))


ALONE = LegReport(up=True, room_id=CONSULTATION)


def test_a_caller_who_is_alone_after_the_end_is_brought_back() -> None:
    """The provider was dark for a minute: nobody looked again, and the AI had gone."""
    story, out = looked_at(ALONE, LegReport(up=False))
    assert [type(each) for each in out] == [ReturnCaller]
    story.tell(CallerReturned(command_id=out[0].command_id, caller_up=True))
    assert len(story.sent(CloseRoom)) == 1


@pytest.mark.parametrize("supervisor", [LegReport(up=True), None], ids=["there", "not told"])
def test_two_who_may_be_talking_after_the_end_are_left_to_it(supervisor: LegReport | None) -> None:
    story, out = looked_at(ALONE, supervisor)
    assert out == []
    assert story.wait_until_asked_again(CheckLegs).sent(ReturnCaller)[1:] == []


def test_a_caller_who_hung_up_after_the_end_needs_no_room() -> None:
    _, out = looked_at(LegReport(up=False), LegReport(up=True))
    assert [type(each) for each in out] == [ReleaseCaller, EndCall, CloseRoom]
    assert (out[0].line, out[0].stay_s) == (None, 0.0), "the AI waits no longer"


def test_a_caller_who_is_home_after_the_end_may_still_be_moved_away_and_is_made_sure_of() -> None:
    _, out = looked_at(LegReport(up=True, room_id=PRIMARY), LegReport(up=True))
    assert [type(each) for each in out] == [ReturnCaller]


def test_what_an_older_look_saw_takes_the_supervisor_from_nobody() -> None:
    """The caller was still in the primary room then."""
    story = stranded().wait_until_asked_again(CheckLegs)
    old = story.sent(CheckLegs)[-1].command_id
    story.wait_until_asked_again(CheckLegs)
    home, up = LegReport(up=True, room_id=PRIMARY), LegReport(up=True)
    assert story.tell(LegsChecked(command_id=old, caller=home, supervisor=up)) == []


def test_a_supervisor_who_hangs_up_on_a_stranded_caller_after_the_end_has_them_brought_back() -> None:
    assert [type(each) for each in stranded().tell(HUNG_UP)] == [ReturnCaller]


def test_a_stranded_caller_is_looked_for_though_broker_or_provider_were_away_for_long() -> None:
    """Found by simulation: an outage used up the time in which a caller, a leg or a room was looked for."""
    story = stranded()
    story.now += 600.0
    story.wait_until_asked_again(CheckLegs)
    for _ in range(20):
        story.tell(LegsChecked(command_id=story.sent(CheckLegs)[-1].command_id))
        story.wait_until_asked_again(CheckLegs)
    look = story.sent(CheckLegs)[-1].command_id
    out = story.tell(LegsChecked(command_id=look, caller=ALONE, supervisor=LegReport(up=False)))
    assert [type(each) for each in out] == [ReturnCaller]


def test_a_provider_that_never_says_where_the_caller_is_is_not_asked_for_ever() -> None:
    story = stranded()
    while story.transfer.timer_due_at is not None:
        story.let_time_pass()
        if asked := story.sent(CheckLegs):
            story.tell(LegsChecked(command_id=asked[-1].command_id))
    assert 3_000 < story.now - story.transfer.started_at < 5_000


def test_looking_for_a_stranded_caller_ends() -> None:
    story = stranded()
    while story.transfer.timer_due_at is not None:
        story.let_time_pass()
    assert 3 <= len(story.sent(CheckLegs)) <= 12


def test_a_caller_who_was_thought_gone_and_is_seen_is_brought_back() -> None:
    """One wrong word of the provider, and they were alone for ever."""
    story = Story().until(Stage.RETURNING)
    story.tell(CallerReturned(command_id=story.awaited("return_caller"), caller_up=False))
    story.clear_away()
    before = len(story.sent(ReturnCaller))
    story.caller_seen()
    assert len(story.sent(ReturnCaller)) == before + 1


def test_a_return_answered_while_unwinding_lets_unwinding_finish_the_work() -> None:
    story = Story().until(Stage.RETURNING).wait_for(Stage.UNWINDING)
    story.tell(CallerReturned(command_id="t1-11", caller_up=True))
    story.clear_away()
    assert (len(story.sent(EndCall)), len(story.sent(CloseRoom))) == (1, 1)


def test_a_late_answer_of_the_dial_does_not_take_the_supervisor_from_a_stranded_caller() -> None:
    story = stranded()
    dialed = SupervisorDialed(command_id="t1-6", attempt=1, call_id=SUPERVISOR_CALL)
    assert [each for each in story.tell(dialed) if isinstance(each, EndCall)] == []
