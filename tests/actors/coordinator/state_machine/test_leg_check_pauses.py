"""When the legs of a waiting transfer are checked: minutes apart while webhooks report the dialled leg."""

from __future__ import annotations

from itertools import pairwise

import pytest

from warmxfer.actors.coordinator.state_machine import Stage, timeouts
from warmxfer.schemas import CheckLegs, FailureKind, LegReport, LegsChecked

from .transfer_builder import CALLER_CALL, TransferBuilder

WAIT = {"supervisor_join_timeout_s": 3_600.0, "briefing_timeout_s": 3_600.0}
DOWN = LegReport(up=False, status="ended")
UP = LegReport(up=True)


def checked(transfer: TransferBuilder, *, webhooks: bool | None) -> None:
    """Answer the next check: both legs are up."""
    transfer.fire_timers_until_sent(CheckLegs)
    command_id = transfer.awaited("check_legs")
    transfer.apply(LegsChecked(command_id=command_id, caller=UP, supervisor=UP, webhooks=webhooks))


def waiting(stage: Stage) -> TransferBuilder:
    transfer = TransferBuilder(**WAIT).until(stage)
    if "dial_supervisor" in {each.kind for each in transfer.state.pending.values()}:
        transfer.reply("dial_supervisor")
    return transfer


def pause_s(transfer: TransferBuilder) -> float:
    assert transfer.state.check_due_at is not None
    return transfer.state.check_due_at - transfer.now


@pytest.mark.parametrize("stage", [Stage.RINGING, Stage.BRIEFING])
@pytest.mark.parametrize("webhooks", [None, False], ids=["the gateway cannot tell", "no webhooks arrive"])
def test_without_webhooks_the_pauses_grow_and_stay_below_a_quarter_of_a_minute(
    stage: Stage, webhooks: bool | None
) -> None:
    transfer, pauses_s = waiting(stage), list[float]()
    for _ in range(9):
        pauses_s.append(pause_s(transfer))
        checked(transfer, webhooks=webhooks)
    assert pauses_s[0] == pytest.approx(timeouts.FIRST_CHECK_PAUSE_S, abs=0.5)
    assert all(before <= after for before, after in pairwise(pauses_s))
    assert pauses_s[-1] == timeouts.MAX_CHECK_PAUSE_S


@pytest.mark.parametrize("stage", [Stage.RINGING, Stage.BRIEFING])
def test_with_webhooks_a_waiting_transfer_checks_minutes_apart(stage: Stage) -> None:
    transfer = waiting(stage)
    checked(transfer, webhooks=True)
    assert pause_s(transfer) == timeouts.REPORTED_CHECK_PAUSE_S
    for _ in range(3):
        before = len(transfer.records)
        checked(transfer, webhooks=None)
        assert pause_s(transfer) == timeouts.REPORTED_CHECK_PAUSE_S
        assert len(transfer.records) - before == 2, "the timer fires once for each check, and never early"


def test_a_transfer_that_goes_on_to_the_briefing_keeps_what_it_knows_of_webhooks() -> None:
    transfer = waiting(Stage.RINGING)
    checked(transfer, webhooks=True)
    transfer.enable_supervisor_audio()
    assert transfer.stage is Stage.BRIEFING
    assert pause_s(transfer) == timeouts.REPORTED_CHECK_PAUSE_S


def test_webhooks_that_stop_arriving_lead_back_to_short_pauses() -> None:
    transfer = waiting(Stage.RINGING)
    checked(transfer, webhooks=True)
    checked(transfer, webhooks=False)
    assert pause_s(transfer) == timeouts.FIRST_CHECK_PAUSE_S
    checked(transfer, webhooks=True)
    assert pause_s(transfer) == timeouts.REPORTED_CHECK_PAUSE_S


@pytest.mark.parametrize("how", ["failed", "unanswered"])
def test_a_check_without_an_answer_leads_back_to_short_pauses(how: str) -> None:
    """A gateway that answers no check may receive no webhooks either."""
    transfer = waiting(Stage.RINGING)
    checked(transfer, webhooks=True)
    transfer.fire_timers_until_sent(CheckLegs)
    if how == "failed":
        transfer.fail("check_legs", FailureKind.UNKNOWN)
    else:
        transfer.time_out(CheckLegs)
    assert pause_s(transfer) <= timeouts.MAX_CHECK_PAUSE_S


def test_a_check_minutes_later_still_ends_the_transfer_of_a_caller_who_hung_up() -> None:
    transfer = waiting(Stage.RINGING)
    checked(transfer, webhooks=True)
    transfer.fire_timers_until_sent(CheckLegs)
    command_id = transfer.awaited("check_legs")
    assert transfer.sent(CheckLegs)[-1].caller_call_id == CALLER_CALL
    transfer.apply(LegsChecked(command_id=command_id, caller=DOWN, supervisor=UP, webhooks=True))
    assert transfer.stage is Stage.UNWINDING


def test_a_bridge_is_checked_within_seconds_in_spite_of_webhooks() -> None:
    """I3 and I4: a caller who was moved must not wait minutes for a check."""
    transfer = waiting(Stage.BRIEFING)
    checked(transfer, webhooks=True)
    transfer.supervisor_ready().reply("switch_caller")
    assert (transfer.stage, transfer.state.leg_reported) == (Stage.ARRIVING, True)
    assert pause_s(transfer) == timeouts.FIRST_CHECK_PAUSE_S
