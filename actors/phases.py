"""Following one transfer: every phase once, in the order of `seq`, however it was heard.

What is heard live may repeat, and stops while the connection is away; the stream has all of it. So the
stream is read first, again where a number is missing, and again whenever it was quiet for a while.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import structlog
from warmxfer.bus import Bus, Retry, subjects
from warmxfer.schemas import PhaseChanged, Undecodable, decode_phase

QUIET_S = 5.0
MAX_PHASES = 64
"""A transfer has 13 words for its phases and says each at most once per attempt."""

log = structlog.get_logger(__name__)


async def follow(bus: Bus, transfer_id: str, *, after_seq: int = 0) -> AsyncIterator[PhaseChanged]:
    """Yield the phases above `after_seq`, the final one last.

    Outages are waited out, so the caller puts a deadline around it. Raises `Refused` for a bad id.
    """
    seen = after_seq
    async with bus.listen(subjects.phase(transfer_id)) as heard:
        fresh = await stored_phases(bus, transfer_id)
        while True:
            for phase in fresh:
                if phase.seq <= seen:
                    continue
                seen = phase.seq
                yield phase
                if phase.phase.final:
                    return
            message = await heard.next(QUIET_S)
            live = _read(message.data) if message else None
            fresh = [live] if live else []
            if live is None or live.seq > seen + 1:
                fresh = [*await stored_phases(bus, transfer_id), *fresh]


async def stored_phases(bus: Bus, transfer_id: str) -> list[PhaseChanged]:
    """The phases in the stream, oldest first; empty as well while the bus is away."""
    try:
        stored = await bus.history(subjects.phase(transfer_id), MAX_PHASES)
    except Retry as error:
        log.info("phases_not_read", transfer_id=transfer_id, error=str(error))
        return []
    return [phase for each in stored if (phase := _read(each.data))]


def _read(data: bytes) -> PhaseChanged | None:
    """None for what a newer version wrote in a way this one cannot read."""
    try:
        return decode_phase(data)
    except Undecodable as error:
        log.warning("phase_not_understood", error=str(error))
        return None
