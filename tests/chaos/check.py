"""What must hold of one transfer when it is over: by the stream and by the ledger of what was executed.

No actor is asked. The numbers are those of docs/reliability.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from warmxfer.actors.coordinator.state_machine import Ignored, Record, Stage, Transfer, step
from warmxfer.actors.coordinator.state_machine.record import decode_record
from warmxfer.actors.coordinator.state_machine.transitions import TRANSITIONS
from warmxfer.bus import Bus, Stored, subjects
from warmxfer.schemas import (
    AnyEvent,
    CommandFailed,
    PhaseChanged,
    WarmTransferResult,
    decode_phase,
    decode_result,
    encode,
)

MAX_RECORDS = 1_000
MAX_PHASES = 100
DEADLINE_S = 20.0


@dataclass(frozen=True)
class Story:
    """All that the stream tells of one transfer."""

    id: str
    records: list[Record]
    phases: list[PhaseChanged]
    results: list[WarmTransferResult]
    dead: list[str]


async def read(bus: Bus, id: str) -> Story:
    """From the stream, whatever happened to it a moment ago."""

    async def every(subject: str, limit: int) -> list[Stored]:
        return await bus.history(subject, limit, deadline_s=DEADLINE_S)

    return Story(
        id,
        [decode_record(each.data) for each in await every(subjects.log(id), MAX_RECORDS)],
        [decode_phase(each.data) for each in await every(subjects.phase(id), MAX_PHASES)],
        [decode_result(each.data) for each in await every(subjects.result(id), 2)],
        [each.data.decode() for each in await every(subjects.dead_letter(id), MAX_PHASES)],
    )


def broken_promises(story: Story) -> Iterator[str]:
    """One sentence for each promise that the stream shows broken."""
    yield from _one_end(story)
    yield from _one_path(story)
    yield from _pure_fold(story)
    for letter in story.dead:
        yield f"I22: given up: {letter[:200]}"


def began_at(story: Story) -> float:
    """When its first record was written, in epoch seconds; 0 where there is none."""
    return story.records[0].at if story.records else 0.0


def told(story: Story) -> str:
    """Its way, for whoever has to find out what went wrong: events, and the stages they led to."""
    began = began_at(story)
    way = [f"{each.at - began:.2f} {_named(each.event)} > {each.state.stage.value}" for each in story.records]
    return ", ".join(way)


def _named(event: AnyEvent) -> str:
    """A failure says what failed; of everything else the name is enough."""
    name = type(event).__name__
    return f"{name} ({event.detail})" if isinstance(event, CommandFailed) else name


def _one_end(story: Story) -> Iterator[str]:
    finals = [phase.seq for phase in story.phases if phase.phase.final]
    if len(finals) != 1 or len(story.results) != 1:
        yield f"I11: {len(finals)} final phases, {len(story.results)} results"
    elif finals[0] != len(story.phases):
        yield f"I11: phase {finals[0]} is final, and {len(story.phases)} were said"


def _one_path(story: Story) -> Iterator[str]:
    said = [phase.seq for phase in story.phases]
    if said != list(range(1, len(said) + 1)):
        yield f"I12: phases are numbered {said}"
    kept = [record.state.seq for record in story.records]
    if kept != list(range(1, len(kept) + 1)):
        yield f"I12: records are numbered {kept}"
    triggers = [record.trigger for record in story.records]
    if len(set(triggers)) != len(triggers):
        yield f"I20: a trigger took effect twice: {triggers}"
    before = Stage.NEW
    for record in story.records:
        rule = TRANSITIONS[before].get(type(record.event))
        if rule is None or record.state.stage not in rule.to:
            yield f"I12: {type(record.event).__name__} led from {before.value} to {record.state.stage.value}"
        before = record.state.stage


def _pure_fold(story: Story) -> Iterator[str]:
    state: Transfer | None = None
    for record in story.records:
        outcome = step(state, record.event, record.at)
        if isinstance(outcome, Ignored) or encode(outcome.state) != encode(record.state):
            yield f"I13: record {record.state.seq} replays to something else"
            return
        state = outcome.state


@dataclass(frozen=True)
class Executed:
    """What the cloud did, counted as the table counts it: how many too many."""

    second_dials: int
    second_switches: int
    legs_left: int
    muted: int
    left_alone: int
    cut_off: int

    @property
    def clean(self) -> bool:
        """No leg is left and nobody waits for what will not come."""
        return not (self.legs_left or self.muted or self.left_alone)


def executed(verdict: dict[str, Any], result: WarmTransferResult | None, primary_room: str) -> Executed:
    """Read the sandbox's verdict; without a result the caller has to be at the AI, or with the supervisor.

    A supervisor who hangs up once the transfer is complete leaves a caller alone by themselves.
    """
    switches, room = verdict["switches"], verdict["callerRoom"]
    moved = room not in (None, primary_room) and bool(verdict["supervisorLegsUp"])
    success = result.success if result else moved
    if success:
        away = not moved if result is None else room != result.consultation_room_id
    else:
        away = room != primary_room or verdict["callerHeld"]
    return Executed(
        second_dials=sum(verdict["dials"].values()) - 1 if verdict["dials"] else 0,
        second_switches=max(switches["forward"] - 1, 0) + max(switches["back"] - 1, 0),
        legs_left=max(verdict["supervisorLegsUp"] - (1 if success else 0), 0),
        muted=int(verdict["callerLegUp"] and away),
        left_alone=int(verdict["callerAlone"] and not (success and verdict["supervisorEndedBy"] == "person")),
        cut_off=int(verdict["callerEndedBy"] not in (None, "person")),
    )
