"""`step` itself: what it leaves alone, what it refuses, and when the one timer is set."""

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
    ParticipantLeft,
    SupervisorReady,
    TransferRequested,
)

from .samples import SAMPLES, answers_to
from .transfer_builder import CALLER, ENDED, LIVE, PRIMARY, START, Story, copied, request

STAGES = [stage for stage in Stage if stage is not Stage.NEW]


@pytest.mark.parametrize("stage", STAGES)
def test_an_event_without_a_row_changes_nothing_and_says_so(stage: Stage) -> None:
    story = Story().until(stage)
    strangers = [event for event in (*SAMPLES, *answers_to("t1-1")) if type(event) not in TRANSITIONS[stage]]
    assert strangers, "some events must be foreign to every stage"
    for event in strangers:
        before = copied(story.transfer)
        outcome = step(story.transfer, event, story.now)
        assert outcome == Ignored(f"{type(event).__name__} has no effect in {stage.value}")
        assert story.transfer == before


@pytest.mark.parametrize("stage", STAGES)
def test_no_event_in_any_stage_touches_the_state_it_was_given(stage: Stage) -> None:
    story = Story().until(stage)
    awaited = [answer for command_id in story.transfer.pending for answer in answers_to(command_id)]
    timer = DeadlinePassed(due_at=story.transfer.timer_due_at or story.now)
    for event in (*SAMPLES, *awaited, timer):
        before = msgspec.json.encode(story.transfer)
        step(story.transfer, event, story.now + 1.0)
        assert msgspec.json.encode(story.transfer) == before, f"{event} in {stage}"


@pytest.mark.parametrize("stage", STAGES)
def test_an_answer_nobody_awaits_changes_nothing(stage: Stage) -> None:
    """A redelivered answer, or one to a command that has been given up, is late wherever it comes."""
    story = Story().until(stage)
    may_matter = {"SupervisorDialed", "RoomCreated", "CallerReturned"}
    for event in answers_to("t1-9999"):
        if type(event).__name__ not in may_matter:
            assert isinstance(step(story.transfer, event, story.now), Ignored), f"{event} in {stage}"


def test_only_a_request_begins_a_transfer() -> None:
    for event in SAMPLES:
        outcome = step(None, event, START)
        assert isinstance(outcome, Applied) == type(event).__name__.startswith("Transfer"), event


def test_a_request_told_twice_begins_one_transfer() -> None:
    story = Story().begin()
    again = TransferRequested(transfer_id="t1", request=request())
    assert isinstance(step(story.transfer, again, story.now), Ignored)


@pytest.mark.parametrize("stage", [*LIVE, *ENDED])
def test_every_live_stage_has_one_timer_set_to_its_earliest_wait_and_an_ended_one_has_none(
    stage: Stage,
) -> None:
    transfer = Story().until(stage).transfer
    if stage.ended:
        assert (transfer.timer_due_at, transfer.stage_due_at, transfer.check_due_at) == (None, None, None)
        assert transfer.pending == {}
        return
    assert transfer.stage_due_at is not None
    waits = [pending.due_at for pending in transfer.pending.values()]
    waits += [due for due in (transfer.stage_due_at, transfer.check_due_at) if due is not None]
    assert transfer.timer_due_at is not None
    assert START < transfer.timer_due_at <= min(waits) + 0.05


def test_a_timer_that_was_replaced_by_an_earlier_one_fires_without_effect() -> None:
    story = Story().until(Stage.RINGING)
    armed_at = story.transfer.timer_due_at
    assert armed_at is not None
    assert isinstance(step(story.transfer, DeadlinePassed(due_at=armed_at - 1.0), story.now), Ignored)


def test_a_timer_left_to_fire_early_is_set_again_and_ends_nothing() -> None:
    story = Story().until(Stage.BRIEFING)
    look_at = story.transfer.timer_due_at
    assert look_at is not None
    story.ready()
    assert story.transfer.timer_due_at == look_at, "no write for a wait that moved later"
    story.let_time_pass()
    assert story.stage is Stage.SWITCHING
    assert story.transfer.timer_due_at == story.transfer.pending[story.awaited("switch_caller")].due_at


def test_a_timer_is_never_set_to_the_past_or_it_would_fire_without_end() -> None:
    """A look at the legs came due while another was awaited: the timer fired at once, again and again."""
    story = Story().until(Stage.RINGING)
    story.let_time_pass()
    assert story.transfer.awaits(CheckLegs)
    story.answer("dial_supervisor").supervisor_heard()
    assert story.stage is Stage.BRIEFING
    assert story.transfer.awaits(CheckLegs)
    for _ in range(5):
        story.let_time_pass()
        assert story.transfer.timer_due_at is not None
        assert story.transfer.timer_due_at > story.now - 1.0


