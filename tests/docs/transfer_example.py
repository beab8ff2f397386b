"""Whole transfers told by the real machine, with people and actors who answer at once.

What the pages say about phases (which, in what order, carrying what) is compared with these.
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
MAX_TURNS = 100

Output = object
Twist = Callable[[PhaseChanged], AnyEvent | None]
"""What happens to a transfer once a phase has been said, beside the answers."""


def request(pacing: Literal["overlap", "sequential"] = "overlap") -> TransferRequested:
    destination = SIPDestination("rule-outbound-us", "+14155550101", "+14155550199")
    config = WarmTransferConfig(destination, pacing=pacing)
    return TransferRequested(transfer_id=ID, request=WarmTransferRequest("m9wk-4tzs-c2ha", config))


def tell(first: AnyEvent, *, twist: Twist | None = None) -> list[Output]:
    """Everything that goes out from `first` to the end, in order."""
    state: Transfer | None = None
    waiting: deque[AnyEvent] = deque([first])
    told: list[Output] = []
    for _ in range(MAX_TURNS):
        if not waiting:
            return told
        moved = step(state, waiting.popleft(), NOW)
        if not isinstance(moved, Applied):
            continue
        state = moved.state
        told += moved.outbox
        phases = [each for each in moved.outbox if isinstance(each, PhaseChanged)]
        waiting.extendleft(event for phase in phases if twist and (event := twist(phase)) is not None)
        for output in moved.outbox:
            if isinstance(output, AnyCommand):
                waiting.extend(answers(output))
    raise AssertionError(f"the story did not end within {MAX_TURNS} turns")


def after(phase: WarmTransferPhase, event: AnyEvent) -> Twist:
    """`event` happens right after `phase`."""
    return lambda said: event if said.phase is phase else None


def phases(told: Sequence[Output]) -> list[PhaseChanged]:
    return [each for each in told if isinstance(each, PhaseChanged)]


def result(told: Sequence[Output]) -> WarmTransferResult:
    return next(each for each in told if isinstance(each, WarmTransferResult))


def heard(told: Sequence[Output]) -> str | None:
    """The line the caller hears on being given back; None: none."""
    return next((each.line for each in told if isinstance(each, ReleaseCaller)), None)
