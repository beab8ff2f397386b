"""Faults: when one strikes, and which transfer was in which phase when it did.

The law of this file: every fault of a run is asked for here, by its class, at the border where it happens;
the answer is drawn from the seed and written into the trace and the coverage. Once it is calm none strikes.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from .trace import Trace

ROLES = ("coordinator", "gateway", "summarizer", "briefing", "primary")

PER_ACTION: Mapping[str, float] = {
    # the road to the broker and back
    "publish_lost": 0.02,
    "ack_lost": 0.02,
    "bus_slow": 0.01,
    "settle_lost": 0.03,
    "delivered_twice": 0.03,
    "received_twice": 0.05,
    "request_lost": 0.05,
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
"""How often each strikes in a storm, of the times it could."""

PER_MINUTE: Mapping[str, float] = {
    "outage": 0.5,
    "outage_30_s": 0.3,
    "outage_60_s": 0.3,
    "cloud_unreachable": 0.4,
    "reset": 2.0,
    "room_client_lost": 0.7,
    "poison": 0.7,
    **{f"crash_{role}": 0.45 for role in ROLES},
    **{f"stall_{role}": 0.45 for role in ROLES},
}
"""How often each strikes in a storm, by its own clock."""

PEOPLE = ("caller_hangs_up", "supervisor_hangs_up", "cancelled")
"""What people do, in every weather."""

CLASSES = (*PER_ACTION, *PER_MINUTE, *PEOPLE)

FOCUS = 6.0
"""A run with few fault classes has each this much more often."""
MAX_RATE = 0.5


class Faults:
    """Fair for one run in ten, a few classes of fault often for one in two, all of them for the rest."""

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
        self.calm = False
        self.struck: Counter[tuple[str, str]] = Counter()
        self.kind = chance.choices(("fair", "focus", "storm"), (0.1, 0.5, 0.4))[0]
        classes = (*PER_ACTION, *PER_MINUTE)
        self.allowed = frozenset(
            {
                "fair": (),
                "focus": chance.sample(classes, chance.randint(1, 4)),
                "storm": classes,
            }[self.kind]
        )
        self._factor = FOCUS if self.kind == "focus" else 1.0

    def strikes(self, what: str, about: str | None = None) -> bool:
        """Whether fault `what` strikes now, concerning transfer `about` (None: all that are running)."""
        if self.calm or what not in self.allowed:
            return False
        if self._chance.random() >= min(MAX_RATE, PER_ACTION[what] * self._factor):
            return False
        self.note(what, about)
        return True

    def wait_s(self, what: str) -> float | None:
        """Seconds until a fault of the clock strikes next; None: never in this run."""
        if what not in self.allowed:
            return None
        return self._chance.expovariate(PER_MINUTE[what] * min(self._factor, 3.0) / 60.0)

    def note(self, what: str, about: str | None = None) -> None:
        """A fault struck: for the trace, and for the coverage."""
        self._trace.add("fault", f"{what} {about or '*'}")
        for id in (about,) if about is not None else self._live():
            self.struck[what, self._phase_of(id)] += 1

    def between(self, low: float, high: float) -> float:
        """A size for a fault."""
        return self._chance.uniform(low, high)
