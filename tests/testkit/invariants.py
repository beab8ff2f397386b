"""Invariants that more than one kind of test checks, over a transfer's history and over what was executed.

The numbers are those of docs/reliability.md. The first half needs only the stream (`TransferHistory`). The
second half needs an `Effects`: what the provider executed, and where it left the people. The simulation
makes an `Effects` from its simulated cloud, the chaos runs from the sandbox's report (`from_report`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from warmxfer.actors.coordinator.state_machine import (
    Applied,
    Ignored,
    Stage,
    Transfer,
    join_outboxes,
    last_record,
    obstacle,
    step,
)
from warmxfer.actors.coordinator.state_machine.record import MACHINE_VERSION
from warmxfer.actors.coordinator.state_machine.transitions import TRANSITIONS
from warmxfer.schemas import WarmTransferResult, encode

from .transfer_history import TransferHistory

CLOCK_SLACK_S = 0.2
"""How far the sandbox's clock and the broker's may differ; both run on one machine."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken invariant. `count` is how many effects are too many, where effects are counted."""

    invariant: str
    detail: str
    count: int = 1

    def __str__(self) -> str:
        return f"{self.invariant}: {self.detail}"


def total(violations: Iterable[Violation]) -> int:
    """Return the sum of the counts."""
    return sum(each.count for each in violations)


# ── what the stream shows ────────────────────────────────────────────────────────────────────────


def one_end(history: TransferHistory) -> Iterator[Violation]:
    """I11: exactly one final phase and one result, and no phase after the final one."""
    finals = [phase.seq for _, phase in history.phases if phase.phase.final]
    if len(finals) != 1 or len(history.results) != 1:
        yield Violation("I11", f"{len(finals)} final phases, {len(history.results)} results")
    elif finals[0] != len(history.phases):
        yield Violation("I11", f"phase {finals[0]} is final, and {len(history.phases)} were published")


def numbered_without_gap(history: TransferHistory) -> Iterator[Violation]:
    """I12: phases and transitions are numbered from 1 without gap or repeat."""
    phases = [phase.seq for _, phase in history.phases]
    if phases != list(range(1, len(phases) + 1)):
        yield Violation("I12", f"phases are numbered {phases}")
    transitions = [record.state.seq for _, record in history.transitions]
    if transitions != list(range(1, len(transitions) + 1)):
        yield Violation("I12", f"transitions are numbered {transitions}")


def steps_follow_the_table(history: TransferHistory) -> Iterator[Violation]:
    """I12: each step is a row of the transition table.

    A step from or to a record that this version cannot continue is the newer version's, or gives it up.
    """
    stage, continued = Stage.NEW, True
    for _, record in history.transitions:
        was_continued, continued = continued, obstacle(record) is None
        transition = TRANSITIONS[stage].get(type(record.event)) if was_continued else None
        follows = transition is not None and record.state.stage in transition.to
        if was_continued and continued and not follows:
            event = type(record.event).__name__
            yield Violation("I12", f"{event} led from {stage.value} to {record.state.stage.value}")
        stage = record.state.stage


def triggers_applied_once(history: TransferHistory) -> Iterator[Violation]:
    """I20: each trigger took effect at most once. Streams use the same numbers, not at the same time."""
    triggers = [(record.trigger, record.at) for _, record in history.transitions]
    if len(set(triggers)) != len(triggers):
        yield Violation("I20", f"a trigger took effect twice: {triggers}")


def log_replays(history: TransferHistory) -> Iterator[Violation]:
    """I13: replaying the log from empty gives each stored state and outbox, bit for bit.

    Records of a newer version, and the one that gives such a record up, are taken as they are. Of an archived
    transfer the stream has the last record without personal data, and the archive has it whole.
    """
    state: Transfer | None = None
    continued = True
    for _, record in history.records:
        was_continued, continued = continued, obstacle(record) is None
        if not was_continued or record.machine_version > MACHINE_VERSION:
            state = record.state
            continue
        steps = list[Applied]()
        for at, event in ((record.at, record.event), *((each.at, each.event) for each in record.also)):
            outcome = step(state, event, at)
            if isinstance(outcome, Ignored):
                yield Violation("I13", f"record {record.state.seq} replays to nothing: {outcome.why}")
                return
            steps.append(outcome)
            state = outcome.state
        after = steps[-1].state
        stored = encode(record.state), encode(record.outbox)
        whole = replace(record, state=after, outbox=[*join_outboxes(steps)])
        allowed = [whole, last_record(whole)] if after.archived else [whole]
        if all(stored != (encode(each.state), encode(each.outbox)) for each in allowed):
            yield Violation("I13", f"record {record.state.seq} replays to something else")
            return


def only_poison_dead_lettered(
    history: TransferHistory, poison: Collection[int] = frozenset()
) -> Iterator[Violation]:
    """I22: each message in `poison` (stream numbers) has a dead letter, and no other message has one."""
    dead = {letter["seq"] for letter in history.dead_letters}
    if missing := sorted(set(poison) - dead):
        yield Violation("I22", f"poison {missing} was not dead-lettered")
    for letter in history.dead_letters:
        if letter["seq"] not in poison:
            where = f"{letter['subject']} ({letter['seq']})"
            yield Violation("I22", f"{where} was dead-lettered: {letter['cause']}")


