"""The bridge moves the caller to the supervisor, and back if it fails."""

from typing import Any

import pytest

from warmxfer.actors.coordinator.state_machine import Stage, bridge
from warmxfer.schemas import (
    CallCause,
    CallerCallEnded,
    CallerReturned,
    CancelRequested,
    CheckLegs,
    CloseRoom,
    CommandFailed,
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

from .transfer_builder import CALLER_CALL, CONSULTATION, PRIMARY, SUPERVISOR_CALL, TransferBuilder

HUNG_UP = SupervisorCallEnded(attempt=1, call_id=SUPERVISOR_CALL, cause=CallCause.HUNG_UP)


def test_h3_the_caller_is_not_moved_without_a_yes() -> None:
    transfer = TransferBuilder().until(Stage.BRIEFING).fire_timers_until(Stage.UNWINDING)
    assert transfer.sent(SwitchCaller) == []
    assert transfer.finish_cleanup().result.outcome is Outcome.BRIEFING_TIMEOUT
    assert (len(transfer.sent(ReleaseCaller)), len(transfer.sent(EndCall))) == (1, 1)


def test_h7_a_caller_who_never_arrives_is_returned_and_the_transfer_fails() -> None:
    transfer = TransferBuilder().until(Stage.ARRIVING).fire_timers_until(Stage.RETURNING)
    assert (len(transfer.sent(ReturnCaller)), transfer.sent(LeaveCall)) == (1, [])
    assert transfer.reply("return_caller").finish_cleanup().result.outcome is Outcome.CALLER_NEVER_ARRIVED
    assert len(transfer.sent(EndCall)) == 1


def test_without_a_guard_leave_call_is_sent_only_with_the_completing_record() -> None:
    transfer = TransferBuilder(bridge_guard_s=0.0).until(Stage.HANDING_OVER).reply("leave_consultation")
    assert transfer.sent(LeaveCall) == []
    transfer.reply("check_legs")
    out = [type(each) for each in transfer.records[-1].outbox]
    assert out == [PhaseChanged, WarmTransferResult, LeaveCall]
    assert transfer.stage is Stage.COMPLETED


def test_a_transfer_of_an_older_version_completes_as_that_version_did() -> None:
    transfer = TransferBuilder(bridge_guard_s=None).until(Stage.HANDING_OVER).reply("leave_consultation")
    assert transfer.stage is Stage.COMPLETED
    out = [type(each) for each in transfer.records[-1].outbox]
    assert out == [PhaseChanged, WarmTransferResult, LeaveCall]
    assert transfer.sent(CheckLegs) == []


def handover_answered(caller: LegReport | None, supervisor: LegReport | None) -> TransferBuilder:
    """Return a transfer after the leg check of its handover, with this answer."""
    transfer = TransferBuilder().until(Stage.HANDING_OVER).reply("leave_consultation")
    assert transfer.stage is Stage.HANDING_OVER, "not complete before the legs are checked"
    check_id = transfer.awaited("check_legs")
    transfer.apply(LegsChecked(command_id=check_id, caller=caller, supervisor=supervisor))
    return transfer


def test_a_handover_completes_when_both_legs_are_up() -> None:
    transfer = handover_answered(LegReport(up=True, room_id=CONSULTATION), LegReport(up=True))
    assert transfer.result.outcome is Outcome.COMPLETE
    assert transfer.result.evidence == {}


def test_a_supervisor_who_is_gone_at_the_handover_leads_back() -> None:
    """Regression: webhooks lost and the briefing agent frozen; it completed after the hang-up."""
    transfer = handover_answered(LegReport(up=True, room_id=CONSULTATION), LegReport(up=False))
    assert transfer.stage is Stage.RETURNING
    assert transfer.reply("return_caller").finish_cleanup().result.outcome is Outcome.SUPERVISOR_DISCONNECTED
    assert transfer.sent(LeaveCall) == []


@pytest.mark.parametrize("supervisor", [LegReport(up=True), LegReport(up=False), None])
def test_a_caller_who_is_gone_at_the_handover_leads_to_the_cleanup(supervisor: LegReport | None) -> None:
    transfer = handover_answered(LegReport(up=False), supervisor)
    assert transfer.stage is Stage.UNWINDING
    assert transfer.finish_cleanup().result.outcome is Outcome.CALLER_LEFT


UP = LegReport(up=True)


@pytest.mark.parametrize(
    ("caller", "supervisor"),
    [(None, None), (UP, None), (None, UP), (LegReport(up=True, room_id=PRIMARY), UP)],
    ids=["nothing", "the caller alone", "the supervisor alone", "the caller elsewhere"],
)
def test_a_handover_is_checked_again_until_both_are_known_to_be_together(
    caller: LegReport | None, supervisor: LegReport | None
) -> None:
    transfer = handover_answered(caller, supervisor)
    assert transfer.stage is Stage.HANDING_OVER
    transfer.fire_timers_until_sent(CheckLegs).reply("check_legs")
    assert transfer.result.outcome is Outcome.COMPLETE
    assert transfer.result.evidence == {}


def test_a_late_reply_to_a_check_of_the_handover_proves_nothing_if_both_legs_were_up() -> None:
    transfer = TransferBuilder().until(Stage.HANDING_OVER).reply("leave_consultation")
    check_id = transfer.awaited("check_legs")
    transfer.time_out(CheckLegs)
    assert transfer.apply(LegsChecked(command_id=check_id, caller=UP, supervisor=UP)) == []
    assert transfer.stage is Stage.HANDING_OVER


def test_the_deadline_of_the_handover_checks_the_legs_instead_of_completing() -> None:
    transfer = TransferBuilder().until(Stage.HANDING_OVER)
    began_at = transfer.now
    transfer.fire_timers_until_sent(CheckLegs)
    assert (transfer.stage, transfer.now - began_at) == (Stage.HANDING_OVER, pytest.approx(10.0, abs=0.3))
    check_id = transfer.awaited("check_legs")
    transfer.apply(LegsChecked(command_id=check_id, caller=UP, supervisor=LegReport(up=False)))
    assert transfer.stage is Stage.RETURNING


@pytest.mark.parametrize("caller", [None, LegReport(up=True, room_id=PRIMARY)], ids=["unknown", "elsewhere"])
def test_the_evidence_of_a_handover_says_that_no_answer_found_both_legs(caller: LegReport | None) -> None:
    """Regression: the provider answered in time, and the evidence said that it did not."""
    transfer = TransferBuilder().until(Stage.HANDING_OVER).reply("leave_consultation")
    while transfer.stage is Stage.HANDING_OVER:
        check_id = transfer.sent(CheckLegs)[-1].command_id
        up = LegReport(up=True, room_id=CONSULTATION)
        transfer.apply(LegsChecked(command_id=check_id, caller=caller, supervisor=up))
        transfer.fire_timer()
    assert transfer.result.outcome is Outcome.COMPLETE
    assert transfer.result.evidence["legs"] == bridge.LEGS_UNCONFIRMED


def test_a_handover_without_an_answered_check_says_so_and_is_guarded() -> None:
    """A provider that does not answer could not move the caller back either."""
    transfer = TransferBuilder().until(Stage.HANDING_OVER).reply("leave_consultation")
    began_at = transfer.now
    transfer.fire_timers_until(Stage.GUARDING)
    assert transfer.now - began_at == pytest.approx(20.0, abs=0.3), "two command timeouts"
    assert transfer.result.outcome is Outcome.COMPLETE
    assert str(transfer.result.evidence["legs"]).startswith("not confirmed")


def test_a_caller_seen_before_the_reply_to_the_switch_has_arrived() -> None:
    transfer = TransferBuilder().until(Stage.SWITCHING).caller_joins()
    assert transfer.stage is Stage.SWITCHING
    assert transfer.reply("switch_caller").stage is Stage.HANDING_OVER


@pytest.mark.parametrize(
    ("room", "participant"), [(PRIMARY, "wxc-t1"), (CONSULTATION, "wxs-t1-1"), (CONSULTATION, "caller-1")]
)
def test_other_participants_or_rooms_do_not_count_as_arrival(room: str, participant: str) -> None:
    transfer = TransferBuilder().until(Stage.ARRIVING)
    transfer.apply(ParticipantJoined(room_id=room, participant_id=participant))
    assert transfer.stage is Stage.ARRIVING


def test_a_leg_check_proves_arrival_if_the_room_event_was_lost() -> None:
    transfer = TransferBuilder().until(Stage.ARRIVING)
    transfer.fire_timers_until_sent(CheckLegs)
    in_consultation = LegReport(up=True, room_id=CONSULTATION)
    transfer.apply(
        LegsChecked(
            command_id=transfer.awaited("check_legs"), caller=in_consultation, supervisor=LegReport(up=True)
        )
    )
    assert transfer.stage is Stage.HANDING_OVER


def test_a_leg_check_without_the_supervisor_returns_an_arrived_caller() -> None:
    transfer = TransferBuilder().until(Stage.ARRIVING)
    transfer.fire_timers_until_sent(CheckLegs)
    legs = {"caller": LegReport(up=True, room_id=CONSULTATION), "supervisor": LegReport(up=False)}
    transfer.apply(LegsChecked(command_id=transfer.awaited("check_legs"), **legs))
    assert transfer.stage is Stage.RETURNING


def arrival_overdue() -> TransferBuilder:
    """Return a transfer whose arrival deadline was the first event, as after an outage."""
    transfer = TransferBuilder().until(Stage.ARRIVING)
    due_at = transfer.state.stage_due_at
    assert due_at is not None
    transfer.now = due_at
    transfer.apply(DeadlinePassed(due_at=due_at))
    assert transfer.stage is Stage.ARRIVING
    return transfer


def test_a_broker_outage_does_not_separate_caller_and_supervisor() -> None:
    """After an outage the arrival deadline is handled before the event that the caller arrived."""
    transfer = arrival_overdue()
    in_consultation = LegReport(up=True, room_id=CONSULTATION)
    transfer.apply(
        LegsChecked(
            command_id=transfer.awaited("check_legs"), caller=in_consultation, supervisor=LegReport(up=True)
        )
    )
    assert transfer.stage is Stage.HANDING_OVER
    assert transfer.sent(ReturnCaller) == []


@pytest.mark.parametrize("seen", [LegReport(up=True, room_id=PRIMARY), None], ids=["elsewhere", "unknown"])
def test_a_caller_not_found_by_the_last_leg_check_is_returned(seen: LegReport | None) -> None:
    transfer = arrival_overdue()
    transfer.apply(LegsChecked(command_id=transfer.awaited("check_legs"), caller=seen, supervisor=None))
    assert transfer.stage is Stage.RETURNING
    assert transfer.reply("return_caller").finish_cleanup().result.outcome is Outcome.CALLER_NEVER_ARRIVED


def test_the_caller_is_returned_if_the_last_leg_check_gets_no_reply() -> None:
    transfer = arrival_overdue().fire_timers_until(Stage.RETURNING)
    assert len(transfer.sent(CheckLegs)) == 1


@pytest.mark.parametrize(
    ("fault", "outcome"), [(FailureKind.UNKNOWN, Outcome.SWITCH_FAILED), (FailureKind.BROKEN, Outcome.BROKEN)]
)
def test_h8_a_switch_with_unknown_outcome_is_reverted_before_the_release(
    fault: FailureKind, outcome: Outcome
) -> None:
    transfer = TransferBuilder().until(Stage.SWITCHING).fail("switch_caller", fault)
    assert transfer.stage is Stage.RETURNING
    assert (transfer.sent(ReleaseCaller), transfer.sent(EndCall)) == ([], [])
    assert transfer.reply("return_caller").finish_cleanup().result.outcome is outcome


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (FailureKind.REFUSED, Outcome.SWITCH_FAILED),
        (FailureKind.CALLED_OFF, Outcome.SWITCH_FAILED),
        (FailureKind.CALLER_GONE, Outcome.CALLER_LEFT),
        (FailureKind.SUPERVISOR_GONE, Outcome.SUPERVISOR_DISCONNECTED),
    ],
)
def test_a_switch_that_was_not_executed_needs_no_return(fault: FailureKind, outcome: Outcome) -> None:
    transfer = TransferBuilder().until(Stage.SWITCHING).fail("switch_caller", fault)
    assert transfer.sent(ReturnCaller) == []
    assert transfer.finish_cleanup().result.outcome is outcome


