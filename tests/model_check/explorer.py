"""Breadth-first search through every state that state machine and world can reach together.

The search is breadth-first, so the trace to a violation is a shortest one. A state is the number of an
abstract transfer and the number of a world. An event that the state machine ignores is no transition.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from warmxfer.actors.coordinator.state_machine import Stage, Transfer
from warmxfer.schemas import AnyEvent

from .abstract_machine import AbstractMachine, Step
from .environment import Environment
from .event_delivery import EventDelivery
from .expected_behaviour import ExpectedBehaviour
from .invariants import leftover, violation
from .world import Change, World

NOT_IN_TRACES = ("set_timer", "result")
MAX_STATES = 2_000_000
MAX_WORLDS = 1 << 24


@dataclass
class Report:
    """Result of an exploration."""

    states: int
    transitions: int
    depth: int
    violation: str = ""
    """The first invariant found broken. Empty if every invariant holds."""
    trace: list[str] = field(default_factory=list[str])
    """A shortest way to the violation."""
    clean_ends: dict[str, int] = field(default_factory=dict[str, int])
    """Number of ended states with nothing left to clean up, by stage."""


class InvariantViolation(Exception):
    """An invariant is broken in state `at`, or by `cause` from there."""

    def __init__(self, at: int, invariant: str, cause: Change | Step | None = None) -> None:
        super().__init__(invariant)
        self.at = at
        self.cause = cause


class Explorer:
    """One exploration of one configuration (`config`: fields of `WarmTransferConfig`)."""

    def __init__(self, behaviour: ExpectedBehaviour, **config: Any) -> None:
        self._machine = AbstractMachine(**config)
        self._delivery = EventDelivery(Environment(behaviour))
        self._numbers: dict[int, int] = {}
        self._transfers, self._worlds = array("i"), array("i")
        self._parents, self._depths = array("i"), array("h")
        self._causes: list[Change | Step | None] = []
        self._delivered: dict[int, tuple[Stage, Step]] = {}
        self._sources, self._targets, self._guaranteed = array("i"), array("i"), bytearray()

    def run(self) -> Report:
        """Explore every state; stop at the first violation."""
        try:
            self._explore()
            clean_ends = self._check_ends()
        except InvariantViolation as found:
            trace = self._trace_to(found.at)
            if found.cause is not None:
                trace.append(self._label(found.at, found.cause))
            return self._report(str(found), trace, {})
        return self._report("", [], clean_ends)

    def _report(self, violation: str, trace: list[str], clean_ends: dict[str, int]) -> Report:
        return Report(len(self._worlds), len(self._sources), max(self._depths), violation, trace, clean_ends)

    @property
    def taken(self) -> set[tuple[Stage, type[AnyEvent], Stage]]:
        """Return which event led from which stage to which."""
        states = self._machine.states
        return {
            (stage, step.event_type, states[step.target].stage) for stage, step in self._delivered.values()
        }

    @property
    def delivered(self) -> set[str]:
        """Return the names of the events that were delivered to the coordinator."""
        return {step.event.name for _, step in self._delivered.values()}

    # ── forward ──────────────────────────────────────────────────────────────────────────────────

    def _explore(self) -> None:
        self._add_state(0, self._delivery.first(self._machine.first_outbox), -1, None)
        at = 0
        while at < len(self._worlds):
            self._expand(at)
            at += 1
            if at > MAX_STATES:
                raise RuntimeError(f"states is above {MAX_STATES}; abstract more of the state")

    def _expand(self, at: int) -> None:
        transfer, world = self._transfers[at], self._worlds[at]
        for change, after in self._delivery.changes(world):
            if change.violation:
                raise InvariantViolation(at, change.violation, change)
            self._add_transition(at, transfer, after, change, not change.optional)
        for step in self._machine.steps(transfer):
            for after in self._delivery.deliver(world, step, self._machine.states[step.target]):
                if step.violation:
                    raise InvariantViolation(at, step.violation, step)
                self._delivered[id(step)] = (self._machine.states[transfer].stage, step)
                guaranteed = self._delivery.is_guaranteed(world, step)
                self._add_transition(at, step.target, after, step, guaranteed)

    def _add_transition(
        self, at: int, transfer: int, world: int, cause: Change | Step, guaranteed: bool
    ) -> None:
        """Add one transition, unless it leads back to its own state."""
        to = self._numbers.get(transfer * MAX_WORLDS + world)
        if to is None:
            to = self._add_state(transfer, world, at, cause)
        if to != at:
            self._sources.append(at)
            self._targets.append(to)
            self._guaranteed.append(guaranteed)

    def _add_state(self, transfer: int, world: int, parent: int, cause: Change | Step | None) -> int:
        added = self._numbers[transfer * MAX_WORLDS + world] = len(self._worlds)
        self._transfers.append(transfer)
        self._worlds.append(world)
        self._parents.append(parent)
        self._depths.append(0 if parent < 0 else self._depths[parent] + 1)
        self._causes.append(cause)
        if invariant := violation(*self._state(added)):
            raise InvariantViolation(added, invariant)
        return added

    def _state(self, at: int) -> tuple[Transfer, World]:
        return self._machine.states[self._transfers[at]], self._delivery.worlds[self._worlds[at]]

    # ── backward ─────────────────────────────────────────────────────────────────────────────────

    def _check_ends(self) -> dict[str, int]:
        """Check L1, L3 and I16.

        L1: every state can end, and ends by its deadlines alone if no actor replies. I16, L3: every end
        becomes clean.
        """
        everywhere = range(len(self._worlds))
        ended = [at for at in everywhere if self._state(at)[0].stage.ended]
        final = [at for at in ended if self._state(at)[0].stage is not Stage.GUARDING]
        clean = [at for at in ended if not leftover(*self._state(at))]
        if stuck := self._without_path_to(final, everywhere, only_guaranteed=False):
            raise InvariantViolation(stuck[0], "L1: no end can be reached from here")
        if endless := self._endless_by_deadlines():
            at = next(at for at in everywhere if self._transfers[at] in endless)
            raise InvariantViolation(at, "L1: deadlines alone do not end it")
        if never_clean := self._without_path_to(clean, ended, only_guaranteed=True):
            at = self._first_without_next(never_clean)
            raise InvariantViolation(at, leftover(*self._state(at)))
        return Counter(self._state(at)[0].stage.value for at in clean)

    def _without_path_to(
        self, goals: list[int], states: Iterable[int], *, only_guaranteed: bool
    ) -> list[int]:
        """Return which of `states` have no path to a goal, over guaranteed transitions only if so asked."""
        before: list[list[int]] = [[] for _ in self._worlds]
        for source, target, guaranteed in zip(self._sources, self._targets, self._guaranteed, strict=True):
            if guaranteed or not only_guaranteed:
                before[target].append(source)
        reached = bytearray(len(self._worlds))
        for at in goals:
            reached[at] = 1
        queue = list(goals)
        while queue:
            for source in before[queue.pop()]:
                if not reached[source]:
                    reached[source] = 1
                    queue.append(source)
        return [at for at in states if not reached[at]]

    def _first_without_next(self, states: list[int]) -> int:
        """Return the first state without a guaranteed transition; if each has one, the first state."""
        transitions = zip(self._sources, self._guaranteed, strict=True)
        goes_on = {source for source, guaranteed in transitions if guaranteed}
        return next((at for at in states if at not in goes_on), states[0])

    def _endless_by_deadlines(self) -> set[int]:
        """Return the transfers that no series of their deadlines leads to an end."""
        states = self._machine.states
        endless = {
            at
            for at in set(self._transfers)
            if not states[at].stage.ended or states[at].stage is Stage.GUARDING
        }
        while ending := {
            at
            for at in endless
            for step in self._machine.steps(at)
            if step.event.is_deadline and step.target not in endless
        }:
            endless -= ending
        return endless

    # ── traces ───────────────────────────────────────────────────────────────────────────────────

    def _trace_to(self, at: int) -> list[str]:
        trace: list[str] = []
        while at >= 0:
            trace.append(self._label(self._parents[at], self._causes[at]))
            at = self._parents[at]
        return trace[::-1]

    def _label(self, at: int, cause: Change | Step | None) -> str:
        """Return a sentence about what `cause` did in state `at`."""
        match cause:
            case None:
                return "coordinator: the transfer is requested"
            case Change():
                return cause.label
            case Step():
                before, after = self._state(at)[0].stage, self._machine.states[cause.target].stage
                stages = before.value if before is after else f"{before.value} -> {after.value}"
                final = [name.partition(":")[2] for name in cause.outbox if name.startswith("final:")]
                sent = [name for name in cause.outbox if ":" not in name and name not in NOT_IN_TRACES]
                publishes = f", publishes {final[0]}" if final else ""
                sends = f", sends {', '.join(sent)}" if sent else ""
                return f"coordinator: {cause.event.name} ({stages}){publishes}{sends}"
