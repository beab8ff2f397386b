"""How long the coordinator took for each transition of one transfer, from its stored messages. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from warmxfer.bus import Stored, subjects

WRITTEN_BY_OTHERS = frozenset({"request", "cancel", "event", "timeout", "intent", "dead"})
"""Kinds of messages that the coordinator does not write."""


class _Trigger(Struct):
    trigger: int


def transition_times(stored: Iterable[Stored]) -> list[float]:
    """Return the seconds of each transition, by the broker's clock.

    A transition begins when its trigger is stored and the transition before it is over. It is over when the
    last message that the coordinator wrote before its next record is stored.
    """
    stored_at: dict[int, float] = {}
    spans: list[tuple[float, float]] = []
    for message in stored:
        stored_at[message.seq] = message.at
        kind = subjects.parse(message.subject).kind
        if kind == "log":
            trigger = msgspec.json.decode(message.data, type=_Trigger).trigger
            previous_end = spans[-1][1] if spans else 0.0
            spans.append((max(stored_at.get(trigger, message.at), previous_end), message.at))
        elif kind not in WRITTEN_BY_OTHERS and spans:
            spans[-1] = (spans[-1][0], message.at)
    return [ended_at - began_at for began_at, ended_at in spans]
