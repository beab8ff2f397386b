"""The transitions of a record that applied several events, told apart. Pure.

A record with `also` holds one state and one outbox. `expand` replays its events, and returns one record for
each of them, as single records would have it. Reports, timelines, spans and tests read a log this way.

Invariant: the last of them has the state that is stored, and together they have the messages that are stored,
in their order. This holds for the record of any version.
Test: `tests/actors/coordinator/state_machine/test_expand.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from warmxfer.schemas import InternalError

from .record import Output, Record, RecordedOutput, SetTimer, obstacle
from .state import Transfer
from .step import Applied, step


def join_outboxes(steps: Sequence[Applied]) -> list[Output]:
    """Return the outbox of one record that has these steps, in their order.

    A transfer has one timer, so only the last one is set, and none if the last state has none.
    """
    outputs = [output for each in steps for output in each.outbox]
    if len(steps) == 1:
        return outputs
    timers = [index for index, output in enumerate(outputs) if isinstance(output, SetTimer)]
    kept = timers[-1] if timers and _is_set(outputs[timers[-1]], steps[-1].state) else None
    return [
        output for index, output in enumerate(outputs) if index == kept or not isinstance(output, SetTimer)
    ]


def expand(before: Transfer | None, record: Record) -> list[Record]:
    """Return one record for each transition of `record`. It follows the state `before`; None if it is first.

    If this version does not replay the events to what is stored, as those of a newer version, each record has
    the stored state, and the last one has all messages.
    """
    if not record.also:
        return [record]
    events = [(record.trigger, record.at, record.event)]
    events += [(each.trigger, each.at, each.event) for each in record.also]
    steps = _replay(before, record)
    outboxes: list[list[RecordedOutput]] = [*([] for _ in record.also), record.outbox]
    if steps is not None:
        outboxes = _shares(steps, record)
    return [
        replace(
            record,
            trigger=trigger,
            at=at,
            event=event,
            also=(),
            state=steps[index].state if steps is not None and index < len(record.also) else record.state,
            outbox=outboxes[index],
        )
        for index, (trigger, at, event) in enumerate(events)
    ]


def expand_log(records: Iterable[Record]) -> Iterator[Record]:
    """Yield one record for each transition of a log, oldest first."""
    before: Transfer | None = None
    for record in records:
        yield from expand(before, record)
        before = record.state


def _replay(before: Transfer | None, record: Record) -> list[Applied] | None:
    """Return the steps of `record`, or None if they lead to something else than what is stored."""
    if before is None or obstacle(replace(record, state=before)) is not None:
        return None
    state, steps = before, list[Applied]()
    for at, event in ((record.at, record.event), *((each.at, each.event) for each in record.also)):
        try:
            outcome = step(state, event, at)
        except InternalError:
            return None
        if not isinstance(outcome, Applied):
            return None
        state = outcome.state
        steps.append(outcome)
    return steps if state == record.state and join_outboxes(steps) == record.outbox else None


def _shares(steps: Sequence[Applied], record: Record) -> list[list[RecordedOutput]]:
    """Return the messages of the record by step: those of its outbox, without timers that were not set."""
    shares: list[list[RecordedOutput]] = []
    taken = 0
    for each in steps:
        # A timer is the only output that may be left out.
        share: list[RecordedOutput] = []
        for output in each.outbox:
            if taken < len(record.outbox) and record.outbox[taken] == output:
                share.append(output)
                taken += 1
        shares.append(share)
    return shares


def _is_set(output: Output, state: Transfer) -> bool:
    return isinstance(output, SetTimer) and output.due_at == state.timer_due_at
