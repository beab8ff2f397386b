"""Bridge guard: a caller who is returned to a session that is lost is rescued, and a notice says so."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import UNSET

from warmxfer.actors.coordinator.inbound_events import with_defaults
from warmxfer.actors.coordinator.state_machine import Stage
from warmxfer.actors.coordinator.state_machine.timeouts import guard_return_s
from warmxfer.schemas import (
    CallCause,
    CallerCallEnded,
    CallerReleased,
    CallerRescued,
    CallerReturned,
    FailureKind,
    LeaveCall,
    NoticeKind,
    ParticipantLeft,
    ReleaseCaller,
    RescueByAgent,
    RescueCaller,
    ReturnCaller,
    SupervisorCallEnded,
    TransferBroken,
    TransferNotice,
    WarmTransferResult,
)

from .transfer_builder import CALLER_CALL, PRIMARY, SUPERVISOR_CALL, TransferBuilder, request

HUNG_UP = SupervisorCallEnded(attempt=1, call_id=SUPERVISOR_CALL, cause=CallCause.HUNG_UP)
AGENT = RescueByAgent(agent_id="agent-1")
RESCUES = [AGENT, None]


def alone(rescue: Any = AGENT) -> TransferBuilder:
    """Return a transfer whose guard has found that the supervisor hung up."""
    transfer = TransferBuilder(rescue=rescue).until(Stage.GUARDING)
    transfer.apply(HUNG_UP)
    return transfer


def back(rescue: Any = AGENT) -> TransferBuilder:
    """Return the same transfer once the caller is in the primary room."""
    return alone(rescue).reply("return_caller")


def notices(transfer: TransferBuilder) -> list[NoticeKind]:
    return [each.notice for each in transfer.sent(TransferNotice)]


def assert_over(transfer: TransferBuilder, *kinds: NoticeKind) -> None:
    assert transfer.stage is Stage.COMPLETED
    assert notices(transfer) == list(kinds)
    assert transfer.state.timer_due_at is None
    assert transfer.sent(LeaveCall) == []
    assert len(transfer.sent(WarmTransferResult)) == 1
    assert "caller" not in transfer.state.decision.evidence  # type: ignore[union-attr]


@pytest.mark.parametrize("rescue", RESCUES)
def test_a_session_that_answers_has_the_caller_back(rescue: Any) -> None:
    transfer = back(rescue)
    assert (transfer.stage, notices(transfer)) == (Stage.GUARDING, [])
    transfer.reply("release_caller")
    assert_over(transfer, NoticeKind.CALLER_RETURNED)
    assert transfer.sent(RescueCaller) == []


def test_a_session_that_was_asked_for_a_caller_who_hung_up_is_told_to_release_them() -> None:
    """It may have released the caller, or be dead: a command to leave could end its next call."""
    transfer = alone().fire_timers_until_sent(ReleaseCaller)
    transfer.apply(CallerReturned(command_id=transfer.awaited("return_caller"), caller_up=False))
    assert_over(transfer)
    asked, last = transfer.sent(ReleaseCaller)
    assert asked.stay_s > 0
    assert (last.line, last.stay_s, transfer.state.pending) == (None, 0.0, {})


def test_a_caller_who_was_returned_to_a_dead_session_is_rescued() -> None:
    transfer = back().time_out(ReleaseCaller)
    (command,) = transfer.sent(RescueCaller)
    assert (command.room_id, command.consultation_room_id) == (PRIMARY, None)
    transfer.reply("rescue_caller")
    assert_over(transfer, NoticeKind.CALLER_RESCUED)
    assert transfer.sent(TransferNotice)[0].data["call_id"] == "call-rescue"


def test_without_a_rescue_a_notice_says_that_the_caller_is_alone() -> None:
    transfer = back(None).time_out(ReleaseCaller)
    assert_over(transfer, NoticeKind.CALLER_ALONE)
    assert transfer.sent(RescueCaller) == []


@pytest.mark.parametrize("failure", [FailureKind.REFUSED, FailureKind.UNKNOWN, FailureKind.CALLED_OFF])
def test_a_rescue_that_fails_leaves_the_caller_alone(failure: FailureKind) -> None:
    transfer = back().time_out(ReleaseCaller).fail("rescue_caller", failure)
    assert_over(transfer, NoticeKind.CALLER_ALONE)


def test_a_rescue_without_a_reply_leaves_the_caller_alone() -> None:
    transfer = back().time_out(ReleaseCaller).time_out(RescueCaller)
    assert_over(transfer, NoticeKind.CALLER_ALONE)
    assert len(transfer.sent(RescueCaller)) == 1


def test_a_caller_who_hung_up_is_not_rescued() -> None:
    transfer = back().time_out(ReleaseCaller).fail("rescue_caller", FailureKind.CALLER_GONE)
    assert_over(transfer)


def test_a_caller_who_hangs_up_while_the_session_is_asked_ends_the_guard() -> None:
    transfer = back()
    transfer.apply(CallerCallEnded(call_id=CALLER_CALL))
    assert_over(transfer)


def test_the_room_event_of_the_return_does_not_end_the_wait() -> None:
    transfer = back()
    transfer.apply(transfer.room_event(ParticipantLeft, "wxc-t1"))
    assert transfer.stage is Stage.GUARDING


@pytest.mark.parametrize("rescue", RESCUES)
def test_a_session_that_closed_is_lost(rescue: Any) -> None:
    transfer = back(rescue)
    transfer.apply(CallerReleased(command_id=None, cause="session_closed"))
    assert len(transfer.sent(RescueCaller)) == (1 if rescue else 0)
    if rescue:
        transfer.reply("rescue_caller")
    assert_over(transfer, NoticeKind.CALLER_RESCUED if rescue else NoticeKind.CALLER_ALONE)


def test_a_return_without_success_asks_the_session_and_a_rescue_brings_it_about() -> None:
    """A cloud moves no call into a room where no agent is."""
    transfer = alone()
    transfer.fail("return_caller", FailureKind.REFUSED)
    transfer.time_out(ReleaseCaller)
    (command,) = transfer.sent(RescueCaller)
    assert (command.supervisor_call_id, command.consultation_room_id) == (
        SUPERVISOR_CALL,
        transfer.state.room_id,
    )
    transfer.apply(CallerRescued(command_id=transfer.awaited("rescue_caller"), by="agent"))
    assert transfer.stage is Stage.GUARDING
    transfer.apply(CallerReturned(command_id="t1-99", caller_up=True))
    assert_over(transfer, NoticeKind.CALLER_RESCUED)


def test_a_session_that_answers_stays_for_the_caller() -> None:
    transfer = alone()
    transfer.fail("return_caller", FailureKind.REFUSED).reply("release_caller")
    assert transfer.sent(ReleaseCaller)[0].stay_s > 0
    transfer.apply(CallerReturned(command_id="t1-99", caller_up=True))
    assert_over(transfer, NoticeKind.CALLER_RETURNED)
    assert len(transfer.sent(ReleaseCaller)) == 1


def test_without_a_rescue_a_return_without_success_does_not_ask_the_session() -> None:
    transfer = alone(None).fail("return_caller", FailureKind.REFUSED)
    assert transfer.sent(ReleaseCaller) == []


def test_a_dead_lettered_deadline_counts_as_a_release_without_an_answer() -> None:
    transfer = back()
    lost = TransferBroken(transfer_id="t1", kind="timeout", cause="a bug")
    transfer.apply(lost)
    assert len(transfer.sent(RescueCaller)) == 1
    transfer.apply(lost)
    assert_over(transfer, NoticeKind.CALLER_ALONE)


# ── a new transfer holds the caller ──────────────────────────────────────────────────────────────

TAKEN = CallerReleased(command_id=None, cause="new_transfer")


def with_admitted_defaults(rescue: Any) -> TransferBuilder:
    """Return `alone` with the config that admission writes: without a choice, the rescue is None."""
    admitted = with_defaults(request(rescue=rescue)).config.rescue
    return alone(admitted)


@pytest.mark.parametrize("rescue", [UNSET, AGENT])
def test_a_new_transfer_during_the_return_leaves_no_release_and_no_rescue(rescue: Any) -> None:
    """The session ignores a release that is older than the hold of the new transfer.

    Fails if only a release that is awaited counts as answered: then the release times out, and the caller is
    rescued beside the AI of the new transfer, or is said to be alone.
    """
    transfer = with_admitted_defaults(rescue)
    transfer.apply(TAKEN)
    assert transfer.stage is Stage.GUARDING
    transfer.reply("return_caller")
    assert_over(transfer, NoticeKind.CALLER_RETURNED)
    assert (transfer.sent(ReleaseCaller), transfer.sent(RescueCaller)) == ([], [])


@pytest.mark.parametrize("rescue", [UNSET, AGENT])
def test_a_new_transfer_after_the_return_answers_the_release(rescue: Any) -> None:
    transfer = with_admitted_defaults(rescue).reply("return_caller")
    transfer.apply(TAKEN)
    assert_over(transfer, NoticeKind.CALLER_RETURNED)
    assert transfer.sent(RescueCaller) == []


@pytest.mark.parametrize("rescue", [UNSET, AGENT])
def test_a_return_that_fails_after_a_new_transfer_asks_no_session(rescue: Any) -> None:
    transfer = with_admitted_defaults(rescue)
    transfer.apply(TAKEN)
    transfer.fail("return_caller", FailureKind.REFUSED)
    transfer.fire_timers_until_sent(ReturnCaller)
    transfer.reply("return_caller")
    assert_over(transfer, NoticeKind.CALLER_RETURNED)
    assert (transfer.sent(ReleaseCaller), transfer.sent(RescueCaller)) == ([], [])


def test_a_new_transfer_shows_that_the_session_is_not_lost() -> None:
    """The rescue was sent already: its failure does not leave the caller alone."""
    transfer = back().time_out(ReleaseCaller)
    transfer.apply(TAKEN)
    transfer.fail("rescue_caller", FailureKind.REFUSED)
    assert_over(transfer, NoticeKind.CALLER_RETURNED)


# ── a rescue that has not begun ──────────────────────────────────────────────────────────────────


def test_a_rescue_that_has_not_begun_is_requested_again_after_a_pause() -> None:
    """Fails if each failure of a rescue is final: a short outage of the provider then costs the rescue."""
    transfer = back().time_out(ReleaseCaller).rescue_not_begun()
    assert (transfer.stage, notices(transfer)) == (Stage.GUARDING, [])
    failed_at = transfer.now
    transfer.fire_timers_until_sent(RescueCaller)
    assert transfer.now - failed_at == pytest.approx(2.0, abs=0.3)
    transfer.reply("rescue_caller")
    assert_over(transfer, NoticeKind.CALLER_RESCUED)


def test_a_late_reply_of_an_earlier_rescue_ends_the_wait_for_a_repeated_one() -> None:
    transfer = back().time_out(ReleaseCaller)
    (first,) = transfer.sent(RescueCaller)
    transfer.rescue_not_begun()
    transfer.fire_timers_until_sent(RescueCaller)
    assert transfer.state.awaits(RescueCaller)
    transfer.apply(CallerRescued(command_id=first.command_id, by="agent", call_id=None))
    assert not transfer.state.awaits(RescueCaller)
    assert_over(transfer, NoticeKind.CALLER_RESCUED)


def test_a_rescue_that_never_begins_leaves_the_caller_alone() -> None:
    transfer = back().time_out(ReleaseCaller)
    lasted_s = transfer.leave_without_rescue(Stage.GUARDING)
    assert lasted_s == pytest.approx(guard_return_s(transfer.state.request.config), abs=1.0)  # type: ignore[union-attr]
    assert 5 < len(transfer.sent(RescueCaller)) < 30
    assert_over(transfer, NoticeKind.CALLER_ALONE)


def test_each_repeat_of_the_return_requests_a_rescue_that_has_not_begun() -> None:
    transfer = alone()
    transfer.fail("return_caller", FailureKind.UNKNOWN)
    transfer.time_out(ReleaseCaller)
    transfer.rescue_not_begun()
    if transfer.state.awaits(ReturnCaller):
        transfer.fail("return_caller", FailureKind.UNKNOWN)
    transfer.fire_timers_until_sent(RescueCaller)
    assert transfer.state.awaits(ReturnCaller)
    transfer.rescue_not_begun().reply("return_caller")
    assert len(transfer.sent(RescueCaller)) == 3, "the caller is back, and no session is there"
    transfer.reply("rescue_caller")
    assert_over(transfer, NoticeKind.CALLER_RESCUED)


def test_a_return_that_is_given_up_with_an_open_rescue_leaves_the_caller_alone() -> None:
    transfer = alone()
    transfer.fail("return_caller", FailureKind.UNKNOWN)
    transfer.time_out(ReleaseCaller).rescue_not_begun()
    transfer.apply(TransferBroken(transfer_id="t1", kind="timeout", cause="a bug"))
    assert_over(transfer, NoticeKind.CALLER_ALONE)


def test_a_dead_lettered_deadline_ends_the_repeats_of_a_rescue() -> None:
    transfer = back().time_out(ReleaseCaller).rescue_not_begun()
    transfer.apply(TransferBroken(transfer_id="t1", kind="timeout", cause="a bug"))
    assert_over(transfer, NoticeKind.CALLER_ALONE)


def test_a_new_transfer_ends_the_repeats_of_a_rescue() -> None:
    transfer = back().time_out(ReleaseCaller).rescue_not_begun()
    transfer.apply(TAKEN)
    assert_over(transfer, NoticeKind.CALLER_RETURNED)
