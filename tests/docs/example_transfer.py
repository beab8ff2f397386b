"""Whole transfers played through the real state machine, with actors that reply at once.

The tests compare them with what the pages say about phases: which ones, in which order, with which data.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Literal

from tests.actors.coordinator.fake_actors import answers
from warmxfer.actors.coordinator.state_machine import Applied, Transfer, step
from warmxfer.schemas import (
    AnyCommand,
    AnyEvent,
    PhaseChanged,
    ReleaseCaller,
    SIPDestination,
    TransferRequested,
    WarmTransferConfig,
    WarmTransferPhase,
    WarmTransferRequest,
    WarmTransferResult,
)

ID = "refund-4417"
NOW = 1_781_532_000.0
MAX_EVENTS = 100

Output = object
Intervention = Callable[[PhaseChanged], AnyEvent | None]
"""Returns an event that follows a published phase, or None."""


def request(pacing: Literal["overlap", "sequential"] = "overlap") -> TransferRequested:
    destination = SIPDestination("rule-outbound-us", "+14155550101", "+14155550199")
    config = WarmTransferConfig(destination, pacing=pacing)
    return TransferRequested(transfer_id=ID, request=WarmTransferRequest("m9wk-4tzs-c2ha", config))


def play(first: AnyEvent, *, intervention: Intervention | None = None) -> list[Output]:
    """Return every output from `first` to the end of the transfer, in order."""
    state: Transfer | None = None
    waiting: deque[AnyEvent] = deque([first])
    outputs: list[Output] = []
    for _ in range(MAX_EVENTS):
        if not waiting:
            return outputs
        applied = step(state, waiting.popleft(), NOW)
        if not isinstance(applied, Applied):
            continue
        state = applied.state
        outputs += applied.outbox
        for phase in phases(applied.outbox):
            if intervention and (event := intervention(phase)) is not None:
                waiting.appendleft(event)
        for output in applied.outbox:
            if isinstance(output, AnyCommand):
                waiting.extend(answers(output))
    raise AssertionError(f"the transfer did not end within {MAX_EVENTS} events")


def after(phase: WarmTransferPhase, event: AnyEvent) -> Intervention:
    """Return an intervention: `event` happens right after `phase`."""
    return lambda published: event if published.phase is phase else None


def phases(outputs: Sequence[Output]) -> list[PhaseChanged]:
    return [each for each in outputs if isinstance(each, PhaseChanged)]


def result(outputs: Sequence[Output]) -> WarmTransferResult:
    return next(each for each in outputs if isinstance(each, WarmTransferResult))


def apology(outputs: Sequence[Output]) -> str | None:
    """Return the line for the caller on their release, or None if there is none."""
    return next((each.line for each in outputs if isinstance(each, ReleaseCaller)), None)
