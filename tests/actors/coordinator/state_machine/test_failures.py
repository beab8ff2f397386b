"""Commands that fail or get no reply, and deadlines that pass."""

import pytest

from warmxfer.actors.coordinator.state_machine import Stage, Transfer
from warmxfer.actors.coordinator.state_machine.failures import ON_STAGE_TIMEOUT
from warmxfer.actors.coordinator.state_machine.transitions import TRANSITIONS
from warmxfer.schemas import (
    BriefSupervisor,
    CommandFailed,
    DeadlinePassed,
    EndCall,
    FailureKind,
    HoldCaller,
    Outcome,
    ReleaseCaller,
    ReturnCaller,
    TransferBroken,
)

from .transfer_builder import LIVE, PREPARATIONS, TransferBuilder

AWAITED = {
    Stage.PREPARING: ("hold_caller", "find_caller_call", "create_room", "summarize"),
    Stage.RINGING: ("dial_supervisor", "join_consultation", "check_legs", "summarize"),
    Stage.BRIEFING: ("brief_supervisor", "check_legs"),
    Stage.SWITCHING: ("switch_caller",),
    Stage.ARRIVING: ("check_legs",),
    Stage.HANDING_OVER: ("leave_consultation", "check_legs"),
    Stage.RETURNING: ("return_caller",),
    Stage.UNWINDING: ("release_caller", "end_call", "leave_consultation", "create_room", "close_room"),
}
"""Replies that can be outstanding in each stage."""

MISSING = {
    "hold_caller": (Stage.FAILED, Outcome.PRIMARY_ABSENT),
    "find_caller_call": (Stage.FAILED, Outcome.GATEWAY_ABSENT),
    "create_room": (Stage.FAILED, Outcome.GATEWAY_ABSENT),
    "dial_supervisor": (Stage.FAILED, Outcome.GATEWAY_ABSENT),
    "join_consultation": (Stage.FAILED, Outcome.BRIEFING_ABSENT),
    "brief_supervisor": (Stage.CANCELLED, Outcome.BRIEFING_TIMEOUT),
    "switch_caller": (Stage.FAILED, Outcome.GATEWAY_ABSENT),
    "summarize": (Stage.GUARDING, Outcome.COMPLETE),
    "check_legs": (Stage.GUARDING, Outcome.COMPLETE),
    "leave_consultation": (Stage.GUARDING, Outcome.COMPLETE),
}
"""End of a transfer in which only this command gets no reply."""


def run_without_reply_to(transfer: TransferBuilder, missing: str) -> None:
    """Run the transfer to its end. Every command gets its reply, except those of kind `missing`."""
    for _ in range(200):
        if transfer.stage.ended:
            return
        due_first = missing == "check_legs" and transfer.state.check_due_at is not None
        others = [each.kind for each in transfer.state.pending.values() if each.kind != missing]
        if others and not due_first:
            transfer.reply(others[0])
        elif transfer.stage is Stage.RINGING and not transfer.state.supervisor_leg.was_heard:
            transfer.enable_supervisor_audio()
        elif transfer.stage is Stage.ARRIVING and not due_first:
            transfer.caller_joins()
        else:
            transfer.fire_timer()
    raise AssertionError(f"without {missing} the transfer stays in {transfer.stage}")


@pytest.mark.parametrize("missing", MISSING)
@pytest.mark.parametrize("pacing", ["overlap", "sequential"])
def test_one_missing_reply_ends_the_transfer_with_its_outcome(missing: str, pacing: str) -> None:
    transfer = TransferBuilder(pacing=pacing).start()
    run_without_reply_to(transfer, missing)
    assert (transfer.stage, transfer.result.outcome) == MISSING[missing]
    if transfer.stage is not Stage.GUARDING:
        assert transfer.sent(ReleaseCaller) or not transfer.sent(HoldCaller)


@pytest.mark.parametrize("missing", ["release_caller", "end_call", "leave_consultation", "close_room"])
def test_cleanup_ends_without_one_reply_and_the_evidence_names_it(missing: str) -> None:
    transfer = TransferBuilder().until(Stage.UNWINDING)
    run_without_reply_to(transfer, missing)
    evidence = transfer.result.evidence
    assert transfer.stage is Stage.CANCELLED
    assert evidence.get(f"{missing}_unanswered") is True or missing in str(evidence.get("unconfirmed"))


def test_every_live_stage_has_a_timeout_handler() -> None:
    assert set(ON_STAGE_TIMEOUT) == {*LIVE, Stage.GUARDING}
    assert all(DeadlinePassed in TRANSITIONS[stage] for stage in LIVE)


