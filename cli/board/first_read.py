"""What the broker has of the last hour: phases and notices of the working streams, and archived transfers."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from warmxfer.bus import Bus, Stored, subjects
from warmxfer.client.archived import phases_in, recent_archived
from warmxfer.client.notice_stream import notice_of
from warmxfer.client.phase_stream import phase_of
from warmxfer.schemas import PhaseChanged, TransferNotice

MAX_PHASES = 20_000
"""Phases that are read back at most."""
FIRST_WINDOW = 1_000
MAX_NOTICES = 1_000
MAX_ARCHIVED = 500


class ReadPhases(NamedTuple):
    """Phases in the order of the stream, and the number after which to read the next time."""

    phases: list[tuple[str, PhaseChanged]]
    last_seq: int


async def phases_since(bus: Bus, since: float) -> ReadPhases:
    """Return the phases that were stored after `since`, or the newest `MAX_PHASES`. Raises `Unavailable`."""
    newest = await bus.get_last(subjects.ANY_PHASE)
    if newest is None:
        return ReadPhases([], 0)
    window, stored = FIRST_WINDOW, list[Stored]()
    while True:
        after = max(0, newest.seq - window)
        stored = await bus.history(subjects.ANY_PHASE, MAX_PHASES, after=after)
        if after == 0 or window >= MAX_PHASES or (stored and stored[0].at < since):
            return _read([each for each in stored if each.at >= since], newest.seq)
        window = min(4 * window, MAX_PHASES)


async def phases_after(bus: Bus, seq: int) -> ReadPhases:
    """Return the phases after number `seq` of the stream, at most `MAX_PHASES`. Raises `Unavailable`."""
    return _read(await bus.history(subjects.ANY_PHASE, MAX_PHASES, after=seq), seq)


async def newest_notices(bus: Bus) -> list[tuple[str, TransferNotice]]:
    """Return the newest notices of the working streams, oldest first. Raises `Unavailable`."""
    newest = await bus.get_last(subjects.ANY_NOTICE)
    if newest is None:
        return []
    after = max(0, newest.seq - MAX_PHASES)
    stored = (await bus.history(subjects.ANY_NOTICE, MAX_PHASES, after=after))[-MAX_NOTICES:]
    return [(subjects.parse(each.subject).id, found) for each in stored if (found := notice_of(each))]


async def archived_since(bus: Bus, since: float) -> list[tuple[str, PhaseChanged]]:
    """Return the phases of the transfers that ended after `since` and are archived. Raises `Unavailable`."""
    found = [each for each in await recent_archived(bus, MAX_ARCHIVED) if each[0].at >= since]

    def unpack() -> list[tuple[str, PhaseChanged]]:
        """Takes about a millisecond for each transfer."""
        return [(summary.id, phase) for summary, stored in found for phase in phases_in(stored)]

    return await asyncio.to_thread(unpack)


def _read(stored: list[Stored], last_seq: int) -> ReadPhases:
    phases = [(subjects.parse(each.subject).id, phase) for each in stored if (phase := phase_of(each))]
    return ReadPhases(phases, max([last_seq, *(each.seq for each in stored)]))
