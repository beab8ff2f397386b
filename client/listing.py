"""The list of transfers: live ones by their newest phases, archived ones by their records."""

from __future__ import annotations

import asyncio
from typing import Literal

import structlog
from msgspec.structs import replace

from warmxfer.bus import Bus, Stored, subjects
from warmxfer.schemas import DecodeError, decode_result
from warmxfer.schemas.api import TransferSummary
from warmxfer.schemas.archived import ArchivedTransfer

from .archived import newest_archived
from .phase_stream import phase_of

MAX_SCANNED = 100_000
FIRST_WINDOW = 64
READS_AT_ONCE = 32

Which = Literal["running", "all"]

log = structlog.get_logger(__name__)


async def newest_transfers(bus: Bus, limit: int, which: Which) -> list[TransferSummary]:
    """Return the `limit` transfers with the newest phases, newest first: live ones and archived ones.

    Reads back over at most `MAX_SCANNED` messages of the working streams.
    """
    newest = await bus.get_last(subjects.ANY_PHASE)
    window, found = FIRST_WINDOW * limit, dict[str, TransferSummary]()
    while newest and len(found) < limit:
        after = max(0, newest.seq - window)
        stored = await bus.history(subjects.ANY_PHASE, MAX_SCANNED, after=after)
        found = _newest_phase_of_each(stored, which)
        if after == 0 or window >= MAX_SCANNED:
            break
        window = min(4 * window, MAX_SCANNED)
    archived = await newest_archived(bus, limit) if which == "all" else []
    found |= {each.id: _summary(each) for each in archived if each.id not in found}
    listed = sorted(found.values(), key=lambda each: each.at, reverse=True)[:limit]
    slots = asyncio.Semaphore(READS_AT_ONCE)
    return await asyncio.gather(*(_with_outcome(bus, each, slots) for each in listed))


async def _with_outcome(bus: Bus, summary: TransferSummary, slots: asyncio.Semaphore) -> TransferSummary:
    if not summary.phase.final or summary.outcome is not None:
        return summary
    async with slots:
        stored = await bus.get_last(subjects.result(summary.id))
    if stored is None:
        return summary
    try:
        result = decode_result(stored.data)
    except DecodeError as error:
        log.warning("result_not_decoded", transfer_id=summary.id, error=str(error))
        return summary
    return replace(summary, outcome=result.outcome, detail=result.detail)


def _summary(archived: ArchivedTransfer) -> TransferSummary:
    result = archived.result
    return TransferSummary(
        id=archived.id,
        phase=archived.phase,
        seq=archived.seq,
        at=archived.at,
        outcome=None if result is None else result.outcome,
        detail=None if result is None else result.detail,
    )


def _newest_phase_of_each(stored: list[Stored], which: Which) -> dict[str, TransferSummary]:
    last: dict[str, TransferSummary] = {}
    for each in stored:
        if not (phase := phase_of(each)):
            continue
        id = subjects.parse(each.subject).id
        if id not in last or phase.seq > last[id].seq:
            last[id] = TransferSummary(id=id, phase=phase.phase, seq=phase.seq, at=phase.timestamp)
    return {id: each for id, each in last.items() if which == "all" or not each.phase.final}
