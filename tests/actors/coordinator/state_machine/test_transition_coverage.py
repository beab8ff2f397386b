"""Random walks: whatever comes, in whatever order, some things always hold.

A walk is a list of numbers, each choosing one of the events that could come now; hypothesis shrinks a walk
that breaks a rule to its shortest, and prints it.
"""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from warmxfer.actors.coordinator.state_machine import (
    Applied,
    CallerPlace,
    Ignored,
    SetTimer,
    Stage,
    Transfer,
    step,
)
from warmxfer.schemas import (
    AnyEvent,
    CloseRoom,
    DeadlinePassed,
    EndCall,
    HoldCaller,
    PhaseChanged,
    ReleaseCaller,
    ReturnCaller,
    WarmTransferResult,
)

from .samples import SAMPLES, answers_to
from .transfer_builder import Story

walks = st.lists(st.integers(min_value=0, max_value=10_000), min_size=1, max_size=60)
pacings = st.sampled_from(["overlap", "sequential"])
timeouts = st.sampled_from(["cancel", "proceed"])
recorded = st.booleans()


def could_come(story: Story) -> list[AnyEvent]:
    """The answers to every command ever sent, every stranger's event, and the timer, on time or not."""
    ids = [f"t1-{number}" for number in range(1, story.transfer.commands + 1)]
    answers = [answer for command_id in ids for answer in answers_to(command_id)]
    timer = DeadlinePassed(due_at=story.transfer.timer_due_at or story.now)
    return [*answers, *SAMPLES, *[timer] * (len(answers) // 4), DeadlinePassed(due_at=story.now - 5.0)]


def walk(story: Story, numbers: list[int]) -> None:
    story.begin()
    for number in numbers:
        events = could_come(story)
        event = events[number % len(events)]
        if isinstance(event, DeadlinePassed):
            story.now = max(story.now, event.due_at)
        before = msgspec.json.encode(story.transfer)
        same = step(story.transfer, event, story.now + 0.125)
        given_state = story.transfer
        story.tell(event)
        assert msgspec.json.encode(given_state) == before, "step changed its input"
        assert isinstance(same, Ignored) or same == story.records[-1], "step is not a function"


@settings(max_examples=300)
@given(walks, pacings, timeouts, recorded)
def test_whatever_comes_the_rules_of_one_record_hold(
    numbers: list[int], pacing: str, timeout: str, record: bool
) -> None:
    story = Story(pacing=pacing, on_briefing_timeout=timeout, record=record)
    walk(story, numbers)
    before: Transfer | None = None
    for number, record in enumerate(story.records, 1):
        assert record.state.seq == number
        check_record(before, record)
        before = record.state
    seqs = [phase.seq for phase in story.phases]
    assert seqs == list(range(1, len(seqs) + 1))
    assert len(story.sent(WarmTransferResult)) == sum(phase.phase.final for phase in story.phases)
    assert len(story.sent(WarmTransferResult)) == story.stage.ended


def check_record(before: Transfer | None, record: Applied) -> None:
    state, out = record.state, record.outbox
    if before is not None and before.stage.ended:
        assert state.stage is before.stage
        assert {type(each) for each in out} <= {EndCall, CloseRoom, ReturnCaller, SetTimer}, (
            "only clearing away after the end"
        )
    if state.stage.ended:
        assert (state.stage_due_at, state.pending) == (None, {})
        assert (state.timer_due_at is None) is (state.check_due_at is None), "it waits for nothing but a leg"
    else:
        assert state.timer_due_at is not None
        assert state.stage_due_at is not None
    if state.stage is Stage.COMPLETED and (before is None or not before.stage.ended):
        assert state.caller is CallerPlace.ARRIVED
        assert state.supervisor_leg.was_heard


@settings(max_examples=150)
@given(walks, pacings, recorded)
def test_whatever_came_time_alone_then_ends_it_with_the_caller_given_back(
    numbers: list[int], pacing: str, record: bool
) -> None:
    story = Story(pacing=pacing, record=record)
    walk(story, numbers)
    for _ in range(120):
        if story.stage.ended:
            break
        story.let_time_pass()
    assert story.stage.ended
    held, released = story.sent(HoldCaller), story.sent(ReleaseCaller)
    assert story.stage is Stage.COMPLETED or len(held) == len(released)
    assert all(hold.fence < release.fence for hold in held for release in released)


@settings(max_examples=150)
@given(walks)
def test_every_record_is_read_back_as_it_was_written(numbers: list[int]) -> None:
    story = Story()
    walk(story, numbers)
    state = msgspec.json.encode(story.transfer)
    assert msgspec.json.decode(state, type=Transfer) == story.transfer
    for phase in story.phases:
        assert msgspec.json.decode(msgspec.json.encode(phase), type=PhaseChanged) == phase