HISTORY_CHECKS = (
    one_end,
    numbered_without_gap,
    steps_follow_the_table,
    triggers_applied_once,
    log_replays,
)
"""Checks of the history alone. `only_poison_dead_lettered` is separate: it needs to know the poison."""


# ── what was executed ────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """What the provider executed for one transfer, and where it left the people."""

    with_supervisor: bool
    """The caller belongs with the supervisor. If false, the caller belongs with the AI."""
    outcome: str = "no result"
    dials: int
    """Dials executed because we asked; dials that the provider repeated by itself are not counted."""
    moves_to_supervisor: int
    moves_back: int
    supervisor_legs_up: int
    supervisor_legs_expected: int
    repeated_legs_up: int = 0
    """Legs that are up although the provider dialled them by mistake."""
    caller_up: bool
    caller_room: str | None
    caller_room_expected: str | None
    caller_muted: bool
    """The agent in the caller's own room does not listen."""
    caller_alone: bool
    """The caller has no company, and the supervisor did not hang up by themselves."""
    caller_cut_off: bool
    """The caller's leg ended, and the caller did not hang up."""


def dialled_once(effects: Effects) -> Iterator[Violation]:
    """I6: the supervisor is dialled at most once."""
    if effects.dials > 1:
        yield Violation("I6", f"{effects.dials} dials were executed", effects.dials - 1)


def moved_once(effects: Effects) -> Iterator[Violation]:
    """I7: the caller is moved at most once to the supervisor, and at most once back."""
    if effects.moves_to_supervisor > 1:
        moves = effects.moves_to_supervisor
        yield Violation("I7", f"the caller was moved to the supervisor {moves} times", moves - 1)
    if effects.moves_back > 1:
        moves = effects.moves_back
        yield Violation("I7", f"the caller was moved back {moves} times", moves - 1)


def no_leg_left(effects: Effects) -> Iterator[Violation]:
    """I16: no supervisor's leg is up but the one that the caller talks to."""
    left = max(effects.supervisor_legs_up - effects.supervisor_legs_expected, 0) + effects.repeated_legs_up
    if left:
        yield Violation("I16", f"{left} legs of the supervisor are still up", left)


def caller_in_the_right_room(effects: Effects) -> Iterator[Violation]:
    """I3, I4: a caller whose leg is up is with the supervisor if complete, else in their own room."""
    if effects.caller_up and effects.caller_room != effects.caller_room_expected:
        invariant = "I3" if effects.with_supervisor else "I4"
        yield Violation(invariant, f"{effects.outcome}, and the caller is in {effects.caller_room}")


def caller_not_muted(effects: Effects) -> Iterator[Violation]:
    """I2: a caller who belongs with the AI is not muted."""
    if effects.caller_up and effects.caller_muted and not effects.with_supervisor:
        yield Violation("I2", f"{effects.outcome}, and the caller is muted")


def caller_not_alone(effects: Effects) -> Iterator[Violation]:
    """I1, I3: a caller has the AI for company, or a supervisor whom we did not cut off."""
    if effects.caller_alone:
        invariant = "I3" if effects.with_supervisor else "I1"
        yield Violation(invariant, f"{effects.outcome}, and the caller is alone")


def caller_not_cut_off(effects: Effects) -> Iterator[Violation]:
    """I1: the caller's leg ends only when the caller hangs up."""
    if effects.caller_cut_off:
        yield Violation("I1", "the caller's leg ended, and the caller had not hung up")


def from_report(
    report: dict[str, Any],
    result: WarmTransferResult | None,
    primary_room: str,
    *,
    returned: bool = False,
    last_check_at: float | None = None,
) -> Effects:
    """Return the `Effects` that the sandbox's report of one transfer shows.

    Without a result the caller has to be with the AI, or with a supervisor whose leg is up. So does a caller
    whom the bridge guard `returned`. If the supervisor hangs up after the last leg check of the guard, the
    caller is alone by the supervisor's choice. An earlier hang-up is no excuse.
    """
    room, legs_up = report["callerRoom"], report["supervisorLegsUp"]
    if result is None:
        with_supervisor = room not in (None, primary_room) and bool(legs_up)
        consultation_room = room
    else:
        with_supervisor = result.success and not returned
        consultation_room = result.consultation_room_id
    by_choice = with_supervisor and report["supervisorEndedBy"] == "person"
    by_choice = by_choice and is_after_guard(report["supervisorEndedAt"], result, last_check_at)
    return Effects(
        with_supervisor=with_supervisor,
        outcome=result.outcome.value if result else "no result",
        dials=sum(report["dials"].values()),
        moves_to_supervisor=report["switches"]["forward"],
        moves_back=report["switches"]["back"],
        supervisor_legs_up=legs_up,
        supervisor_legs_expected=int(with_supervisor),
        caller_up=report["callerLegUp"],
        caller_room=room,
        caller_room_expected=consultation_room if with_supervisor else primary_room,
        caller_muted=report["callerHeld"],
        caller_alone=report["callerAlone"] and not by_choice,
        caller_cut_off=report["callerEndedBy"] not in (None, "person"),
    )


def is_after_guard(ended_at: float, result: WarmTransferResult | None, last_check_at: float | None) -> bool:
    """Return whether no answered leg check could show that the supervisor's leg ended at `ended_at`."""
    if last_check_at is None:
        return result is not None and "legs" in result.evidence
    return ended_at >= last_check_at - CLOCK_SLACK_S
