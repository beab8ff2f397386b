"""What the stream tells of one transfer: its records, phases, results and dead letters, read back."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from warmxfer.actors.coordinator.outbox import TIMER, outgoing
from warmxfer.actors.coordinator.state_machine import Record, decode_record
from warmxfer.bus import Stored, subjects
from warmxfer.schemas import Outcome, PhaseChanged, WarmTransferResult, decode_phase, decode_result

from .plan import TransferPlan

if TYPE_CHECKING:
    from .world import World


@dataclass(slots=True)
class Story:
    """One transfer, as it stands in the stream."""

    plan: TransferPlan
    records: list[tuple[Stored, Record]] = field(default_factory=list)
    phases: list[tuple[Stored, PhaseChanged]] = field(default_factory=list)
    results: list[tuple[Stored, WarmTransferResult]] = field(default_factory=list)
    sent: list[Stored] = field(default_factory=list)
    """Commands and timers, besides phases and results."""
    dead: list[dict[str, Any]] = field(default_factory=list)

    @property
    def id(self) -> str:
        return self.plan.id

    @property
    def result(self) -> WarmTransferResult | None:
        return self.results[0][1] if self.results else None

    @property
    def complete(self) -> bool:
        return self.result is not None and self.result.outcome is Outcome.COMPLETE

    @property
    def began_at(self) -> float:
        return self.records[0][0].at

    @property
    def ended_at(self) -> float | None:
        """When the record that ended it was written."""
        return next((stored.at for stored, record in self.records if record.state.stage.ended), None)

    @property
    def timer_subject(self) -> str:
        return subjects.timer(self.id, TIMER)

    def named(self) -> dict[str, str]:
        """Msg-Id -> subject of everything that the records send."""
        return {each.msg_id or "": each.subject for _, record in self.records for each in outgoing(record)}


def read_on(world: World) -> None:
    """Every transfer's story, from where the last reading ended."""
    for stored in world.stream.after(world.read_up_to):
        world.read_up_to = stored.seq
        address = subjects.parse(stored.subject)
        story = world.stories.get(address.id)
        if story is None:
            continue
        match address.kind:
            case "log":
                story.records.append((stored, decode_record(stored.data)))
            case "phase":
                story.phases.append((stored, decode_phase(stored.data)))
            case "result":
                story.results.append((stored, decode_result(stored.data)))
            case "do" | "timer":
                story.sent.append(stored)
            case "dead":
                story.dead.append(json.loads(stored.data))
