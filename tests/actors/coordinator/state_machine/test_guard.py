"""Bridge guard: after completion the AI stays for a caller whom the supervisor leaves alone."""

from typing import Any

import pytest

from warmxfer.actors.coordinator.state_machine import CallerPlace, SetTimer, Stage, timeouts
from warmxfer.schemas import (
    CallCause,
    CallerCallEnded,
    CallerReleased,
    CallerReturned,
    CheckLegs,
    CloseRoom,
    CommandFailed,
    FailureKind,
    LeaveCall,
    LegReport,
    LegsChecked,
    NoticeKind,
    Outcome,
    ParticipantLeft,
    PhaseChanged,
    ReleaseCaller,
    RescueByAgent,
    ReturnCaller,
    SpokenLines,
    SupervisorCallEnded,
    TransferBroken,
    TransferNotice,
    WarmTransferResult,
)

from .transfer_builder import (
    CALLER,
    CALLER_CALL,
    CONSULTATION,
    GUARD_S,
    PRIMARY,
    SUPERVISOR_CALL,
    TransferBuilder,
)

HUNG_UP = SupervisorCallEnded(attempt=1, call_id=SUPERVISOR_CALL, cause=CallCause.HUNG_UP)
UP, DOWN = LegReport(up=True, room_id=CONSULTATION), LegReport(up=False)


def guarding(**config: Any) -> TransferBuilder:
    return TransferBuilder(**config).until(Stage.GUARDING)


def answer_check(transfer: TransferBuilder, caller: LegReport | None, supervisor: LegReport | None) -> None:
    """Let the next check of the guard fall due, and answer it."""
    transfer.fire_timers_until_sent(CheckLegs)
    check_id = transfer.awaited("check_legs")
    transfer.apply(LegsChecked(command_id=check_id, caller=caller, supervisor=supervisor))


def notices(transfer: TransferBuilder) -> list[NoticeKind]:
    return [each.notice for each in transfer.sent(TransferNotice)]


def assert_over_without_notice(transfer: TransferBuilder) -> None:
    """Assert that the guard has ended, that the AI leaves, and that nothing is published about it."""
    assert transfer.stage is Stage.COMPLETED
    assert (len(transfer.sent(LeaveCall)), transfer.sent(ReleaseCaller)) == (1, [])
    assert notices(transfer) == []
    assert transfer.state.timer_due_at is None


def test_phase_and_result_are_published_before_the_guard_and_stay() -> None:
    transfer = guarding()
    out = [type(each) for each in transfer.records[-1].outbox]
    assert out == [PhaseChanged, WarmTransferResult, SetTimer]
    assert transfer.result.outcome is Outcome.COMPLETE
    transfer.apply(HUNG_UP)
    transfer.reply("return_caller")
    assert transfer.phase_names.count("transfer_complete") == 1
    assert transfer.phase_names[-1] == "transfer_complete"
    assert transfer.state.decision is not None
    assert transfer.state.decision.outcome is Outcome.COMPLETE


def test_two_checks_that_find_both_end_the_guard_in_its_time() -> None:
    transfer = guarding()
    began_at = transfer.now
    answer_check(transfer, UP, UP)
    assert transfer.now - began_at == pytest.approx(GUARD_S / 2, abs=0.3)
    assert (transfer.stage, transfer.sent(LeaveCall)) == (Stage.GUARDING, [])
    answer_check(transfer, UP, UP)
    assert transfer.now - began_at == pytest.approx(GUARD_S, abs=0.3)
    assert_over_without_notice(transfer)
    assert len(transfer.sent(CheckLegs)) == 1 + 2, "one of the handover, two of the guard"


def test_the_guard_may_be_as_long_as_the_request_says() -> None:
    transfer = guarding(bridge_guard_s=300.0)
    began_at = transfer.now
    answer_check(transfer, UP, UP)
    answer_check(transfer, UP, UP)
    assert transfer.now - began_at == pytest.approx(300.0, abs=0.3)
    assert_over_without_notice(transfer)