def test_a_cancel_during_the_switch_waits_for_the_reply_and_returns_the_caller() -> None:
    transfer = TransferBuilder().until(Stage.SWITCHING)
    assert transfer.apply(CancelRequested(reason="stop")) == []
    transfer.reply("switch_caller")
    assert transfer.stage is Stage.RETURNING
    assert "call_switched" in transfer.phase_names
    assert transfer.reply("return_caller").finish_cleanup().result.outcome is Outcome.CANCELLED


def test_a_hang_up_during_a_refused_switch_gives_caller_left() -> None:
    """Regression: the result was `switch_failed`, and the apology was spoken to an empty room."""
    transfer = TransferBuilder().until(Stage.SWITCHING)
    transfer.apply(CallerCallEnded(call_id=CALLER_CALL))
    transfer.fail("switch_caller", FailureKind.REFUSED)
    assert transfer.finish_cleanup().result.outcome is Outcome.CALLER_LEFT
    assert [release.line for release in transfer.sent(ReleaseCaller)] == [None]


def test_the_caller_is_returned_if_the_supervisor_leaves_during_the_handover() -> None:
    transfer = TransferBuilder().until(Stage.HANDING_OVER)
    transfer.apply(HUNG_UP)
    assert transfer.stage is Stage.RETURNING
    transfer.reply("return_caller").finish_cleanup()
    assert transfer.result.outcome is Outcome.SUPERVISOR_DISCONNECTED
    assert "transfer_complete" not in transfer.phase_names


