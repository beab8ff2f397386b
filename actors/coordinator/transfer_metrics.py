"""Metrics of transfers, observed from the records that this coordinator appended.

One coordinator appends a record, and a retry appends none. So each phase and each outcome is counted once,
unless the coordinator dies right after an append.

The times of one transfer are known to the coordinator that appended all its records. If another one takes
over, its hold and its overhead are not observed. Its phases, its outcome and its time to human are.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from warmxfer.metrics import LATENCY_BOUNDS_S, WAIT_BOUNDS_S, Counter, Gauge, Histogram, Label
from warmxfer.schemas import (
    CallerHeld,
    CallerReleased,
    Outcome,
    PhaseChanged,
    WarmTransferPhase,
    WarmTransferResult,
)

from .state_machine import Record, Stage, Transfer
from .state_machine.state import PreparationTask

MAX_FOLLOWED = 4_096
"""Transfers whose times are kept; about 1 KB each."""

PHASES = Counter(
    "warmxfer_transfer_phases_total",
    "Phases that transfers entered.",
    Label("phase", tuple(WarmTransferPhase)),
)
ENDED = Counter("warmxfer_transfers_total", "Transfers that ended.", Label("outcome", tuple(Outcome)))
RUNNING = Gauge(
    "warmxfer_transfers_running",
    "Transfers that have not ended, by what they wait for, of the partitions that this coordinator holds. "
    "One that nothing happened to since the coordinator took its partition is not counted.",
    Label("stage", tuple(stage for stage in Stage if not stage.ended and stage is not Stage.NEW)),
)
TO_HUMAN = Histogram(
    "warmxfer_time_to_human_seconds",
    "Time from the request until caller and supervisor were together.",
    bounds=WAIT_BOUNDS_S,
)
HOLD = Histogram(
    "warmxfer_hold_seconds",
    "Time from the hold until the caller was with the supervisor, back with the AI, or the transfer ended.",
    bounds=WAIT_BOUNDS_S,
)
OVERHEAD = Histogram(
    "warmxfer_preparation_overhead_seconds",
    "Time from the request until the briefing began, beyond the longest task of the preparation.",
    bounds=LATENCY_BOUNDS_S,
)
TIMER_LATENESS = Histogram(
    "warmxfer_timer_lateness_seconds",
    "How long after its time a timer was first handled, by the broker's clock.",
    bounds=LATENCY_BOUNDS_S,
)
PARTITIONS_HELD = Gauge("warmxfer_partitions_held", "Partitions that this coordinator takes messages from.")

_SUPERVISOR_TASKS = (PreparationTask.DIAL, PreparationTask.VOICE)
"""Together one leg of the preparation: from the dial until the supervisor's audio is on."""


@dataclass(slots=True)
class _Times:
    """When things happened in one transfer, by the broker's clock."""

    began_at: dict[PreparationTask, float] = field(default_factory=dict[PreparationTask, float])
    longest_s: float = 0.0
    """The longest task of the preparation so far."""
    begun: int = 0
    done: int = 0
    held_at: float | None = None
    hold_over: bool = False


class TransferMetrics:
    """Observes the records of one coordinator, in the order in which it appends them."""

    def __init__(self) -> None:
        self._times: OrderedDict[str, _Times] = OrderedDict()

    def observe(self, before: Transfer | None, record: Record) -> None:
        """Observe a record that was appended after the state `before`; None for the first one."""
        self.observe_outputs(record)
        state = record.state
        stage_before = before.stage if before is not None else Stage.NEW
        if before is None:
            self._times[state.id] = _Times()
            if len(self._times) > MAX_FOLLOWED:
                self._times.popitem(last=False)
        if state.stage is Stage.HANDING_OVER and stage_before is not Stage.HANDING_OVER:
            TO_HUMAN.observe(max(0.0, record.at - state.started_at))
        times = self._times.get(state.id)
        if times is not None:
            self._observe_times(times, stage_before, record)
            if state.stage.ended:
                del self._times[state.id]

    def observe_outputs(self, record: Record) -> None:
        """Count the phases and the outcome that `record` publishes."""
        for output in record.outbox:
            if isinstance(output, PhaseChanged):
                PHASES.count(output.phase)
            elif isinstance(output, WarmTransferResult):
                ENDED.count(output.outcome)

    def _observe_times(self, times: _Times, stage_before: Stage, record: Record) -> None:
        state, at = record.state, record.at
        if len(state.begun) != times.begun:
            for task in state.begun:
                times.began_at.setdefault(task, at)
            times.begun = len(state.begun)
        if len(state.done) != times.done:
            for task in state.done[times.done :]:
                began_at = times.began_at.get(PreparationTask.DIAL if task in _SUPERVISOR_TASKS else task, at)
                times.longest_s = max(times.longest_s, at - began_at)
            times.done = len(state.done)
        if state.stage is Stage.BRIEFING and stage_before is not Stage.BRIEFING:
            OVERHEAD.observe(max(0.0, at - state.started_at - times.longest_s))
        if isinstance(record.event, CallerHeld) and times.held_at is None:
            times.held_at = at
        elif times.held_at is not None and not times.hold_over and _hold_is_over(record):
            HOLD.observe(max(0.0, at - times.held_at))
            times.hold_over = True


@asynccontextmanager
async def transfer_gauges(
    running: Callable[[], Mapping[Stage, int]], partitions: Callable[[], int]
) -> AsyncIterator[None]:
    """Show the gauges of one coordinator while the context is open."""
    removals = [
        RUNNING.read_from(lambda: {(stage,): count for stage, count in running().items()}),
        PARTITIONS_HELD.read_from(lambda: {(): partitions()}),
    ]
    try:
        yield
    finally:
        for remove in removals:
            remove()


def _hold_is_over(record: Record) -> bool:
    stage = record.state.stage
    return stage is Stage.HANDING_OVER or stage.ended or isinstance(record.event, CallerReleased)