@pytest.mark.parametrize("caller", [UP, None], ids=["the caller is there", "the caller is unknown"])
@pytest.mark.parametrize("check", [1, 2])
def test_a_caller_found_alone_is_back_with_the_ai(check: int, caller: LegReport | None) -> None:
    line = "Dana ist nicht mehr da."
    transfer = guarding(lines=SpokenLines(supervisor_left=line))
    for _ in range(check - 1):
        answer_check(transfer, UP, UP)
    answer_check(transfer, caller, DOWN)
    (back,) = transfer.sent(ReturnCaller)
    assert (back.room_id, back.from_room_id, back.caller_call_id) == (PRIMARY, CONSULTATION, CALLER_CALL)
    assert transfer.sent(ReleaseCaller) == [], "released once the caller is there"
    transfer.reply("return_caller")
    (release,) = transfer.sent(ReleaseCaller)
    assert (release.line, release.stay_s) == (line, 0.0)
    (notice,) = transfer.sent(TransferNotice)
    assert notice.notice is NoticeKind.CALLER_RETURNED
    assert notice.data == {"after_s": pytest.approx(transfer.now - transfer.state.ended_at, abs=0.01)}
    assert (len(transfer.sent(CloseRoom)), transfer.sent(LeaveCall)) == (1, [])
    assert (transfer.stage, transfer.state.caller) == (Stage.COMPLETED, CallerPlace.WITH_AI)


@pytest.mark.parametrize(
    "news", [HUNG_UP, ParticipantLeft(room_id=CONSULTATION, participant_id="wxs-t1-1")], ids=["call", "room"]
)
def test_news_about_the_supervisor_act_at_once_and_once(news: Any) -> None:
    transfer = guarding()
    assert [type(each) for each in transfer.apply(news)] == [ReturnCaller]
    assert transfer.apply(news) == []
    transfer.reply("return_caller")
    assert notices(transfer) == [NoticeKind.CALLER_RETURNED]


def test_a_hang_up_while_a_check_is_awaited_does_not_wait_for_it() -> None:
    transfer = guarding().fire_timers_until_sent(CheckLegs)
    check_id = transfer.awaited("check_legs")
    assert [type(each) for each in transfer.apply(HUNG_UP)] == [ReturnCaller]
    assert transfer.apply(LegsChecked(command_id=check_id, caller=UP, supervisor=UP)) == []
    assert transfer.reply("return_caller").stage is Stage.COMPLETED


def test_a_late_reply_of_the_handovers_check_is_news_if_the_supervisor_is_down() -> None:
    transfer = TransferBuilder().until(Stage.HANDING_OVER).reply("leave_consultation")
    transfer.fire_timers_until(Stage.GUARDING)
    check_id = transfer.sent(CheckLegs)[-1].command_id
    assert transfer.apply(LegsChecked(command_id=check_id, caller=UP, supervisor=UP)) == []
    transfer.apply(LegsChecked(command_id=check_id, caller=UP, supervisor=DOWN))
    assert len(transfer.sent(ReturnCaller)) == 1


@pytest.mark.parametrize(
    "news",
    [
        CallerCallEnded(call_id=CALLER_CALL),
        ParticipantLeft(room_id=CONSULTATION, participant_id="wxc-t1"),
    ],
    ids=["call", "room"],
)
def test_a_caller_who_hung_up_ends_the_guard(news: Any) -> None:
    transfer = guarding()
    transfer.apply(news)
    assert_over_without_notice(transfer)
    assert transfer.state.caller is CallerPlace.HUNG_UP


def test_an_answer_to_an_older_check_decides_nothing() -> None:
    transfer = guarding()
    answer_check(transfer, UP, UP)
    older = transfer.sent(CheckLegs)[-1].command_id
    transfer.fire_timers_until_sent(CheckLegs)
    assert transfer.apply(LegsChecked(command_id=older, caller=DOWN, supervisor=DOWN)) == []
    assert transfer.stage is Stage.GUARDING


@pytest.mark.parametrize("supervisor", [UP, DOWN, None])
def test_a_check_that_finds_the_caller_gone_ends_the_guard(supervisor: LegReport | None) -> None:
    transfer = guarding()
    answer_check(transfer, DOWN, supervisor)
    assert_over_without_notice(transfer)
    assert transfer.sent(ReturnCaller) == []


def test_a_caller_who_hangs_up_during_the_return_ends_the_guard() -> None:
    transfer = guarding()
    transfer.apply(HUNG_UP)
    left = ParticipantLeft(room_id=CONSULTATION, participant_id="wxc-t1")
    assert transfer.apply(left) == [], "a caller who is moved back leaves the room too"
    transfer.apply(CallerReturned(command_id=transfer.awaited("return_caller"), caller_up=False))
    assert_over_without_notice(transfer)


@pytest.mark.parametrize("room_id", [None, PRIMARY, "third"])
def test_a_record_of_a_wrong_room_moves_no_caller_whose_supervisor_is_up(room_id: str | None) -> None:
    """A stale read may still show the room of the AI."""
    transfer = guarding()
    answer_check(transfer, LegReport(up=True, room_id=room_id), LegReport(up=True))
    assert transfer.sent(ReturnCaller) == []