def test_a_timer_of_which_nobody_heard_is_set_again_by_whatever_happens_next() -> None:
    """It was let go by who looked at an old record, and nothing moved the transfer ever after."""
    nothing_new = ParticipantLeft(room_id=PRIMARY, participant_id="stranger")
    story = Story().until(Stage.BRIEFING)
    lost = story.transfer.timer_due_at
    assert lost is not None
    story.now = lost + TIMER_LOST_AFTER_S - 1.0
    assert story.tell(nothing_new) == [], "it may only be late"
    story.now = lost + TIMER_LOST_AFTER_S + 1.0
    assert story.tell(nothing_new) == [SetTimer(story.now)]
    assert story.tell(nothing_new) == [], "once, and not with each event"
    story.let_time_pass()
    assert story.transfer.timer_due_at is not None
    assert story.transfer.timer_due_at > story.now


def test_a_timer_that_was_late_and_not_lost_is_no_trouble() -> None:
    story = Story().until(Stage.BRIEFING)
    late = story.transfer.timer_due_at
    assert late is not None
    story.now = late + TIMER_LOST_AFTER_S + 1.0
    story.tell(ParticipantLeft(room_id=PRIMARY, participant_id="stranger"))
    set_again = story.transfer.timer_due_at
    asked = story.tell(DeadlinePassed(due_at=late))
    assert [type(each).__name__ for each in asked] == ["CheckLegs"]
    assert story.transfer.timer_due_at == set_again
    story.let_time_pass()
    assert story.transfer.timer_due_at == min(each.due_at for each in story.transfer.pending.values())


def test_a_broker_that_was_down_lets_all_overdue_waits_count_at_once() -> None:
    story = Story().until(Stage.PREPARING)
    story.now += 3_600.0
    story.tell(DeadlinePassed(due_at=START + 10.0))
    assert story.stage is Stage.UNWINDING
    assert story.transfer.decision is not None
    assert story.transfer.stage_due_at == story.now + 60.0


def test_time_is_the_events_and_never_runs_backwards_past_the_deadline() -> None:
    story = Story().until(Stage.PREPARING)
    due_at = story.transfer.timer_due_at
    assert due_at is not None
    outcome = step(story.transfer, DeadlinePassed(due_at=due_at), due_at - 30.0)
    assert isinstance(outcome, Applied)
    assert outcome.state.stage is Stage.UNWINDING


def test_a_handler_that_leads_where_its_row_does_not_say_is_a_bug_and_is_told_as_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rule = TRANSITIONS[Stage.BRIEFING][SupervisorReady]
    monkeypatch.setitem(
        TRANSITIONS[Stage.BRIEFING],  # type: ignore[arg-type]
        SupervisorReady,
        Transition(rule.handler, frozenset()),
    )
    story = Story().until(Stage.BRIEFING)
    with pytest.raises(InternalError, match="SupervisorReady led from briefing to switching"):
        step(story.transfer, SupervisorReady(), story.now)


def test_records_are_numbered_without_a_gap() -> None:
    story = Story().until(Stage.COMPLETED)
    assert [record.state.seq for record in story.records] == list(range(1, len(story.records) + 1))
    assert [phase.seq for phase in story.phases] == list(range(1, len(story.phases) + 1))


def test_an_event_that_says_nothing_new_makes_no_record() -> None:
    story = Story().until(Stage.SWITCHING).caller_seen()
    told = len(story.records)
    story.caller_seen()
    assert len(story.records) == told


def test_a_stranger_in_the_primary_room_is_nobody_once_the_caller_is_known() -> None:
    story = Story().until(Stage.BRIEFING)
    stranger = ParticipantLeft(room_id=PRIMARY, participant_id="stranger")
    assert isinstance(step(story.transfer, stranger, story.now), Ignored)
    caller = ParticipantLeft(room_id=PRIMARY, participant_id=CALLER)
    assert isinstance(step(story.transfer, caller, story.now), Applied)


def test_command_ids_are_never_used_twice() -> None:
    story = Story().until(Stage.RINGING)
    story.tell(CancelRequested(reason="stop"))
    story.clear_away()
    ids = [command.command_id for command in story.commands]
    assert len(ids) == len(set(ids))
    assert ids == [f"t1-{number}" for number in range(1, len(ids) + 1)]


def test_a_wait_is_kept_with_the_tag_of_its_command() -> None:
    pending = Story().until(Stage.PREPARING).transfer.pending
    assert pending["t1-1"] == PendingCommand("hold_caller", START + 0.125 + 10.0)
