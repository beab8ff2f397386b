"""Fault classes: whether one strikes, and in which phase each transfer was when it did.

Invariants:
- Every fault of a run is decided here, by its class, at the port where it happens.
- The decision is drawn from the seed, and written to the trace and to the coverage.
- No fault strikes after `stopped` is set.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from .trace import Trace

ROLES = ("coordinator", "gateway", "summarizer", "briefing", "primary")

PER_ACTION: Mapping[str, float] = {
    # the connection to the broker
    "publish_lost": 0.02,
    "ack_lost": 0.02,
    "bus_slow": 0.01,
    "settle_lost": 0.03,
    "delivered_twice": 0.03,
    "received_twice": 0.25,
    "request_lost": 0.05,
    "pull_lost": 0.02,
    "timer_late": 0.10,
    "read_stale": 0.20,
    # the cloud
    "cloud_slow": 0.08,
    "cloud_refuses": 0.03,
    "cloud_limits": 0.05,
    "cloud_unknown_undone": 0.05,
    "cloud_unknown_done": 0.06,
    "cloud_unknown_late": 0.06,
    "cloud_twice": 0.05,
    "lookup_unanswered": 0.06,
    "lookup_stale": 0.20,
    "lookup_misses_call": 0.05,
    "move_fails": 0.05,
    "webhook_lost": 0.15,
    "webhook_twice": 0.15,
    "webhook_late": 0.15,
    "join_fails": 0.05,
    # the model
    "model_hangs": 0.15,
    "model_endless": 0.10,
    "model_refuses": 0.10,
    "model_fails": 0.10,
}
"""Probability that a class strikes, each time it could, if all classes are allowed."""

PER_MINUTE: Mapping[str, float] = {
    "outage": 0.5,
    "outage_30_s": 0.3,
    "outage_60_s": 0.3,
    "cloud_unreachable": 0.4,
    "reset": 2.0,
    "leader_lost": 1.0,
    "consumer_lost": 0.5,
    "room_client_lost": 0.7,
    "poison": 0.7,
    **{f"crash_{role}": 0.45 for role in ROLES},
    **{f"stall_{role}": 0.45 for role in ROLES},
}
"""Strikes per minute of a class, if all classes are allowed."""

PEOPLE = ("caller_hangs_up", "supervisor_hangs_up", "cancelled")
"""What people do, in every run."""

CLASSES = (*PER_ACTION, *PER_MINUTE, *PEOPLE)

FOCUS = 6.0
"""Factor on the rates in a run with few fault classes."""
MAX_RATE = 0.5


class Faults:
    """The faults of one run: none in 10 % of the runs, a few classes in 50 %, all classes in 40 %."""

    def __init__(
        self,
        chance: random.Random,
        trace: Trace,
        live: Callable[[], Iterable[str]],
        phase_of: Callable[[str], str],
    ) -> None:
        self._chance = chance
        self._trace = trace
        self._live = live
        self._phase_of = phase_of
        self.stopped = False
        self.struck: Counter[tuple[str, str]] = Counter()
        """Coverage. A fault that strikes while no transfer is live, as in a bridge guard, is not counted."""
        self.happened: set[str] = set()
        """Every fault class that struck, whether or not a transfer was live."""
        self.kind = chance.choices(("none", "focus", "all"), (0.1, 0.5, 0.4))[0]
        classes = (*PER_ACTION, *PER_MINUTE)
        self.allowed = frozenset(
            {
                "none": (),
                "focus": chance.sample(classes, chance.randint(1, 4)),
                "all": classes,
            }[self.kind]
        )
        self._factor = FOCUS if self.kind == "focus" else 1.0

    def strikes(self, fault: str, transfer_id: str | None = None) -> bool:
        """Return whether `fault` strikes `transfer_id` now; None means all transfers that are running."""
        if self.stopped or fault not in self.allowed:
            return False
        if self._chance.random() >= min(MAX_RATE, PER_ACTION[fault] * self._factor):
            return False
        self.record(fault, transfer_id)
        return True

    def wait_s(self, fault: str) -> float | None:
        """Return seconds until a fault by the clock strikes next, or None if it does not in this run."""
        if fault not in self.allowed:
            return None
        return self._chance.expovariate(PER_MINUTE[fault] * min(self._factor, 3.0) / 60.0)

    def record(self, fault: str, transfer_id: str | None = None) -> None:
        """Write a fault to the trace and to the coverage."""
        self._trace.add("fault", f"{fault} {transfer_id or '*'}")
        self.happened.add(fault)
        for id in (transfer_id,) if transfer_id is not None else self._live():
            self.struck[fault, self._phase_of(id)] += 1

    def between(self, low: float, high: float) -> float:
        """Return a random size of a fault."""
        return self._chance.uniform(low, high)