def test_a_provider_that_does_not_answer_does_not_extend_the_guard_by_more_than_a_check() -> None:
    transfer = guarding()
    began_at = transfer.now
    transfer.fire_timers_until(Stage.COMPLETED)
    assert transfer.now - began_at < GUARD_S / 2 + 2 * 10.0 + 1.0
    assert len(transfer.sent(CheckLegs)) == 1 + 2
    assert_over_without_notice(transfer)


def test_an_outage_in_the_guard_does_not_skip_its_checks() -> None:
    transfer = guarding()
    transfer.now += 600.0
    answer_check(transfer, UP, UP)
    assert transfer.stage is Stage.GUARDING
    answer_check(transfer, UP, DOWN)
    assert transfer.reply("return_caller").stage is Stage.COMPLETED
    assert notices(transfer) == [NoticeKind.CALLER_RETURNED]


@pytest.mark.parametrize("fault", FailureKind)
def test_a_failed_return_is_repeated(fault: FailureKind) -> None:
    transfer = guarding()
    transfer.apply(HUNG_UP)
    transfer.fail("return_caller", fault).fire_timers_until_sent(ReturnCaller)
    assert len(transfer.sent(ReturnCaller)) == 2
    assert transfer.reply("return_caller").stage is Stage.COMPLETED
    assert notices(transfer) == [NoticeKind.CALLER_RETURNED]


def test_a_late_reply_to_an_earlier_return_counts() -> None:
    transfer = guarding()
    transfer.apply(HUNG_UP)
    first = transfer.awaited("return_caller")
    transfer.fire_timers_until_sent(ReturnCaller)
    assert transfer.awaited("return_caller") != first
    transfer.apply(CallerReturned(command_id=first, caller_up=True))
    assert notices(transfer) == [NoticeKind.CALLER_RETURNED]


def test_a_return_that_is_refused_is_given_up_with_a_notice_and_the_ai_stays() -> None:
    transfer = guarding()
    transfer.apply(HUNG_UP)
    began_at = transfer.now
    while transfer.stage is Stage.GUARDING:
        if transfer.state.pending:
            transfer.fail("return_caller", FailureKind.REFUSED)
        else:
            transfer.fire_timer()
    assert 60.0 < transfer.now - began_at < 300.0
    assert notices(transfer) == [NoticeKind.CALLER_ALONE]
    (release,) = transfer.sent(ReleaseCaller)
    assert release.stay_s == 3_600.0
    assert transfer.sent(LeaveCall) == []


def test_a_provider_outage_does_not_end_the_return() -> None:
    transfer = guarding()
    transfer.apply(HUNG_UP)
    began_at = transfer.now
    while transfer.now - began_at < 1_800.0:
        transfer.fire_timer()
    assert transfer.stage is Stage.GUARDING
    transfer.reply("return_caller")
    assert notices(transfer) == [NoticeKind.CALLER_RETURNED]


def test_a_return_is_not_repeated_for_ever() -> None:
    transfer = guarding()
    transfer.apply(HUNG_UP)
    began_at = transfer.now
    transfer.fire_timers_until(Stage.COMPLETED)
    assert transfer.now - began_at == pytest.approx(3_600.0, abs=60.0)
    assert notices(transfer) == [NoticeKind.CALLER_ALONE]


def alone_of_this_version(**config: Any) -> TransferBuilder:
    """Return a transfer whose supervisor hung up in the guard, as this version admits it."""
    transfer = TransferBuilder(**config)
    transfer.alone_notice_s = timeouts.ALONE_NOTICE_S
    transfer.until(Stage.GUARDING).apply(HUNG_UP)
    return transfer


@pytest.mark.parametrize("fault", [None, *FailureKind], ids=lambda fault: fault or "no reply")
def test_a_return_that_fails_is_told_soon_and_once_and_goes_on(fault: FailureKind | None) -> None:
    transfer = alone_of_this_version()
    began_at = transfer.now
    while transfer.now - began_at < 60.0:
        if fault is not None and transfer.state.awaits(ReturnCaller):
            transfer.fail("return_caller", fault)
        else:
            transfer.fire_timer()
    (notice,) = transfer.sent(TransferNotice)
    assert notice.notice is NoticeKind.CALLER_ALONE
    ended_at = transfer.state.ended_at or 0.0
    assert notice.data == {"after_s": pytest.approx(notice.timestamp - ended_at, abs=0.01), "searching": True}
    assert timeouts.ALONE_NOTICE_S <= notice.timestamp - began_at <= 2 * timeouts.ALONE_NOTICE_S + 1.0
    assert transfer.stage is Stage.GUARDING
    transfer.fire_timers_until_sent(ReturnCaller).reply("return_caller")
    assert notices(transfer) == [NoticeKind.CALLER_ALONE, NoticeKind.CALLER_RETURNED]


