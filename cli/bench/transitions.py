"""How long the coordinator took for each transition of one transfer, from what it stored."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import msgspec
from msgspec import Struct

from warmxfer.bus import Bus, Stored, subjects

MAX_MESSAGES = 1_000
"""Messages that are read of one subject, at most."""


class _Record(Struct):
    at: float
    """When the trigger was stored."""


async def written_by_coordinator(bus: Bus, id: str, session: str) -> list[Stored]:
    """Return what the coordinator stored for transfer `id` of `session`, in order."""
    places = (
        (subjects.CORE, subjects.for_actors(id)),
        (subjects.CORE, subjects.session_commands(session)),
        (subjects.PUBLIC, subjects.for_users(id)),
    )
    parts = await asyncio.gather(
        *(bus.history(subject, MAX_MESSAGES, stream=stream) for stream, subject in places)
    )
    return sorted((each for part in parts for each in part), key=lambda each: (each.at, each.seq))


def transition_times(stored: Iterable[Stored]) -> list[float]:
    """Return the seconds of each transition, by the broker's clock. Pure.

    A transition begins when its trigger is stored and the transition before it is over. It is over when the
    last message that the coordinator wrote before its next record is stored.
    """
    spans: list[tuple[float, float]] = []
    for message in stored:
        kind = "" if subjects.is_of_session(message.subject) else subjects.parse(message.subject).kind
        if kind == "log":
            triggered_at = msgspec.json.decode(message.data, type=_Record).at
            previous_end = spans[-1][1] if spans else 0.0
            spans.append((max(triggered_at, previous_end), message.at))
        elif kind != "timeout" and spans:  # The broker writes a timer that fired.
            spans[-1] = (spans[-1][0], message.at)
    return [ended_at - began_at for began_at, ended_at in spans]
