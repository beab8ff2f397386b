"""Breadth first through every state that machine and world can reach together.

Breadth first, so that the way to a broken promise is a shortest one. A state is the number of an abstract
transfer and the number of a world; an event that the machine ignores leads nowhere and is no transition.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from warmxfer.actors.coordinator.state_machine import Stage, Transfer
from warmxfer.schemas import AnyEvent

from .event_delivery import Telling
from .expected_behaviour import Habits
from .house import House
from .machine import Machine, Step
from .rules import broken, unclean
from .world import Move, World

UNSAID = ("set_timer", "result")
MAX_STATES = 2_000_000
MAX_WORLDS = 1 << 24


@dataclass
class Report:
    """What was found. `violation` is empty when every promise holds; else `trace` is a way to it."""

    states: int
    transitions: int
    depth: int
    violation: str = ""
    trace: list[str] = field(default_factory=list[str])
    ends: dict[str, int] = field(default_factory=dict[str, int])
    """States in which it is over and nothing is left lying about, by stage."""


class Violation(Exception):
    """A promise is broken in state `at`, or by `move` from there."""

    def __init__(self, at: int, promise: str, move: Move | Step | None = None) -> None:
        super().__init__(promise)
        self.at = at
        self.move = move


class Explorer:
    """One exploration of one configuration (`config`: fields of `WarmTransferConfig`)."""

    def __init__(self, habits: Habits, **config: str | bool) -> None:
        self._machine = Machine(**config)
        self._house = House(habits)
        self._telling = Telling(self._house)
        self._numbers: dict[int, int] = {}
        self._transfers, self._worlds = array("i"), array("i")
        self._parents, self._depths = array("i"), array("h")
        self._moves: list[Move | Step | None] = []
        self._taken: dict[int, tuple[Stage, Step]] = {}
        self._sources, self._targets, self._obliged = array("i"), array("i"), bytearray()

    def run(self) -> Report:
        try:
            self._explore()
            ends = self._look_back()
        except Violation as found:
            trace = [*self._way_to(found.at), *([self._label(found.at, found.move)] if found.move else [])]
            return self._report(str(found), trace, {})
        return self._report("", [], ends)

    def _report(self, violation: str, trace: list[str], ends: dict[str, int]) -> Report:
        return Report(len(self._worlds), len(self._sources), max(self._depths), violation, trace, ends)

    @property
    def taken(self) -> set[tuple[Stage, type[AnyEvent], Stage]]:
        """Which event led from which stage to which."""
        states = self._machine.states
        return {(stage, step.event, states[step.target].stage) for stage, step in self._taken.values()}

    @property
    def told(self) -> set[str]:
        """What the coordinator was told."""
        return {step.symbol.name for _, step in self._taken.values()}

    # ── forward ──────────────────────────────────────────────────────────────────────────────────

    def _explore(self) -> None:
        self._meet(0, self._telling.first(self._machine.first_outbox), -1, None)
        at = 0
        while at < len(self._worlds):
            self._expand(at)
            at += 1
            if at > MAX_STATES:
                raise RuntimeError(f"more than {MAX_STATES} states; abstract more")

    def _expand(self, at: int) -> None:
        transfer, world = self._transfers[at], self._worlds[at]
        for move, then in self._telling.moves(world):
            if move.broken:
                raise Violation(at, move.broken, move)
            self._lead(at, transfer, then, move, not move.people)
        for step in self._machine.steps(transfer):
            for then in self._telling.decided(world, step, self._machine.states[step.target]):
                if step.broken:
                    raise Violation(at, step.broken, step)
                self._taken[id(step)] = (self._machine.states[transfer].stage, step)
                self._lead(at, step.target, then, step, self._telling.obliged(world, step))

    def _lead(self, at: int, transfer: int, world: int, move: Move | Step, obliged: bool) -> None:
        """Note one transition, unless it leads to where it began."""
        to = self._numbers.get(transfer * MAX_WORLDS + world)
        if to is None:
            to = self._meet(transfer, world, at, move)
        if to != at:
            self._sources.append(at)
            self._targets.append(to)
            self._obliged.append(obliged)

    def _meet(self, transfer: int, world: int, parent: int, move: Move | Step | None) -> int:
        found = self._numbers[transfer * MAX_WORLDS + world] = len(self._worlds)
        self._transfers.append(transfer)
        self._worlds.append(world)
        self._parents.append(parent)
        self._depths.append(0 if parent < 0 else self._depths[parent] + 1)
        self._moves.append(move)
        if promise := broken(*self._state(found)):
            raise Violation(found, promise)
        return found

    def _state(self, at: int) -> tuple[Transfer, World]:
        return self._machine.states[self._transfers[at]], self._telling.worlds[self._worlds[at]]

    # ── backward ─────────────────────────────────────────────────────────────────────────────────

    def _look_back(self) -> dict[str, int]:
        """L1: every state can end, by time alone if nobody answers. I16, L3: every end becomes clean."""
        everywhere = range(len(self._worlds))
        ended = [at for at in everywhere if self._state(at)[0].stage.ended]
        clean = [at for at in ended if not unclean(*self._state(at))]
        if stuck := self._not_leading_to(ended, everywhere, only_obliged=False):
            raise Violation(stuck[0], "L1: no end can be reached from here")
        if endless := self._endless():
            at = next(at for at in everywhere if self._transfers[at] in endless)
            raise Violation(at, "L1: with nobody answering, time alone does not end it")
        if littered := self._not_leading_to(clean, ended, only_obliged=True):
            at = self._first_at_rest(littered)
            raise Violation(at, unclean(*self._state(at)))
        return Counter(self._state(at)[0].stage.value for at in clean)

    def _not_leading_to(self, goals: list[int], those: Iterable[int], *, only_obliged: bool) -> list[int]:
        """Which of `those` have no way to a goal. `only_obliged`: not counting on people."""
        before: list[list[int]] = [[] for _ in self._worlds]
        for source, target, obliged in zip(self._sources, self._targets, self._obliged, strict=True):
            if obliged or not only_obliged:
                before[target].append(source)
        reached = bytearray(len(self._worlds))
        for at in goals:
            reached[at] = 1
        waiting = list(goals)
        while waiting:
            for source in before[waiting.pop()]:
                if not reached[source]:
                    reached[source] = 1
                    waiting.append(source)
        return [at for at in those if not reached[at]]

    def _first_at_rest(self, those: list[int]) -> int:
        """The first from which nobody is obliged to go on; if there is none, the first."""
        goes_on = {source for source, obliged in zip(self._sources, self._obliged, strict=True) if obliged}
        return next((at for at in those if at not in goes_on), those[0])

    def _endless(self) -> set[int]:
        """Transfers from which no firing of their timers leads to an end."""
        states = self._machine.states
        endless = {at for at in set(self._transfers) if not states[at].stage.ended}
        while out := {
            at
            for at in endless
            for step in self._machine.steps(at)
            if step.symbol.is_time and step.target not in endless
        }:
            endless -= out
        return endless

    # ── telling the way ──────────────────────────────────────────────────────────────────────────

    def _way_to(self, at: int) -> list[str]:
        way: list[str] = []
        while at >= 0:
            way.append(self._label(self._parents[at], self._moves[at]))
            at = self._parents[at]
        return way[::-1]

    def _label(self, at: int, move: Move | Step | None) -> str:
        """What happened, for people: `move` from state `at`."""
        match move:
            case None:
                return "coordinator: the transfer is requested"
            case Move():
                return move.label
            case Step():
                before, after = self._state(at)[0].stage, self._machine.states[move.target].stage
                stages = before.value if before is after else f"{before.value} -> {after.value}"
                final = [name.partition(":")[2] for name in move.outbox if name.startswith("final:")]
                sent = [name for name in move.outbox if ":" not in name and name not in UNSAID]
                said = f", says {final[0]}" if final else ""
                sends = f", sends {', '.join(sent)}" if sent else ""
                return f"coordinator: {move.symbol.name} ({stages}){said}{sends}"