@pytest.mark.parametrize("stage", LIVE)
def test_deadlines_alone_end_every_stage_in_time(stage: Stage) -> None:
    """No actor replies any more: the transfer still ends. Only a handover ends as complete."""
    transfer = TransferBuilder().until(stage)
    began_at = transfer.now
    for _ in range(200):
        if transfer.stage.ended:
            break
        transfer.fire_timer()
    assert transfer.stage is Stage.GUARDING if stage is Stage.HANDING_OVER else transfer.stage.ended
    config = transfer.state.request.config if transfer.state.request else None
    assert config is not None
    longest = config.supervisor_join_timeout_s + config.briefing_timeout_s + 20 * config.command_timeout_s
    assert transfer.now - began_at < longest


@pytest.mark.parametrize("fault", FailureKind)
@pytest.mark.parametrize(("stage", "kind"), [(s, k) for s, kinds in AWAITED.items() for k in kinds])
def test_every_failure_of_every_awaited_command_is_handled(
    stage: Stage, kind: str, fault: FailureKind
) -> None:
    transfer = awaiting(stage, kind)
    assert transfer.stage is stage
    records_before, command_id = len(transfer.records), transfer.awaited(kind)
    transfer.apply(CommandFailed(command_id=command_id, failure=fault))
    assert len(transfer.records) == records_before + 1
    assert command_id not in transfer.state.pending


def awaiting(stage: Stage, kind: str) -> TransferBuilder:
    """Return a transfer in `stage` in which a reply to `kind` is outstanding."""
    transfer = TransferBuilder()
    if (stage, kind) == (Stage.RINGING, "summarize"):
        return transfer.start().reply("hold_caller", "find_caller_call", "create_room")
    if (stage, kind) == (Stage.RINGING, "join_consultation"):
        return transfer.start().reply(*(each for each in PREPARATIONS if each != kind))
    if (stage, kind) == (Stage.HANDING_OVER, "check_legs"):
        return transfer.until(stage).reply("leave_consultation")
    if (stage, kind) == (Stage.UNWINDING, "create_room"):
        return transfer.start().fail("hold_caller")
    if (stage, kind) == (Stage.UNWINDING, "close_room"):
        return transfer.until(stage).reply("release_caller", "end_call", "leave_consultation")
    transfer.until(stage)
    while not any(each.kind == kind for each in transfer.state.pending.values()):
        transfer.fire_timer()
    return transfer


def test_a_failed_briefing_ends_the_transfer_at_once() -> None:
    """Regression: the failure was not awaited, and both stayed in silence until the briefing timed out."""
    transfer = (
        TransferBuilder()
        .until(Stage.BRIEFING)
        .fail("brief_supervisor", FailureKind.REFUSED, detail="the voice is gone")
    )
    assert transfer.stage is Stage.UNWINDING
    result = transfer.finish_cleanup().result
    assert (result.outcome, result.detail) == (Outcome.BRIEFING_FAILED, "the voice is gone")


def test_the_briefing_command_has_the_deadline_of_its_stage() -> None:
    transfer = TransferBuilder().until(Stage.BRIEFING)
    (brief,) = transfer.sent(BriefSupervisor)
    assert brief.deadline_at == transfer.state.stage_due_at


def test_end_call_without_a_reply_is_repeated_until_cleanup_times_out() -> None:
    transfer = TransferBuilder().until(Stage.UNWINDING).reply("release_caller", "leave_consultation")
    transfer.fire_timers_until(Stage.CANCELLED)
    assert len(transfer.sent(EndCall)) == 3
    assert transfer.result.evidence["unconfirmed"] == "end_call"


def test_a_return_without_a_reply_is_repeated_while_the_stage_lasts() -> None:
    """A gateway that restarts within a minute must still receive `ReturnCaller`."""
    transfer = TransferBuilder().until(Stage.RETURNING)
    transfer.fire_timers_until_sent(ReturnCaller)
    transfer.reply("return_caller")
    assert transfer.finish_cleanup().result.outcome is Outcome.CANCELLED
    assert "return_fault" not in transfer.result.evidence


def test_a_return_with_unknown_outcome_is_repeated_after_a_pause() -> None:
    transfer = TransferBuilder().until(Stage.RETURNING).fail("return_caller", FailureKind.UNKNOWN)
    assert (transfer.stage, len(transfer.sent(ReturnCaller))) == (Stage.RETURNING, 1)
    sent_at = transfer.now
    transfer.fire_timers_until_sent(ReturnCaller)
    assert transfer.now - sent_at >= 2.0


def test_the_detail_of_an_absent_gateway_names_its_timeout() -> None:
    transfer = (
        TransferBuilder(command_timeout_s=4.0).until(Stage.SWITCHING).fire_timers_until(Stage.RETURNING)
    )
    decision = transfer.state.decision
    assert decision is not None
    assert decision.detail.startswith("No SIP gateway answered switch_caller within 8 s;")


def test_a_state_without_a_request_is_valid() -> None:
    assert Transfer(id="t1", stage=Stage.NEW, started_at=0.0).request is None


def dead_lettered(kind: str) -> TransferBroken:
    return TransferBroken(transfer_id="t1", kind=kind, cause="KeyError at bridge.py:42")