def test_a_caller_who_is_gone_during_the_return_gets_no_apology() -> None:
    transfer = TransferBuilder().until(Stage.RETURNING)
    transfer.apply(CallerReturned(command_id=transfer.awaited("return_caller"), caller_up=False))
    assert [release.line for release in transfer.sent(ReleaseCaller)] == [None]


def test_a_hang_up_during_the_return_starts_the_cleanup() -> None:
    """Regression: the hang-up was ignored. After a failed return the leg stayed up for no caller."""
    transfer = TransferBuilder().until(Stage.RETURNING)
    transfer.apply(CallerCallEnded(call_id=CALLER_CALL))
    assert transfer.stage is Stage.UNWINDING
    assert len(transfer.sent(EndCall)) == 1
    assert transfer.finish_cleanup().result.outcome is Outcome.CANCELLED


# ── a caller who cannot be returned ──────────────────────────────────────────────────────────────


def stranded(fault: FailureKind = FailureKind.REFUSED) -> TransferBuilder:
    """Return an ended transfer whose caller may still be with the supervisor."""
    return TransferBuilder().until(Stage.RETURNING).fail("return_caller", fault).finish_cleanup()


def test_leg_and_room_stay_up_for_a_caller_who_cannot_be_returned() -> None:
    """Regression: the supervisor's leg was ended and the room closed with the caller inside."""
    transfer = stranded()
    assert (transfer.sent(EndCall), transfer.sent(CloseRoom)) == ([], [])
    assert transfer.result.outcome is Outcome.CANCELLED
    assert transfer.result.evidence["return_fault"] == "refused"
    assert len(transfer.sent(ReleaseCaller)) == 1


