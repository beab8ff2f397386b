"""A log whose records are joined, as a coordinator writes it that handles several triggers together."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from warmxfer.actors.coordinator.state_machine import (
    Applied,
    FurtherEvent,
    Record,
    expand_log,
    join_outboxes,
    step,
)


def replayed(records: Sequence[Record]) -> list[Record]:
    """Return a record for each transition of `records`, with what this version makes of its event."""
    state, made = None, list[Record]()
    for record in expand_log(records):
        applied = step(state, record.event, record.at)
        assert isinstance(applied, Applied)
        state = applied.state
        made.append(replace(record, state=state, outbox=[*applied.outbox]))
    return made


def joined(records: Sequence[Record]) -> Record:
    """Return one record for `records`, which follow each other."""
    first, *rest = records
    steps = [Applied(each.state, [*each.outbox]) for each in records]  # type: ignore[list-item]
    return replace(
        first,
        also=tuple(FurtherEvent(trigger=each.trigger, at=each.at, event=each.event) for each in rest),
        state=records[-1].state,
        outbox=[*join_outboxes(steps)],
    )


def folded(records: Sequence[Record], size: int) -> list[Record]:
    """Return the log `records` with `size` transitions in each record after the first."""
    parts = [records[:1], *(records[index : index + size] for index in range(1, len(records), size))]
    return [joined(each) for each in parts if each]
