"""How long the coordinator took for each transition of one transfer, from its stored messages. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from warmxfer.bus import Stored, subjects

WRITTEN_BY_OTHERS = frozenset({"request", "cancel", "event", "timeout", "intent", "dead"})
"""Kinds of messages that the coordinator does not write."""


class _Record(Struct):
    at: float
    """When the trigger was stored."""


def transition_times(stored: Iterable[Stored]) -> list[float]:
    """Return the seconds of each transition, by the broker's clock.

    A transition begins when its trigger is stored and the transition before it is over. It is over when the
    last message that the coordinator wrote before its next record is stored.
    """
    spans: list[tuple[float, float]] = []
    for message in stored:
        kind = subjects.parse(message.subject).kind
        if kind == "log":
            triggered_at = msgspec.json.decode(message.data, type=_Record).at
            previous_end = spans[-1][1] if spans else 0.0
            spans.append((max(triggered_at, previous_end), message.at))
        elif kind not in WRITTEN_BY_OTHERS and spans:
            spans[-1] = (spans[-1][0], message.at)
    return [ended_at - began_at for began_at, ended_at in spans]