def test_the_evidence_names_a_return_without_a_reply() -> None:
    transfer = TransferBuilder().until(Stage.RETURNING).fire_timers_until(Stage.UNWINDING).finish_cleanup()
    assert transfer.result.evidence["return_fault"] == "unanswered"
    assert (transfer.sent(EndCall), transfer.sent(CloseRoom)) == ([], [])


def test_leg_and_room_end_when_a_stranded_caller_is_returned() -> None:
    transfer = stranded()
    back = CallerReturned(command_id="t1-11", caller_up=True)
    assert [type(each) for each in transfer.apply(back)] == [EndCall, CloseRoom]
    assert transfer.apply(back) == []
    assert len(transfer.sent(WarmTransferResult)) == 1


def test_leg_and_room_end_when_a_stranded_caller_hangs_up() -> None:
    transfer = stranded()
    out = transfer.apply(CallerCallEnded(call_id=CALLER_CALL))
    assert [type(each) for each in out] == [ReleaseCaller, EndCall, CloseRoom]


def test_the_session_stays_for_a_caller_who_may_be_returned() -> None:
    """Regression: the session spoke its apology to an empty room and left."""
    (release,) = stranded().sent(ReleaseCaller)
    assert release.line is not None
    assert release.stay_s >= 3_600, "as long as the search may last"


def test_the_session_need_not_stay_for_a_returned_caller() -> None:
    transfer = TransferBuilder().until(Stage.RETURNING).reply("return_caller").finish_cleanup()
    assert [release.stay_s for release in transfer.sent(ReleaseCaller)] == [0.0]


def check_stranded_caller(
    caller: LegReport | None, supervisor: LegReport | None
) -> tuple[TransferBuilder, list[Any]]:
    """Return a transfer with a stranded caller, and what a leg check after the end causes."""
    transfer = stranded().fire_timers_until_sent(CheckLegs)
    check_id = transfer.sent(CheckLegs)[-1].command_id
    return transfer, transfer.apply(LegsChecked(command_id=check_id, caller=caller, supervisor=supervisor))


ALONE = LegReport(up=True, room_id=CONSULTATION)


