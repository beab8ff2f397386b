"""Several triggers of one transfer as one record: which of those that wait may share it. Pure.

While a trigger is handled, others of the same transfer arrive. One record for all of them costs one append
and one publication. The state machine handles them one by one, so the transfer decides as with a record for
each.

Only the simplest case shares a record. Every other trigger is handled alone:

- Events of actors that are delivered for the first time, and that certainly caused no record so far.
- On a record of this process whose outputs are published, of a transfer that has not ended.
- An event that cannot be read, that is not accepted, or whose handler raises, ends the series before it.

Invariants. Test: `tests/actors/coordinator/test_folding.py`.

- The order of arrival stays.
- No command is withdrawn by an event of the record that sends it. Else the actor would carry it out: a
  command in the newest record is wanted.
- An event that changes nothing is dropped only if another one of its series is applied: the append proves
  that the record was the newest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from warmxfer.bus import DeadLetter, Delivery, NewerVersionNeeded
from warmxfer.schemas import AnyEvent, InternalError

from .event_writers import why_not_accepted
from .inbound_events import decode_trigger
from .record_cache import CachedRecord
from .state_machine import ALSO_MAX, OUTBOX_MAX, Applied, ArchiveTransfer, Transfer, step

TOGETHER_MAX = ALSO_MAX + 1
"""Most triggers of one record."""
MAX_SPREAD_S = 60.0
"""Longest time between two triggers of one record. Actors compare deadlines with the time of the record."""


class AppliedTrigger(NamedTuple):
    """A trigger, the event that it was read as, and what the event led to."""

    delivery: Delivery
    event: AnyEvent
    applied: Applied


class Series(NamedTuple):
    """The triggers that one record applies, at least one, and how many deliveries end with it."""

    triggers: list[AppliedTrigger]
    ends: int
    """The applied triggers, and those before the last of them or right behind it that change nothing."""


def fold(
    cached: CachedRecord,
    deliveries: Sequence[Delivery],
    read: Callable[[Delivery], AnyEvent] = decode_trigger,
) -> Series | None:
    """Return the longest series at the head of `deliveries` that may share a record after `cached`, or None.

    `deliveries` are of one transfer, in the order of their arrival. `read` returns the event in one.
    """
    if not cached.sent:
        return None
    state, series, ends = cached.record.state, list[AppliedTrigger](), 0
    seen = set[tuple[float, int]]()
    for delivery in deliveries[:TOGETHER_MAX]:
        trigger = (delivery.at, delivery.seq)
        if state.stage.ended or trigger in seen or not _may_share(cached, delivery, deliveries[0]):
            break
        seen.add(trigger)
        try:
            event = read(delivery)
            if why_not_accepted(state, event, delivery.rest) is not None:
                break
            outcome = step(state, event, delivery.at)
        except (DeadLetter, NewerVersionNeeded, InternalError):
            break  # Handled alone it meets the same error.
        if isinstance(outcome, Applied):
            longer = [*series, AppliedTrigger(delivery, event, outcome)]
            if not _fits(longer) or _withdraws(cached.record.state, series, outcome.state):
                break
            state, series = outcome.state, longer
        ends += 1
    return Series(series, ends) if series else None


def _may_share(cached: CachedRecord, delivery: Delivery, first: Delivery) -> bool:
    return (
        delivery.kind == "event"
        and delivery.delivery_count == 1
        and not delivery.replayed
        and abs(delivery.at - first.at) <= MAX_SPREAD_S
        and cached.is_new(delivery.at, delivery.seq)
    )


def _fits(series: Sequence[AppliedTrigger]) -> bool:
    """Return whether one record may hold these triggers."""
    outputs = [output for each in series for output in each.applied.outbox]
    archives = any(isinstance(each, ArchiveTransfer) for each in outputs)
    return len(outputs) <= OUTBOX_MAX and not archives


def _withdraws(before: Transfer, series: Sequence[AppliedTrigger], after: Transfer) -> bool:
    """Return whether the state `after` awaits a command no more that `series` has sent."""
    sent = series[-1].applied.state.pending.keys() - before.pending.keys() if series else ()
    return any(id not in after.pending for id in sent)
