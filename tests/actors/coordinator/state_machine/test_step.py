"""`step()`: what it ignores, what it refuses, and when it sets the one timer."""

import msgspec
import pytest

from warmxfer.actors.coordinator.state_machine import Applied, Ignored, SetTimer, Stage, step
from warmxfer.actors.coordinator.state_machine.state import PendingCommand
from warmxfer.actors.coordinator.state_machine.step import TIMER_LOST_AFTER_S
from warmxfer.actors.coordinator.state_machine.transitions import TRANSITIONS, Transition
from warmxfer.schemas import (
    CancelRequested,
    CheckLegs,
    DeadlinePassed,
    InternalError,
    LegsChecked,
    ParticipantLeft,
    SupervisorReady,
    TransferRequested,
)

from .samples import SAMPLES, replies_to
from .transfer_builder import CALLER, ENDED, LIVE, PRIMARY, START, TransferBuilder, copy_of, request

STAGES = [stage for stage in Stage if stage is not Stage.NEW]


@pytest.mark.parametrize("stage", STAGES)
def test_an_event_without_a_row_is_ignored_with_a_reason(stage: Stage) -> None:
    transfer = TransferBuilder().until(stage)
    foreign = [event for event in (*SAMPLES, *replies_to("t1-1")) if type(event) not in TRANSITIONS[stage]]
    assert foreign, "every stage must have some event without a row"
    for event in foreign:
        before = copy_of(transfer.state)
        outcome = step(transfer.state, event, transfer.now)
        assert outcome == Ignored(f"{type(event).__name__} has no effect in {stage.value}")
        assert transfer.state == before


@pytest.mark.parametrize("stage", STAGES)
def test_step_does_not_change_its_input(stage: Stage) -> None:
    transfer = TransferBuilder().until(stage)
    replies = [reply for command_id in transfer.state.pending for reply in replies_to(command_id)]
    timer = DeadlinePassed(due_at=transfer.state.timer_due_at or transfer.now)
    for event in (*SAMPLES, *replies, timer):
        before = msgspec.json.encode(transfer.state)
        step(transfer.state, event, transfer.now + 1.0)
        assert msgspec.json.encode(transfer.state) == before, f"{event} in {stage}"


@pytest.mark.parametrize("stage", STAGES)
def test_a_reply_that_is_not_awaited_is_ignored(stage: Stage) -> None:
    """A redelivered reply is late, and so is a reply to a command that timed out."""
    transfer = TransferBuilder().until(stage)
    accepted_late = {"SupervisorDialed", "RoomCreated", "CallerReturned"}
    for event in replies_to("t1-9999"):
        leg_down = isinstance(event, LegsChecked) and any(
            leg is not None and not leg.up for leg in (event.caller, event.supervisor)
        )
        news = leg_down and stage in (Stage.HANDING_OVER, Stage.GUARDING)
        if type(event).__name__ not in accepted_late and not news:
            assert isinstance(step(transfer.state, event, transfer.now), Ignored), f"{event} in {stage}"


def test_only_transfer_events_begin_a_transfer() -> None:
    for event in SAMPLES:
        outcome = step(None, event, START)
        assert isinstance(outcome, Applied) == type(event).__name__.startswith("Transfer"), event


def test_a_redelivered_request_is_ignored() -> None:
    transfer = TransferBuilder().start()
    again = TransferRequested(transfer_id="t1", request=request())
    assert isinstance(step(transfer.state, again, transfer.now), Ignored)


@pytest.mark.parametrize("stage", [*LIVE, *ENDED])
def test_a_live_stage_has_one_timer_at_its_earliest_wait_and_an_ended_one_has_none(
    stage: Stage,
) -> None:
    state = TransferBuilder().until(stage).state
    if stage is Stage.GUARDING:
        assert (state.timer_due_at, state.stage_due_at) == (state.check_due_at, None)
        return
    if stage.ended:
        assert (state.timer_due_at, state.stage_due_at, state.check_due_at) == (None, None, None)
        assert state.pending == {}
        return
    assert state.stage_due_at is not None
    waits = [pending.due_at for pending in state.pending.values()]
    waits += [due_at for due_at in (state.stage_due_at, state.check_due_at) if due_at is not None]
    assert state.timer_due_at is not None
    assert START < state.timer_due_at <= min(waits) + 0.05


def test_a_replaced_timer_fires_without_effect() -> None:
    transfer = TransferBuilder().until(Stage.RINGING)
    timer_due_at = transfer.state.timer_due_at
    assert timer_due_at is not None
    assert isinstance(step(transfer.state, DeadlinePassed(due_at=timer_due_at - 1.0), transfer.now), Ignored)


def test_a_timer_that_fires_early_is_set_again() -> None:
    transfer = TransferBuilder().until(Stage.BRIEFING)
    check_due_at = transfer.state.timer_due_at
    assert check_due_at is not None
    transfer.supervisor_ready()
    assert transfer.state.timer_due_at == check_due_at, "no message for a wait that moved later"
    transfer.fire_timer()
    assert transfer.stage is Stage.SWITCHING
    assert transfer.state.timer_due_at == transfer.state.pending[transfer.awaited("switch_caller")].due_at


def test_a_timer_is_never_set_to_the_past() -> None:
    """Regression: a leg check fell due while another was awaited, and the timer fired in a loop."""
    transfer = TransferBuilder().until(Stage.RINGING)
    transfer.fire_timer()
    assert transfer.state.awaits(CheckLegs)
    transfer.reply("dial_supervisor").enable_supervisor_audio()
    assert transfer.stage is Stage.BRIEFING
    assert transfer.state.awaits(CheckLegs)
    for _ in range(5):
        transfer.fire_timer()
        assert transfer.state.timer_due_at is not None
        assert transfer.state.timer_due_at > transfer.now - 1.0