def test_a_caller_who_is_alone_after_the_end_is_returned() -> None:
    """Regression: the provider was down for a minute, no check followed, and the AI had left."""
    transfer, out = check_stranded_caller(ALONE, LegReport(up=False))
    assert [type(each) for each in out] == [ReturnCaller]
    transfer.apply(CallerReturned(command_id=out[0].command_id, caller_up=True))
    assert len(transfer.sent(CloseRoom)) == 1


@pytest.mark.parametrize("supervisor", [LegReport(up=True), None], ids=["connected", "unknown"])
def test_caller_and_supervisor_who_may_talk_after_the_end_are_not_separated(
    supervisor: LegReport | None,
) -> None:
    transfer, out = check_stranded_caller(ALONE, supervisor)
    assert out == []
    assert transfer.fire_timers_until_sent(CheckLegs).sent(ReturnCaller)[1:] == []


def test_leg_and_room_end_if_the_caller_hung_up_after_the_end() -> None:
    _, out = check_stranded_caller(LegReport(up=False), LegReport(up=True))
    assert [type(each) for each in out] == [ReleaseCaller, EndCall, CloseRoom]
    assert (out[0].line, out[0].stay_s) == (None, 0.0), "the AI session stays no longer"


def test_a_caller_in_the_primary_room_after_the_end_is_returned_to_forbid_a_late_move() -> None:
    _, out = check_stranded_caller(LegReport(up=True, room_id=PRIMARY), LegReport(up=True))
    assert [type(each) for each in out] == [ReturnCaller]


def test_the_reply_to_an_older_leg_check_after_the_end_has_no_effect() -> None:
    """The older check saw the caller still in the primary room."""
    transfer = stranded().fire_timers_until_sent(CheckLegs)
    old = transfer.sent(CheckLegs)[-1].command_id
    transfer.fire_timers_until_sent(CheckLegs)
    in_primary, up = LegReport(up=True, room_id=PRIMARY), LegReport(up=True)
    assert transfer.apply(LegsChecked(command_id=old, caller=in_primary, supervisor=up)) == []


def test_a_stranded_caller_is_returned_when_the_supervisor_hangs_up_after_the_end() -> None:
    assert [type(each) for each in stranded().apply(HUNG_UP)] == [ReturnCaller]


def checked_together_until_the_checks_end() -> TransferBuilder:
    """Return a transfer whose clean-up checks found the caller with the supervisor, until none is due."""
    return until_no_check_is_due(stranded())


def until_no_check_is_due(transfer: TransferBuilder) -> TransferBuilder:
    while transfer.state.check_due_at is not None:
        transfer.fire_timers_until_sent(CheckLegs)
        check_id = transfer.sent(CheckLegs)[-1].command_id
        transfer.apply(LegsChecked(command_id=check_id, caller=ALONE, supervisor=LegReport(up=True)))
    return transfer


def left_behind_hours_later() -> TransferBuilder:
    """Return a transfer whose supervisor hangs up hours after its end, and whose caller is then alone."""
    transfer = checked_together_until_the_checks_end()
    transfer.now += 7_200.0
    transfer.apply(HUNG_UP)
    return transfer


def test_the_return_of_a_caller_who_is_left_alone_after_the_last_check_is_repeated() -> None:
    """Regression: one return was requested, and its failure was the end of all."""
    transfer = left_behind_hours_later()
    assert len(transfer.sent(ReturnCaller)) == 2
    for _ in range(20):
        returned = transfer.sent(ReturnCaller)
        unknown = FailureKind.UNKNOWN
        transfer.apply(CommandFailed(command_id=returned[-1].command_id, failure=unknown, detail="x"))
        transfer.fire_timers_until_sent(CheckLegs)
        check_id = transfer.sent(CheckLegs)[-1].command_id
        transfer.apply(LegsChecked(command_id=check_id, caller=ALONE, supervisor=LegReport(up=False)))
        assert len(transfer.sent(ReturnCaller)) == len(returned) + 1
    back = CallerReturned(command_id=transfer.sent(ReturnCaller)[-1].command_id, caller_up=True)
    assert [type(each) for each in transfer.apply(back)] == [EndCall, CloseRoom]


def test_a_caller_who_was_with_the_supervisor_again_is_searched_for_anew() -> None:
    """Regression: the time of the search began when the caller was first found alone, hours before."""
    transfer = stranded().fire_timers_until_sent(CheckLegs)
    check_id = transfer.sent(CheckLegs)[-1].command_id
    transfer.apply(LegsChecked(command_id=check_id, caller=ALONE, supervisor=LegReport(up=False)))
    until_no_check_is_due(transfer)
    transfer.now += 7_200.0
    transfer.apply(HUNG_UP)
    assert transfer.state.check_due_at is not None