@pytest.mark.parametrize("stage", [Stage.PREPARING, Stage.RINGING, Stage.BRIEFING])
def test_a_held_caller_is_released_at_once_when_an_event_is_dead_lettered(stage: Stage) -> None:
    transfer = TransferBuilder().until(stage)
    broken_at = transfer.now
    transfer.apply(dead_lettered("event"))
    assert transfer.sent(ReleaseCaller)
    assert transfer.now - broken_at < 1.0
    transfer.finish_cleanup()
    assert transfer.result.outcome is Outcome.BROKEN
    assert transfer.result.detail == (
        "The event could not be handled (KeyError at bridge.py:42); please report it."
    )


@pytest.mark.parametrize("stage", [Stage.SWITCHING, Stage.ARRIVING])
def test_a_moving_caller_is_returned_when_an_event_is_dead_lettered(stage: Stage) -> None:
    transfer = TransferBuilder().until(stage)
    transfer.apply(dead_lettered("event"))
    assert transfer.stage is Stage.RETURNING
    transfer.reply("return_caller").finish_cleanup()
    assert transfer.result.outcome is Outcome.BROKEN


def test_a_dead_letter_does_not_separate_caller_and_supervisor() -> None:
    transfer = TransferBuilder().until(Stage.HANDING_OVER)
    transfer.apply(dead_lettered("event"))
    assert transfer.stage is Stage.HANDING_OVER
    transfer.apply(dead_lettered("timeout"))
    assert transfer.stage is Stage.HANDING_OVER
    assert transfer.reply("check_legs").result.outcome is Outcome.COMPLETE


@pytest.mark.parametrize("stage", LIVE)
def test_a_dead_lettered_deadline_does_not_stop_the_transfer(stage: Stage) -> None:
    transfer = TransferBuilder().until(stage)
    transfer.apply(dead_lettered("timeout"))
    for _ in range(50):
        if transfer.stage.ended:
            break
        transfer.fire_timer()
    assert transfer.stage.ended


def test_a_dead_lettered_request_gets_a_result() -> None:
    transfer = TransferBuilder()
    transfer.apply(dead_lettered("request"))
    assert (transfer.stage, transfer.result.outcome) == (Stage.FAILED, Outcome.BROKEN)
    assert transfer.result.detail == (
        "The request could not be handled (KeyError at bridge.py:42); please report it."
    )


@pytest.mark.parametrize("kind", ["hold_caller", "create_room"])
def test_a_dead_lettered_command_ends_the_transfer_as_broken(kind: str) -> None:
    transfer = (
        TransferBuilder()
        .start()
        .fail(kind, FailureKind.BROKEN, detail="KeyError at leg_checks.py:9")
        .finish_cleanup()
    )
    assert transfer.result.outcome is Outcome.BROKEN


def test_a_broker_outage_during_preparation_does_not_end_the_transfer() -> None:
    """Found by simulation: the outage was longer than preparation may take.

    The caller was just being put on hold. They were given back with an apology, although every actor ran
    again.
    """
    transfer = TransferBuilder(pacing="sequential").start().reply("find_caller_call")
    transfer.now += 100.0
    transfer.fire_timer()
    assert (transfer.stage, transfer.awaited("hold_caller")) == (
        Stage.PREPARING,
        transfer.commands[-1].command_id,
    )
    transfer.reply("hold_caller", "create_room", "join_consultation")
    assert transfer.stage is Stage.RINGING


def test_command_deadlines_still_end_preparation_after_an_outage() -> None:
    transfer = TransferBuilder(pacing="sequential").start().reply("find_caller_call")
    transfer.now += 100.0
    transfer.fire_timer()
    assert (
        transfer.fire_timers_until(Stage.UNWINDING).finish_cleanup().result.outcome is Outcome.PRIMARY_ABSENT
    )


def test_a_room_that_does_not_exist_ends_the_transfer_without_waiting_for_a_session() -> None:
    transfer = TransferBuilder().start().fail("find_caller_call", room_missing=True)
    assert transfer.sent(ReleaseCaller), "a session that is slow to hold releases the caller"
    assert transfer.reply("create_room", "close_room").result.outcome is Outcome.CALLER_NOT_FOUND
    assert transfer.stage is Stage.FAILED


@pytest.mark.parametrize("why", ["the hold was answered", "the session is named", "the caller is not there"])
def test_a_session_that_may_hold_the_caller_is_waited_for(why: str) -> None:
    """It may be in another room than the one that the request names."""
    session = "s-1" if why == "the session is named" else None
    transfer = TransferBuilder().start(session=session)
    if why == "the hold was answered":
        transfer.reply("hold_caller")
    transfer.fail("find_caller_call", room_missing=why != "the caller is not there")
    transfer.reply("create_room")
    assert (transfer.stage, transfer.awaited("release_caller") != "") == (Stage.UNWINDING, True)