def test_a_return_that_succeeds_soon_is_told_once() -> None:
    transfer = alone_of_this_version()
    transfer.fail("return_caller", FailureKind.UNKNOWN).fire_timers_until_sent(ReturnCaller)
    transfer.reply("return_caller")
    assert notices(transfer) == [NoticeKind.CALLER_RETURNED]
    assert transfer.state.alone_notice_at is None


@pytest.mark.parametrize("caller_up", [True, False])
def test_nothing_is_told_of_a_return_that_is_over(caller_up: bool) -> None:
    transfer = alone_of_this_version(rescue=RescueByAgent(agent_id="agent"))
    first = transfer.awaited("return_caller")
    transfer.fire_timers_until_sent(ReturnCaller)
    transfer.apply(CallerReturned(command_id=first, caller_up=caller_up))
    told = notices(transfer)
    assert transfer.state.alone_notice_at is None
    transfer.now += 60.0
    transfer.apply(CommandFailed(command_id=first, failure=FailureKind.UNKNOWN))
    assert notices(transfer) == told


def test_the_end_of_a_search_is_told_too() -> None:
    transfer = alone_of_this_version().fire_timers_until(Stage.COMPLETED)
    first, last = transfer.sent(TransferNotice)
    assert (first.notice, last.notice) == (NoticeKind.CALLER_ALONE, NoticeKind.CALLER_ALONE)
    assert (first.data.get("searching"), last.data.get("searching")) == (True, None)


def test_a_transfer_of_an_older_version_is_told_only_at_the_end() -> None:
    """Its log replays as it is."""
    transfer = guarding()
    transfer.apply(HUNG_UP)
    transfer.fire_timers_until(Stage.COMPLETED)
    (last,) = transfer.sent(TransferNotice)
    assert "searching" not in last.data


def test_a_session_that_closes_ends_the_guard() -> None:
    transfer = guarding()
    transfer.apply(CallerReleased(command_id=None, cause="session_closed"))
    assert (transfer.stage, transfer.sent(LeaveCall)) == (Stage.COMPLETED, [])


def test_a_session_that_closed_before_completion_begins_no_guard() -> None:
    transfer = TransferBuilder().until(Stage.HANDING_OVER)
    transfer.apply(CallerReleased(command_id=None, cause="session_closed"))
    assert transfer.reply("leave_consultation", "check_legs").stage is Stage.COMPLETED
    assert (len(transfer.sent(LeaveCall)), transfer.state.pending) == (1, {})


def test_a_new_transfer_does_not_end_a_return_that_was_begun() -> None:
    """Found by simulation: the caller was moved back, and no notice said so."""
    transfer = guarding()
    transfer.apply(HUNG_UP)
    assert transfer.apply(CallerReleased(command_id=None, cause="new_transfer")) == []
    transfer.reply("return_caller")
    assert notices(transfer) == [NoticeKind.CALLER_RETURNED]


def test_a_new_transfer_of_the_caller_ends_the_guard() -> None:
    transfer = guarding()
    transfer.apply(CallerReleased(command_id=None, cause="new_transfer"))
    assert transfer.stage is Stage.COMPLETED
    assert (transfer.sent(LeaveCall), transfer.sent(ReleaseCaller)) == ([], [])


def test_an_expired_lease_does_not_end_the_guard() -> None:
    transfer = guarding()
    assert transfer.apply(CallerReleased(command_id=None, cause="bus_silent")) == []
    assert transfer.stage is Stage.GUARDING


@pytest.mark.parametrize("participant", [CALLER, "participant-other"])
def test_the_primary_room_says_nothing_about_the_bridge(participant: str) -> None:
    transfer = guarding()
    assert transfer.apply(ParticipantLeft(room_id=PRIMARY, participant_id=participant)) == []


def test_a_dead_lettered_deadline_ends_the_guard() -> None:
    transfer = guarding()
    transfer.apply(TransferBroken(transfer_id="t1", kind="event", cause="KeyError at guard.py:42"))
    assert transfer.stage is Stage.GUARDING
    transfer.apply(TransferBroken(transfer_id="t1", kind="timeout", cause="KeyError at guard.py:42"))
    assert_over_without_notice(transfer)


def test_a_dead_lettered_deadline_gives_up_the_return() -> None:
    transfer = guarding()
    transfer.apply(HUNG_UP)
    transfer.apply(TransferBroken(transfer_id="t1", kind="timeout", cause="KeyError at guard.py:42"))
    assert (transfer.stage, notices(transfer)) == (Stage.COMPLETED, [NoticeKind.CALLER_ALONE])
