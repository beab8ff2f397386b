"""A caller whose session is lost is rescued once, or the result's evidence says that they may be alone."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import UNSET

from warmxfer.actors.coordinator.inbound_events import with_defaults
from warmxfer.actors.coordinator.state_machine import Stage
from warmxfer.actors.coordinator.state_machine.timeouts import unwinding_s
from warmxfer.schemas import (
    CallCause,
    CallerCallEnded,
    CallerReleased,
    CallerRescued,
    CallerReturned,
    CancelRequested,
    CheckLegs,
    FailureKind,
    LegReport,
    LegsChecked,
    Outcome,
    ReleaseCaller,
    RescueByAgent,
    RescueByDial,
    RescueCaller,
    ReturnCaller,
    SupervisorCallEnded,
    SupervisorDeclined,
    TransferBroken,
)

from .transfer_builder import (
    CALLER_CALL,
    CONSULTATION,
    OUTAGE,
    PRIMARY,
    SUPERVISOR_CALL,
    TransferBuilder,
    request,
)

DIAL = RescueByDial(routing_rule_id="rule-1", sip_call_to="+14155550114", sip_call_from="+14155559876")
AGENT = RescueByAgent(agent_id="agent-1")
NO_ANSWER, CLOSED = "no session answered the release", "the session was closed"


def declined(rescue: Any = DIAL) -> TransferBuilder:
    """Return a transfer in clean-up: the supervisor declined, and only the release is not answered."""
    transfer = TransferBuilder(rescue=rescue).until(Stage.BRIEFING)
    transfer.apply(SupervisorDeclined(reason="in a meeting"))
    return transfer.reply("end_call", "leave_consultation")


def lost(rescue: Any = DIAL) -> TransferBuilder:
    """Return the same transfer once the release has timed out."""
    return declined(rescue).time_out(ReleaseCaller)


def not_returned(**config: Any) -> TransferBuilder:
    """Return a transfer in clean-up: the caller was moved, could not be returned, and no session answers."""
    transfer = TransferBuilder(**{"rescue": DIAL, **config}).until(Stage.RETURNING)
    transfer.fail("return_caller", FailureKind.REFUSED).reply("leave_consultation")
    return transfer.time_out(ReleaseCaller)


@pytest.mark.parametrize("rescue", [DIAL, AGENT])
def test_a_release_without_an_answer_is_followed_by_one_rescue(rescue: Any) -> None:
    transfer = lost(rescue)
    (command,) = transfer.sent(RescueCaller)
    assert (command.room_id, command.caller_call_id, command.rescue) == (PRIMARY, CALLER_CALL, rescue)
    assert command.participant_id == "wxh-t1"
    assert (command.supervisor_call_id, command.consultation_room_id) == (None, None)


@pytest.mark.parametrize(("by", "text"), [("dial", "dialled"), ("agent", "agent dispatched")])
def test_the_evidence_says_how_the_caller_was_rescued(by: Any, text: str) -> None:
    transfer = lost()
    transfer.apply(CallerRescued(command_id=transfer.awaited("rescue_caller"), by=by))
    result = transfer.finish_cleanup().result
    assert result.outcome is Outcome.DECLINED
    assert result.evidence["caller"] == f"rescued: {NO_ANSWER}"
    assert result.evidence["caller_rescued"] == text
    assert result.evidence["release_caller_unanswered"] is True


def test_the_evidence_has_the_leg_of_the_rescue() -> None:
    transfer = lost()
    transfer.apply(CallerRescued(command_id=transfer.awaited("rescue_caller"), by="dial", call_id="call-9"))
    assert transfer.finish_cleanup().result.evidence["rescue_call_id"] == "call-9"


def test_without_a_rescue_the_evidence_says_that_the_caller_may_be_alone() -> None:
    transfer = lost(None).finish_cleanup()
    assert transfer.sent(RescueCaller) == []
    assert transfer.result.evidence["caller"] == f"may be alone: {NO_ANSWER}"
    assert "caller_rescued" not in transfer.result.evidence


def test_a_request_of_an_older_version_ends_as_it_did() -> None:
    transfer = lost(UNSET).finish_cleanup()
    assert "caller" not in transfer.result.evidence
    assert not transfer.state.session_lost


def test_admission_writes_the_open_choice_into_the_request() -> None:
    assert request().config.rescue is UNSET
    assert with_defaults(request()).config.rescue is None
    assert with_defaults(request(rescue=DIAL)).config.rescue == DIAL


def test_a_session_that_answers_needs_no_rescue() -> None:
    transfer = declined().reply("release_caller").finish_cleanup()
    assert transfer.sent(RescueCaller) == []
    assert "caller" not in transfer.result.evidence


@pytest.mark.parametrize(
    ("failure", "caller", "rescued"),
    [
        (FailureKind.CALLER_GONE, "hung up", "not needed"),
        (FailureKind.CALLED_OFF, "with the supervisor", "not needed"),
        (FailureKind.REFUSED, "may be alone", "failed: no such number"),
        (FailureKind.BROKEN, "may be alone", "failed: no such number"),
        (FailureKind.UNKNOWN, "may be alone", "unconfirmed: no such number"),
    ],
)
def test_the_evidence_says_why_there_was_no_rescue(failure: FailureKind, caller: str, rescued: str) -> None:
    transfer = lost().fail("rescue_caller", failure, detail="no such number").finish_cleanup()
    evidence = transfer.result.evidence
    assert (evidence["caller"], evidence["caller_rescued"]) == (f"{caller}: {NO_ANSWER}", rescued)
    assert transfer.result.outcome is Outcome.DECLINED
    assert len(transfer.sent(RescueCaller)) == 1


def test_a_caller_who_is_known_to_have_hung_up_is_not_rescued() -> None:
    transfer = TransferBuilder(rescue=DIAL).until(Stage.BRIEFING)
    transfer.apply(CallerCallEnded(call_id=CALLER_CALL))
    transfer.fire_timers_until(Stage.CANCELLED)
    assert transfer.sent(RescueCaller) == []
    assert "caller" not in transfer.result.evidence


def test_the_rescue_is_sent_again_while_no_gateway_replies_and_clean_up_lasts() -> None:
    transfer = lost()
    transfer.fire_timers_until(Stage.CANCELLED)
    assert 1 < len(transfer.sent(RescueCaller)) <= 3
    evidence = transfer.result.evidence
    assert evidence["caller"] == f"may be alone: {NO_ANSWER}"
    assert evidence["caller_rescued"] == "unconfirmed"
    assert evidence["unconfirmed"] == "rescue_caller"


def test_a_late_reply_of_an_earlier_rescue_is_enough() -> None:
    transfer = lost()
    first = transfer.awaited("rescue_caller")
    transfer.fire_timers_until_sent(RescueCaller)
    transfer.apply(CallerRescued(command_id=first, by="dial", call_id="call-9"))
    assert transfer.finish_cleanup().result.evidence["caller_rescued"] == "dialled"


def test_a_late_release_changes_nothing_any_more() -> None:
    transfer = declined()
    release = transfer.awaited("release_caller")
    transfer.time_out(ReleaseCaller)
    assert transfer.apply(CallerReleased(command_id=release)) == []
    assert len(transfer.sent(RescueCaller)) == 1


def test_a_session_that_closes_during_the_hold_is_lost() -> None:
    transfer = TransferBuilder(rescue=DIAL).until(Stage.BRIEFING)
    transfer.apply(CallerReleased(command_id=None, cause="session_closed"))
    assert len(transfer.sent(RescueCaller)) == 1
    transfer.reply("rescue_caller")
    result = transfer.finish_cleanup().result
    assert result.outcome is Outcome.SESSION_RELEASED
    assert result.evidence["caller"] == f"rescued: {CLOSED}"


def test_a_session_that_closes_instead_of_releasing_is_lost() -> None:
    transfer = declined()
    transfer.apply(CallerReleased(command_id=None, cause="session_closed"))
    assert len(transfer.sent(RescueCaller)) == 1


def test_a_session_whose_lease_expired_is_not_lost() -> None:
    transfer = TransferBuilder(rescue=DIAL).until(Stage.BRIEFING)
    transfer.apply(CallerReleased(command_id=None, cause="bus_silent"))
    assert transfer.finish_cleanup().sent(RescueCaller) == []


def test_a_session_that_closed_during_the_bridge_is_remembered_if_the_bridge_fails() -> None:
    transfer = TransferBuilder(rescue=DIAL).until(Stage.ARRIVING)
    transfer.apply(CallerReleased(command_id=None, cause="session_closed"))
    transfer.apply(CancelRequested(reason="stop"))
    assert transfer.sent(RescueCaller) == []
    transfer.reply("return_caller")
    assert len(transfer.sent(RescueCaller)) == 1


def test_a_lost_session_does_not_hinder_a_bridge() -> None:
    transfer = TransferBuilder(rescue=DIAL).until(Stage.COMPLETED)
    assert transfer.sent(RescueCaller) == []
    assert transfer.result.success


def test_a_dead_lettered_deadline_counts_as_a_release_without_an_answer() -> None:
    transfer = declined()
    transfer.apply(TransferBroken(transfer_id="t1", kind="timeout", cause="a bug"))
    assert transfer.stage is Stage.CANCELLED
    assert len(transfer.sent(RescueCaller)) == 1
    assert transfer.result.evidence["caller_rescued"] == "unconfirmed"


# ── a caller who could not be returned ───────────────────────────────────────────────────────────


def test_the_gateway_checks_whether_a_caller_who_was_not_returned_is_with_the_supervisor() -> None:
    (command,) = not_returned().sent(RescueCaller)
    assert (command.supervisor_call_id, command.consultation_room_id) == (SUPERVISOR_CALL, CONSULTATION)


def test_a_rescued_caller_who_was_not_returned_is_moved_to_the_rescue() -> None:
    transfer = not_returned()
    before = len(transfer.sent(ReturnCaller))
    transfer.reply("rescue_caller")
    assert len(transfer.sent(ReturnCaller)) == before + 1


ALONE = LegReport(up=True, room_id=CONSULTATION)
DOWN = LegReport(up=False, status="ended")


def _supervisor_hangs_up(transfer: TransferBuilder) -> None:
    transfer.apply(SupervisorCallEnded(attempt=1, call_id=SUPERVISOR_CALL, cause=CallCause.HUNG_UP))


def _legs_show_it(transfer: TransferBuilder) -> None:
    transfer.fire_timers_until_sent(CheckLegs)
    transfer.apply(LegsChecked(command_id=transfer.state.last_leg_check_id, caller=ALONE, supervisor=DOWN))


def _caller_is_back(transfer: TransferBuilder) -> None:
    transfer.apply(CallerReturned(command_id="t1-1", caller_up=True))


@pytest.mark.parametrize("how", [_supervisor_hangs_up, _legs_show_it, _caller_is_back])
def test_a_caller_who_was_with_the_supervisor_is_rescued_once_they_are_alone(how: Any) -> None:
    transfer = not_returned().fail("rescue_caller", FailureKind.CALLED_OFF)
    assert transfer.stage is Stage.CANCELLED
    assert transfer.result.evidence["caller"] == f"with the supervisor: {NO_ANSWER}"
    how(transfer)
    how(transfer)
    assert len(transfer.sent(RescueCaller)) == 2


def test_the_release_is_sent_before_the_rescue() -> None:
    order = [type(each) for each in lost().commands if isinstance(each, ReleaseCaller | RescueCaller)]
    assert order == [ReleaseCaller, RescueCaller]


# ── a rescue that has not begun ──────────────────────────────────────────────────────────────────


def test_a_rescue_that_has_not_begun_is_requested_again_after_a_pause() -> None:
    """Fails if each failure of a rescue is final: a short outage of the provider then costs the rescue."""
    transfer = lost().rescue_not_begun()
    assert transfer.stage is Stage.UNWINDING
    failed_at = transfer.now
    transfer.fire_timers_until_sent(RescueCaller)
    assert transfer.now - failed_at == pytest.approx(2.0, abs=0.3)
    transfer.rescue_not_begun()
    failed_at = transfer.now
    transfer.fire_timers_until_sent(RescueCaller)
    assert transfer.now - failed_at == pytest.approx(3.0, abs=0.3)
    result = transfer.reply("rescue_caller").finish_cleanup().result
    assert result.evidence["caller"] == f"rescued: {NO_ANSWER}"
    assert result.evidence["caller_rescued"] == "dialled"


def test_a_rescue_that_never_begins_ends_with_clean_up() -> None:
    transfer = lost()
    lasted_s = transfer.leave_without_rescue(Stage.UNWINDING)
    assert lasted_s <= unwinding_s(transfer.state.request.config)  # type: ignore[union-attr]
    assert 5 < len(transfer.sent(RescueCaller)) < 20
    assert transfer.result.evidence["caller"] == f"may be alone: {NO_ANSWER}"
    assert transfer.result.evidence["caller_rescued"] == f"failed: {OUTAGE}"


def test_a_caller_who_hangs_up_during_an_outage_of_the_provider_is_not_rescued() -> None:
    transfer = lost().rescue_not_begun()
    transfer.fire_timers_until_sent(RescueCaller)
    transfer.fail("rescue_caller", FailureKind.CALLER_GONE).finish_cleanup()
    assert transfer.result.evidence["caller_rescued"] == "not needed"


@pytest.mark.parametrize("how", [_supervisor_hangs_up, _legs_show_it, _caller_is_back])
def test_a_rescue_without_a_reply_is_requested_again_once_the_caller_is_alone(how: Any) -> None:
    """Clean-up ended while the reply was awaited. Fails if the ended transfer counts the rescue as made."""
    transfer = not_returned()
    transfer.fire_timers_until(Stage.CANCELLED)
    before = len(transfer.sent(RescueCaller))
    how(transfer)
    assert len(transfer.sent(RescueCaller)) == before + 1
    how(transfer)
    assert len(transfer.sent(RescueCaller)) == before + 1