def test_a_lost_timer_is_set_again_by_the_next_event() -> None:
    """Regression: a stale read dropped the timer, and no event moved the transfer again."""
    no_news = ParticipantLeft(room_id=PRIMARY, participant_id="participant-other")
    transfer = TransferBuilder().until(Stage.BRIEFING)
    lost = transfer.state.timer_due_at
    assert lost is not None
    transfer.now = lost + TIMER_LOST_AFTER_S - 1.0
    assert transfer.apply(no_news) == [], "the timer may only be late"
    transfer.now = lost + TIMER_LOST_AFTER_S + 1.0
    assert transfer.apply(no_news) == [SetTimer(transfer.now)]
    assert transfer.apply(no_news) == [], "once, not with each event"
    transfer.fire_timer()
    assert transfer.state.timer_due_at is not None
    assert transfer.state.timer_due_at > transfer.now


def test_a_late_timer_after_its_replacement_does_no_harm() -> None:
    transfer = TransferBuilder().until(Stage.BRIEFING)
    late = transfer.state.timer_due_at
    assert late is not None
    transfer.now = late + TIMER_LOST_AFTER_S + 1.0
    transfer.apply(ParticipantLeft(room_id=PRIMARY, participant_id="participant-other"))
    set_again = transfer.state.timer_due_at
    sent = transfer.apply(DeadlinePassed(due_at=late))
    assert [type(each).__name__ for each in sent] == ["CheckLegs"]
    assert transfer.state.timer_due_at == set_again
    transfer.fire_timer()
    assert transfer.state.timer_due_at == min(each.due_at for each in transfer.state.pending.values())


def test_all_waits_overdue_after_an_outage_are_handled_at_once() -> None:
    transfer = TransferBuilder().until(Stage.PREPARING)
    transfer.now += 3_600.0
    transfer.apply(DeadlinePassed(due_at=START + 10.0))
    assert transfer.stage is Stage.UNWINDING
    assert transfer.state.decision is not None
    assert transfer.state.stage_due_at == transfer.now + 60.0


def test_a_deadline_is_handled_at_its_own_time_if_the_event_time_is_earlier() -> None:
    transfer = TransferBuilder().until(Stage.PREPARING)
    due_at = transfer.state.timer_due_at
    assert due_at is not None
    outcome = step(transfer.state, DeadlinePassed(due_at=due_at), due_at - 30.0)
    assert isinstance(outcome, Applied)
    assert outcome.state.stage is Stage.UNWINDING


@pytest.mark.parametrize("ahead_s", [2.0, 3_600.0, 1e308])
def test_a_deadline_that_the_transfer_has_not_set_and_that_is_not_due_is_ignored(ahead_s: float) -> None:
    """Before, a forged deadline ended a transfer, and one of 1e308 raised in the coordinator."""
    transfer = TransferBuilder().until(Stage.PREPARING)
    outcome = step(transfer.state, DeadlinePassed(due_at=transfer.now + ahead_s), transfer.now)
    assert outcome == Ignored("the deadline is not due yet")


def test_the_transfers_own_deadline_is_not_handled_minutes_early() -> None:
    transfer = TransferBuilder().until(Stage.PREPARING)
    due_at = transfer.state.timer_due_at
    assert due_at is not None
    outcome = step(transfer.state, DeadlinePassed(due_at=due_at), due_at - 61.0)
    assert outcome == Ignored("the deadline is not due yet")


def test_a_handler_that_leads_outside_its_row_raises_internal_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    transition = TRANSITIONS[Stage.BRIEFING][SupervisorReady]
    monkeypatch.setitem(
        TRANSITIONS[Stage.BRIEFING],  # type: ignore[arg-type]
        SupervisorReady,
        Transition(transition.handler, frozenset()),
    )
    transfer = TransferBuilder().until(Stage.BRIEFING)
    with pytest.raises(InternalError, match="SupervisorReady led from briefing to switching"):
        step(transfer.state, SupervisorReady(), transfer.now)


def test_records_and_phases_are_numbered_without_a_gap() -> None:
    transfer = TransferBuilder().until(Stage.COMPLETED)
    assert [record.state.seq for record in transfer.records] == list(range(1, len(transfer.records) + 1))
    assert [phase.seq for phase in transfer.phases] == list(range(1, len(transfer.phases) + 1))


def test_an_event_without_news_makes_no_record() -> None:
    transfer = TransferBuilder().until(Stage.SWITCHING).caller_joins()
    before = len(transfer.records)
    transfer.caller_joins()
    assert len(transfer.records) == before


def test_another_participant_of_the_primary_room_is_ignored_once_the_caller_is_known() -> None:
    transfer = TransferBuilder().until(Stage.BRIEFING)
    other = ParticipantLeft(room_id=PRIMARY, participant_id="participant-other")
    assert isinstance(step(transfer.state, other, transfer.now), Ignored)
    caller = ParticipantLeft(room_id=PRIMARY, participant_id=CALLER)
    assert isinstance(step(transfer.state, caller, transfer.now), Applied)


def test_command_ids_are_unique() -> None:
    transfer = TransferBuilder().until(Stage.RINGING)
    transfer.apply(CancelRequested(reason="stop"))
    transfer.finish_cleanup()
    ids = [command.command_id for command in transfer.commands]
    assert len(ids) == len(set(ids))
    assert ids == [f"t1-{number}" for number in range(1, len(ids) + 1)]


def test_a_pending_command_has_the_tag_and_the_deadline() -> None:
    pending = TransferBuilder().until(Stage.PREPARING).state.pending
    assert pending["t1-1"] == PendingCommand("hold_caller", START + 0.125 + 10.0)
