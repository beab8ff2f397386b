"""Archived transfers: read from their one record, once the working streams hold nothing of them any more.

- Invariant: what a user reads of a transfer is the same before and after its archiving: phases, notices,
  result and log. Test: `tests/client/test_archived.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import msgspec
import structlog

from warmxfer.bus import Bus, DeadLetterBody, InternalError, Stored, subjects
from warmxfer.bus.archive import ArchivedLog, archived_summary, log_of, read_archived
from warmxfer.schemas import (
    DecodeError,
    PhaseChanged,
    TransferNotice,
    WarmTransferResult,
    decode_as,
    decode_notice,
    decode_phase,
    encode,
)
from warmxfer.schemas.archived import ArchivedTransfer

MAX_SCANNED_ARCHIVED = 1_000

log = structlog.get_logger(__name__)


async def find_archived(bus: Bus, id: str) -> ArchivedLog | None:
    """Return the log of an archived transfer, or None. One that cannot be read counts as none."""
    stored = await read_archived(bus, id)
    try:
        return None if stored is None else log_of(stored.data)
    except InternalError as error:
        log.warning("archived_log_unreadable", transfer_id=id, cause=str(error))
        return None


async def archived_dead_letters(bus: Bus, id: str) -> list[DeadLetterBody]:
    """Return the dead letters that the archive has of a transfer. One that cannot be read is left out."""
    archived = await find_archived(bus, id)
    found: list[DeadLetterBody] = []
    for each in () if archived is None else archived.dead_letters:
        try:
            found.append(decode_as(DeadLetterBody, each))
        except DecodeError as error:
            log.info("dead_letter_not_decoded", error=str(error))
    return found


async def find_archived_summary(bus: Bus, id: str) -> ArchivedTransfer | None:
    """Return what the archive says of a transfer, or None. One that cannot be read counts as none."""
    stored = await read_archived(bus, id)
    return None if stored is None else archived_summary(stored)


async def archived_result(bus: Bus, id: str) -> WarmTransferResult | None:
    """Return the result of an archived transfer, or None."""
    summary = await find_archived_summary(bus, id)
    return None if summary is None else summary.result


async def archived_phases(bus: Bus, id: str) -> list[PhaseChanged]:
    """Return the phases of an archived transfer, in order; empty if it is not archived."""
    found = await find_archived(bus, id)
    return [] if found is None else _phases_of(found)


def phases_in(stored: Stored) -> list[PhaseChanged]:
    """Return the phases in an archived record, in order; empty if it cannot be read."""
    try:
        return _phases_of(log_of(stored.data))
    except InternalError as error:
        log.warning("archived_log_unreadable", subject=stored.subject, cause=str(error))
        return []


async def archived_notices(bus: Bus, id: str) -> list[TransferNotice]:
    """Return the notices of an archived transfer, in order; empty if it is not archived."""
    found = await find_archived(bus, id)
    return [] if found is None else [decode_notice(each) for each in _outputs(found, "transfer_notice")]


async def newest_archived(bus: Bus, limit: int) -> list[ArchivedTransfer]:
    """Return the `limit` transfers that were archived last, the oldest of them first.

    The archive has one message of each transfer, so this reads about as many as it returns.
    """
    return [summary for summary, _ in await recent_archived(bus, limit)]


async def recent_archived(bus: Bus, limit: int) -> list[tuple[ArchivedTransfer, Stored]]:
    """Return what `newest_archived` does, each with the record that holds its log."""
    newest = await bus.get_last(subjects.ANY_ARCHIVED)
    if newest is None:
        return []
    found: dict[str, tuple[ArchivedTransfer, Stored]] = {}
    window = limit
    while True:
        after = max(0, newest.seq - window)
        stored = await bus.history(subjects.ANY_ARCHIVED, min(window, MAX_SCANNED_ARCHIVED), after=after)
        found = {
            summary.id: (summary, each) for each in stored if (summary := archived_summary(each)) is not None
        }
        # A record that was written twice leaves a gap in the numbers.
        if len(found) >= limit or after == 0 or window >= MAX_SCANNED_ARCHIVED:
            return list(found.values())[-limit:]
        window = min(4 * window, MAX_SCANNED_ARCHIVED)


def _phases_of(found: ArchivedLog) -> list[PhaseChanged]:
    return [decode_phase(each) for each in _outputs(found, "phase_changed")]


def _outputs(archived: ArchivedLog, kind: str) -> Iterator[bytes]:
    """Yield the outputs of one type that the records of a log order, in their order."""
    for record in archived.stored_records():
        if kind.encode() not in record.data:
            continue
        try:
            written: Any = msgspec.json.decode(record.data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue  # A record that no version can read orders nothing that could be shown.
        outbox = cast("dict[str, Any]", written).get("outbox") if isinstance(written, dict) else None
        for each in cast("list[Any]", outbox) if isinstance(outbox, list) else []:
            if isinstance(each, dict) and cast("dict[str, Any]", each).get("type") == kind:
                yield encode(each)
