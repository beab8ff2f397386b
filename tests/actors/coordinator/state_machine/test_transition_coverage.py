"""Invariants of random walks: any events, in any order.

A walk is a list of numbers. Each chooses one of the events that could come now. Hypothesis shrinks a walk
that breaks an invariant to a shortest one, and prints it.
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
    CheckLegs,
    CloseRoom,
    DeadlinePassed,
    EndCall,
    HoldCaller,
    LeaveCall,
    PhaseChanged,
    ReleaseCaller,
    Rescue,
    RescueByAgent,
    RescueCaller,
    ReturnCaller,
    TransferNotice,
    WarmTransferResult,
)

from .samples import SAMPLES, replies_to
from .transfer_builder import TransferBuilder

walks = st.lists(st.integers(min_value=0, max_value=10_000), min_size=1, max_size=60)
pacings = st.sampled_from(["overlap", "sequential"])
timeouts = st.sampled_from(["cancel", "proceed"])
recorded = st.booleans()
rescues = st.sampled_from([None, RescueByAgent(agent_id="agent-1")])
guards = st.sampled_from([None, 0.0, 5.0])


def possible_events(transfer: TransferBuilder) -> list[AnyEvent]:
    """Return the replies to every command sent so far, every sample, and the timer, on time or not."""
    ids = [f"t1-{number}" for number in range(1, transfer.state.commands + 1)]
    replies = [reply for command_id in ids for reply in replies_to(command_id)]
    timer = DeadlinePassed(due_at=transfer.state.timer_due_at or transfer.now)
    return [*replies, *SAMPLES, *[timer] * (len(replies) // 4), DeadlinePassed(due_at=transfer.now - 5.0)]


def walk(transfer: TransferBuilder, numbers: list[int]) -> None:
    """Apply the events that `numbers` choose; check that `step()` is a function and keeps its input."""
    transfer.start()
    for number in numbers:
        events = possible_events(transfer)
        event = events[number % len(events)]
        if isinstance(event, DeadlinePassed):
            transfer.now = max(transfer.now, event.due_at)
        before = msgspec.json.encode(transfer.state)
        same = step(transfer.state, event, transfer.now + 0.125)
        given_state = transfer.state
        transfer.apply(event)
        assert msgspec.json.encode(given_state) == before, "step changed its input"
        assert isinstance(same, Ignored) or same == transfer.records[-1], "step is not a function"


@settings(max_examples=300)
@given(walks, pacings, timeouts, recorded, guards, rescues)
def test_every_record_of_a_random_walk_keeps_the_invariants(
    numbers: list[int], pacing: str, timeout: str, record: bool, guard_s: float | None, rescue: Rescue | None
) -> None:
    transfer = TransferBuilder(
        pacing=pacing, on_briefing_timeout=timeout, record=record, bridge_guard_s=guard_s, rescue=rescue
    )
    walk(transfer, numbers)
    before: Transfer | None = None
    for number, applied in enumerate(transfer.records, 1):
        assert applied.state.seq == number
        check_record(before, applied)
        before = applied.state
    seqs = [phase.seq for phase in transfer.phases]
    assert seqs == list(range(1, len(seqs) + 1))
    assert len(transfer.sent(WarmTransferResult)) == sum(phase.phase.final for phase in transfer.phases)
    assert len(transfer.sent(WarmTransferResult)) == transfer.stage.ended
    assert not (transfer.sent(LeaveCall) and transfer.sent(ReleaseCaller)), "left and took the caller back"


def check_guard(state: Transfer, record: Applied) -> None:
    """Check a record of the bridge guard: only checks, a return, and what ends the guard."""
    assert state.stage in (Stage.GUARDING, Stage.COMPLETED)
    allowed = {CheckLegs, ReturnCaller, ReleaseCaller, LeaveCall, CloseRoom, TransferNotice, SetTimer}
    allowed |= {RescueCaller}
    assert {type(each) for each in record.outbox} <= allowed
    if state.stage is Stage.GUARDING:
        assert state.timer_due_at is not None
        waits = (state.check_due_at, *state.pending.values())
        assert any(wait is not None for wait in waits), "the guard waits for nothing"


AFTER_THE_END = {EndCall, CloseRoom, ReturnCaller, ReleaseCaller, RescueCaller, CheckLegs, SetTimer}
"""What an ended transfer may send, as in the model check's I17."""


def check_record(before: Transfer | None, record: Applied) -> None:
    state, out = record.state, record.outbox
    if before is not None and before.stage is Stage.GUARDING:
        check_guard(state, record)
    elif before is not None and before.stage.ended:
        assert state.stage is before.stage
        assert {type(each) for each in out} <= AFTER_THE_END, "only clean-up after the end"
    if state.stage is Stage.GUARDING:
        assert state.timer_due_at is not None
    elif state.stage.ended:
        assert (state.stage_due_at, state.pending) == (None, {})
        assert (state.timer_due_at is None) is (state.check_due_at is None), (
            "an ended transfer waits only for clean-up checks"
        )
    else:
        assert state.timer_due_at is not None
        assert state.stage_due_at is not None
    if state.stage in (Stage.GUARDING, Stage.COMPLETED) and (before is None or not before.stage.ended):
        assert state.caller is CallerPlace.ARRIVED
        assert state.supervisor_leg.was_heard


@settings(max_examples=150)
@given(walks, pacings, recorded, guards, rescues)
def test_deadlines_alone_end_any_random_walk_with_the_caller_given_back(
    numbers: list[int], pacing: str, record: bool, guard_s: float | None, rescue: Rescue | None
) -> None:
    transfer = TransferBuilder(pacing=pacing, record=record, bridge_guard_s=guard_s, rescue=rescue)
    walk(transfer, numbers)
    for _ in range(120):
        if transfer.stage.ended and transfer.stage is not Stage.GUARDING:
            break
        transfer.fire_timer()
    assert transfer.stage.ended
    assert transfer.stage is not Stage.GUARDING
    held, released = transfer.sent(HoldCaller), transfer.sent(ReleaseCaller)
    assert transfer.result.success or len(held) == len(released)
    assert all(hold.fence < release.fence for hold in held for release in released)


@settings(max_examples=150)
@given(walks)
def test_states_and_phases_of_a_random_walk_survive_encoding(numbers: list[int]) -> None:
    transfer = TransferBuilder()
    walk(transfer, numbers)
    state = msgspec.json.encode(transfer.state)
    assert msgspec.json.decode(state, type=Transfer) == transfer.state
    for phase in transfer.phases:
        assert msgspec.json.decode(msgspec.json.encode(phase), type=PhaseChanged) == phase