def test_the_search_for_a_caller_does_not_shorten_the_checks_of_a_late_leg() -> None:
    transfer = left_behind_hours_later()
    transfer.now += 7_200.0
    transfer.caller_joins()
    began_again_at = transfer.state.ended_at
    check_id = transfer.sent(CheckLegs)[-1].command_id
    transfer.apply(LegsChecked(command_id=check_id, caller=ALONE, supervisor=LegReport(up=False)))
    assert transfer.state.ended_at == began_again_at


def test_the_search_for_a_caller_who_was_left_alone_later_ends() -> None:
    transfer = left_behind_hours_later()
    began_at = transfer.now
    while transfer.state.check_due_at is not None:
        transfer.fire_timers_until_sent(CheckLegs)
        check_id = transfer.sent(CheckLegs)[-1].command_id
        transfer.apply(LegsChecked(command_id=check_id, caller=ALONE, supervisor=LegReport(up=False)))
    assert 3_000 < transfer.now - began_at < 5_000


@pytest.mark.parametrize("caller", [ALONE, None], ids=["alone", "unknown"])
def test_the_answer_to_the_last_check_after_the_end_can_begin_another(caller: LegReport | None) -> None:
    """Regression: the caller was found alone by the last check, and the return that it caused failed."""
    transfer = checked_together_until_the_checks_end()
    check_id = transfer.sent(CheckLegs)[-1].command_id
    down = LegReport(up=False) if caller else None
    transfer.apply(LegsChecked(command_id=check_id, caller=caller, supervisor=down))
    asked = len(transfer.sent(CheckLegs))
    assert len(transfer.fire_timers_until_sent(CheckLegs).sent(CheckLegs)) == asked + 1


def test_an_outage_does_not_end_the_search_for_a_stranded_caller() -> None:
    """Found by simulation: an outage used up the time for clean-up checks."""
    transfer = stranded()
    transfer.now += 600.0
    transfer.fire_timers_until_sent(CheckLegs)
    for _ in range(20):
        transfer.apply(LegsChecked(command_id=transfer.sent(CheckLegs)[-1].command_id))
        transfer.fire_timers_until_sent(CheckLegs)
    check_id = transfer.sent(CheckLegs)[-1].command_id
    out = transfer.apply(LegsChecked(command_id=check_id, caller=ALONE, supervisor=LegReport(up=False)))
    assert [type(each) for each in out] == [ReturnCaller]


def test_the_search_ends_if_the_provider_never_knows_the_callers_room() -> None:
    transfer = stranded()
    while transfer.state.timer_due_at is not None:
        transfer.fire_timer()
        if checks := transfer.sent(CheckLegs):
            transfer.apply(LegsChecked(command_id=checks[-1].command_id))
    assert 3_000 < transfer.now - transfer.state.started_at < 5_000


def test_the_search_for_a_stranded_caller_ends() -> None:
    transfer = stranded()
    while transfer.state.timer_due_at is not None:
        transfer.fire_timer()
    assert 3 <= len(transfer.sent(CheckLegs)) <= 12


def test_a_caller_reported_as_gone_and_then_seen_is_returned() -> None:
    """Regression: after one wrong report of the provider the caller stayed alone."""
    transfer = TransferBuilder().until(Stage.RETURNING)
    transfer.apply(CallerReturned(command_id=transfer.awaited("return_caller"), caller_up=False))
    transfer.finish_cleanup()
    before = len(transfer.sent(ReturnCaller))
    transfer.caller_joins()
    assert len(transfer.sent(ReturnCaller)) == before + 1


def test_a_late_reply_to_the_return_lets_cleanup_end_leg_and_room() -> None:
    transfer = TransferBuilder().until(Stage.RETURNING).fire_timers_until(Stage.UNWINDING)
    transfer.apply(CallerReturned(command_id="t1-11", caller_up=True))
    transfer.finish_cleanup()
    assert (len(transfer.sent(EndCall)), len(transfer.sent(CloseRoom))) == (1, 1)


def test_a_late_reply_to_the_dial_does_not_end_the_leg_of_a_stranded_caller() -> None:
    transfer = stranded()
    dialed = SupervisorDialed(command_id="t1-6", attempt=1, call_id=SUPERVISOR_CALL)
    assert [each for each in transfer.apply(dialed) if isinstance(each, EndCall)] == []
