"""Metrics of transfers: each phase and outcome is counted once, and times are those of the log."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from warmxfer.actors.coordinator import Coordinator, transfer_metrics
from warmxfer.actors.coordinator.report import report
from warmxfer.actors.coordinator.state_machine import Record, Stage
from warmxfer.actors.coordinator.transfer_metrics import (
    ENDED,
    HOLD,
    OVERHEAD,
    PARTITIONS_HELD,
    PHASES,
    RUNNING,
    TIMER_LATENESS,
    TO_HUMAN,
    TransferMetrics,
)
from warmxfer.bus import Bus, Delivery, subjects
from warmxfer.bus.partition import PARTITIONS
from warmxfer.schemas import CreateRoom, DeadlinePassed, Outcome, PhaseChanged, SwitchCaller, encode

from .coordinator_fixture import delivery_of, request, run_until, running_coordinators, transitions
from .fake_actors import FakeActors
from .state_machine.transfer_builder import EVENT_INTERVAL_S, PREPARATIONS, TransferBuilder

HISTOGRAMS = (TO_HUMAN, HOLD, OVERHEAD)


def observed(kept: Sequence[Record]) -> dict[str, tuple[int, float]]:
    """Return how much each histogram grows by these records."""
    before = {each.name: (each.count(), each.total()) for each in HISTOGRAMS}
    metrics, state = TransferMetrics(), None
    for record in kept:
        metrics.observe(state, record)
        state = record.state
    return {
        each.name: (each.count() - before[each.name][0], each.total() - before[each.name][1])
        for each in HISTOGRAMS
    }


def late_timer(like: Delivery, timer: bytes, delivery_count: int) -> Delivery:
    """Return the delivery of a timer that fired, at the time of `like`."""
    subject = subjects.timeout(like.transfer_id)
    address = subjects.parse(subject)
    return replace(
        like, kind=address[1], rest=address[2], subject=subject, data=timer, delivery_count=delivery_count
    )


async def transfer(bus: Bus, id: str) -> list[Record]:
    """Run a transfer among faultless actors; return the transitions of its log."""
    async with running_coordinators(bus):
        await asyncio.wait_for(FakeActors(bus, id).run_transfer(request("room-a")), 30)
    return await transitions(bus, id)


async def test_a_transfer_is_counted_once_with_the_times_of_its_report(fresh_bus: Bus) -> None:
    phases, ended = PHASES.series(), ENDED.series()
    counts = {each.name: (each.count(), each.total()) for each in HISTOGRAMS}
    kept = await transfer(fresh_bus, "t-metrics")
    published = Counter(
        (each.phase,) for record in kept for each in record.outbox if isinstance(each, PhaseChanged)
    )
    assert {key: PHASES.series()[key] - phases[key] for key in phases} == {
        key: published[key] for key in phases
    }
    assert ENDED.value(Outcome.COMPLETE) == ended[Outcome.COMPLETE,] + 1
    assert sum(ENDED.series().values()) == sum(ended.values()) + 1
    durations = report(kept).durations
    for histogram, expected_s in ((TO_HUMAN, durations.to_human_s), (HOLD, durations.hold_s)):
        count, total = counts[histogram.name]
        assert histogram.count() == count + 1
        assert histogram.total() - total == pytest.approx(expected_s, abs=0.002)
    assert OVERHEAD.count() == counts[OVERHEAD.name][0] + 1


async def test_a_repeated_trigger_counts_nothing(fresh_bus: Bus) -> None:
    kept = await transfer(fresh_bus, "t-repeated")
    before = (PHASES.series(), ENDED.series(), TO_HUMAN.count())
    other = Coordinator(fresh_bus)
    stored = await fresh_bus.get_last_from_leader(subjects.request("t-repeated"))
    assert stored is not None
    for delivery_count in (1, 2):
        await other.handle(delivery_of(stored, delivery_count))
    assert (PHASES.series(), ENDED.series(), TO_HUMAN.count()) == before
    assert await transitions(fresh_bus, "t-repeated") == kept


def overhead_of(builder: TransferBuilder) -> tuple[int, float]:
    """Return how much the overhead grows by the transitions of `builder`."""
    transitions = [
        Record(trigger=trigger, at=at, event=event, state=applied.state, outbox=applied.outbox)
        for trigger, ((event, at), applied) in enumerate(zip(builder.events, builder.records, strict=True), 1)
    ]
    return observed(transitions)[OVERHEAD.name]


def test_the_overhead_is_the_wait_beyond_the_longest_task() -> None:
    """The dial is sent after the replies of three tasks, and the supervisor is heard 8 s later."""
    builder = TransferBuilder().start()
    began_at = builder.now
    builder.reply(*PREPARATIONS)
    dialed_at = builder.now
    builder.reply("dial_supervisor")
    builder.now = dialed_at + 8.0 - EVENT_INTERVAL_S
    builder.enable_supervisor_audio()
    assert builder.stage is Stage.BRIEFING
    # The room is the last reply but one that the dial waits for; the briefing agent joins after the dial.
    assert overhead_of(builder) == (1, pytest.approx(dialed_at - EVENT_INTERVAL_S - began_at))


def test_a_summary_that_comes_last_is_the_longest_task() -> None:
    """Nothing else was waited for: the whole preparation is the time of the summary."""
    builder = TransferBuilder().start()
    builder.reply("find_caller_call", "hold_caller", "create_room", "join_consultation", "dial_supervisor")
    builder.enable_supervisor_audio()
    builder.now += 9.5
    builder.reply("summarize")
    assert builder.stage is Stage.BRIEFING
    assert overhead_of(builder) == (1, pytest.approx(0.0))


async def test_who_takes_over_observes_no_time_that_it_does_not_know(fresh_bus: Bus) -> None:
    kept = await transfer(fresh_bus, "t-take-over")
    metrics = TransferMetrics()
    before = (TO_HUMAN.count(), HOLD.count(), OVERHEAD.count())
    for earlier, record in itertools.pairwise(kept[1:]):
        metrics.observe(earlier.state, record)
    assert (TO_HUMAN.count(), HOLD.count(), OVERHEAD.count()) == (before[0] + 1, *before[1:])


async def test_the_times_of_a_bounded_number_of_transfers_are_kept(
    fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer_metrics, "MAX_FOLLOWED", 3)
    first = (await transfer(fresh_bus, "t-bounded"))[0]
    metrics = TransferMetrics()
    for at in range(10):
        metrics.observe(None, replace(first, state=replace(first.state, id=f"t-{at}")))
    assert list(metrics._times) == ["t-7", "t-8", "t-9"]
    for record in await transitions(fresh_bus, "t-bounded"):
        metrics.observe(None if record == first else first.state, record)
    assert "t-bounded" not in metrics._times


async def test_the_gauges_show_what_runs_and_which_partitions_are_held(fresh_bus: Bus) -> None:
    running = asyncio.create_task(run_until(fresh_bus, "t-runs", Stage.SWITCHING, SwitchCaller))
    async with asyncio.timeout(30):
        while RUNNING.series() != {(Stage.SWITCHING,): 1}:
            assert not running.done()
            await asyncio.sleep(0.01)
    assert PARTITIONS_HELD.series() == {(): PARTITIONS}
    await running
    assert RUNNING.series() == {}
    assert PARTITIONS_HELD.series() == {}


async def test_a_timer_that_comes_late_is_observed_with_its_lateness(fresh_bus: Bus) -> None:
    await run_until(fresh_bus, "t-late", Stage.PREPARING, CreateRoom)
    stored = await fresh_bus.get_last_from_leader(subjects.request("t-late"))
    assert stored is not None
    count, total = TIMER_LATENESS.count(), TIMER_LATENESS.total()
    late = delivery_of(stored, 1)
    coordinator = Coordinator(fresh_bus)
    timer = encode(DeadlinePassed(due_at=late.at - 7.0))
    await coordinator.handle(late_timer(late, timer, 1))
    assert TIMER_LATENESS.count() == count + 1
    assert TIMER_LATENESS.total() - total == pytest.approx(7.0, abs=0.5)
    await coordinator.handle(late_timer(late, timer, 2))
    assert TIMER_LATENESS.count() == count + 1
