"""The notice to the supervisor: spoken whole before their leg ends, for at most `notice_s`."""

from __future__ import annotations

from typing import Any

import pytest

from warmxfer.actors.coordinator.state_machine import Stage
from warmxfer.actors.coordinator.state_machine.timeouts import NOTICE_GRACE_S
from warmxfer.schemas import (
    AudioStreamEnabled,
    CallerCallEnded,
    CancelRequested,
    EndCall,
    FailureKind,
    LeaveConsultation,
    Outcome,
    ParticipantJoined,
    ReleaseCaller,
    SpokenLines,
    SupervisorDeclined,
    VoicemailDetected,
)

from .transfer_builder import CALLER_CALL, TransferBuilder

NOTICE_S = 6.0
LINES = SpokenLines()


def briefed(**config: Any) -> TransferBuilder:
    return TransferBuilder(**{"notice_s": NOTICE_S, **config}).until(Stage.BRIEFING)


def caller_leaves(transfer: TransferBuilder) -> None:
    transfer.apply(CallerCallEnded(call_id=CALLER_CALL))


def cancelled(transfer: TransferBuilder) -> None:
    transfer.apply(CancelRequested(reason="cancelled by request"))


def time_is_over(transfer: TransferBuilder) -> None:
    transfer.fire_timers_until(Stage.UNWINDING)


@pytest.mark.parametrize(
    ("end", "line", "outcome"),
    [
        (caller_leaves, LINES.caller_left, Outcome.CALLER_LEFT),
        (cancelled, LINES.called_off, Outcome.CANCELLED),
        (time_is_over, LINES.time_over, Outcome.BRIEFING_TIMEOUT),
        (lambda each: each.apply(SupervisorDeclined(reason="no")), None, Outcome.DECLINED),
    ],
)
def test_the_leg_stays_up_until_the_notice_was_spoken(end: Any, line: str | None, outcome: Outcome) -> None:
    transfer = briefed()
    end(transfer)
    (leave,) = transfer.sent(LeaveConsultation)
    assert (leave.notice, leave.finish_s) == (line, NOTICE_S)
    assert leave.deadline_at == transfer.now + NOTICE_S + NOTICE_GRACE_S
    assert transfer.sent(EndCall) == []
    assert transfer.sent(ReleaseCaller), "the caller does not wait for it"
    transfer.reply("leave_consultation")
    assert len(transfer.sent(EndCall)) == 1
    transfer.finish_cleanup()
    assert transfer.result.outcome is outcome
    assert len(transfer.sent(EndCall)) == 1


@pytest.mark.parametrize("how", ["silent", "refused"])
def test_a_briefing_agent_that_does_not_answer_leaves_no_leg_up(how: str) -> None:
    transfer = briefed()
    cancelled(transfer)
    began_at = transfer.now
    if how == "silent":
        transfer.time_out(LeaveConsultation)
        assert transfer.now - began_at <= NOTICE_S + 2 * NOTICE_GRACE_S
    else:
        transfer.fail("leave_consultation", FailureKind.REFUSED)
    assert len(transfer.sent(EndCall)) == 1


def test_a_leg_whose_end_was_never_sent_is_a_leftover() -> None:
    """The transfer ends by its clean-up time alone, as when the reply to the agent's leave was lost."""
    transfer = briefed()
    cancelled(transfer)
    assert transfer.state.supervisor_leg.may_be_up


@pytest.mark.parametrize("config", [{"notice_s": 0.0}, {"notice_s": None}], ids=["0", "an older record"])
def test_without_a_notice_the_leg_ends_at_once(config: dict[str, Any]) -> None:
    transfer = briefed(**config)
    cancelled(transfer)
    (leave,) = transfer.sent(LeaveConsultation)
    assert (leave.notice, leave.finish_s) == (None, 0.0)
    assert len(transfer.sent(EndCall)) == 1


def test_a_mailbox_and_a_ringing_phone_are_told_nothing() -> None:
    mailbox = briefed()
    mailbox.apply(VoicemailDetected())
    ringing = TransferBuilder(notice_s=NOTICE_S).until(Stage.RINGING)
    cancelled(ringing)
    for transfer in (mailbox, ringing):
        assert [each.notice for each in transfer.sent(LeaveConsultation)] == [None]
        assert len(transfer.sent(EndCall)) == 1


def test_a_caller_who_leaves_during_the_switch_is_told_to_the_supervisor() -> None:
    transfer = TransferBuilder(notice_s=NOTICE_S).until(Stage.SWITCHING)
    caller_leaves(transfer)
    transfer.fail("switch_caller", FailureKind.CALLER_GONE)
    assert [each.notice for each in transfer.sent(LeaveConsultation)] == [LINES.caller_left]


def test_a_supervisor_who_said_yes_is_told_that_the_caller_does_not_come() -> None:
    transfer = TransferBuilder(notice_s=NOTICE_S).until(Stage.SWITCHING)
    transfer.fail("switch_caller", FailureKind.REFUSED)
    assert [each.notice for each in transfer.sent(LeaveConsultation)] == [LINES.called_off]


def test_no_notice_is_waited_for_from_an_agent_that_was_asked_to_leave() -> None:
    """Without it the supervisor's line stayed up and silent until the leave timed out."""
    transfer = TransferBuilder(notice_s=NOTICE_S).until(Stage.HANDING_OVER)
    cancelled(transfer)
    transfer.reply("return_caller")
    assert transfer.stage is Stage.UNWINDING
    assert [each.notice for each in transfer.sent(LeaveConsultation)] == [None, None]
    assert len(transfer.sent(EndCall)) == 1


def test_a_transfer_that_an_older_version_began_replays_with_its_notice() -> None:
    transfer = TransferBuilder(notice_s=NOTICE_S)
    transfer.begun_by_version = 3
    cancelled(transfer.until(Stage.HANDING_OVER))
    transfer.reply("return_caller")
    assert [each.notice for each in transfer.sent(LeaveConsultation)] == [None, LINES.called_off]
    assert not transfer.state.agent_asked_to_leave


@pytest.mark.parametrize("event", [AudioStreamEnabled, ParticipantJoined])
def test_a_repeated_room_event_cuts_no_notice_off(event: type[Any]) -> None:
    transfer = briefed()
    cancelled(transfer)
    transfer.apply(transfer.room_event(event, "wxs-t1-1"))
    assert transfer.sent(EndCall) == []
    transfer.reply("leave_consultation")
    assert len(transfer.sent(EndCall)) == 1
