"""What the streams store about one transfer."""

from __future__ import annotations

import asyncio

from warmxfer.bus import Bus, Stored, subjects

MAX_STORED = 1_000


async def stored_of(bus: Bus, id: str, session: str | None = None) -> list[Stored]:
    """Return what is stored on the subjects of transfer `id`, by the time of its storing.

    With `session`, also the commands to that session, of whatever transfer.
    """
    places = [
        (stream, subject)
        for stream in subjects.STREAMS
        for subject in (subjects.for_actors(id), subjects.for_users(id))
    ]
    if session is not None:
        places.append((subjects.CORE, subjects.session_commands(session)))
        places.append((subjects.CORE, subjects.session_briefing(session)))
    found = await asyncio.gather(
        *(bus.history(subject, MAX_STORED, stream=stream) for stream, subject in places)
    )
    return sorted((each for part in found for each in part), key=lambda each: (each.at, each.seq))


async def events_of(bus: Bus, id: str, after: int = 0) -> list[Stored]:
    """Return the stored events of transfer `id`, of all roles."""
    return await bus.history(any_event_of(id), MAX_STORED, after=after)


def any_event_of(id: str) -> str:
    """Return the filter for the events of transfer `id`, of all roles."""
    return f"{subjects.event(id, 'gateway').removesuffix('.gateway')}.*"
