"""The archive: what replaces the messages of a transfer that is over.

The order makes a crash at any point harmless. Each step may be repeated, by any coordinator:

    1. store      the archived record is written and acknowledged; nothing was removed yet
    2. commit     the last record is appended after the newest one, and takes the place of the whole log
    3. remove     everything else of the transfer leaves the working streams; the trigger goes last
    4. expire     the last record expires by itself

- Invariant: a log is removed only together with the commit, and only if the archive has all of it. A
  coordinator that appended a record meanwhile makes the commit fail, and the transfer goes on.
- Invariant: the trigger of the archiving, a timer that fired, is redelivered until all is removed.
- Invariant: an id that the archive has starts no transfer, and a late message of it has no effect. It is
  removed. Test: `tests/actors/coordinator/test_archive.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, cast

import structlog

from warmxfer.bus import Bus, Delivery, RetryableError, Stored, subjects
from warmxfer.bus.archive import compact, line_of, log_of, pack
from warmxfer.bus.errors import StreamMissing
from warmxfer.bus.messages import TTL
from warmxfer.bus.transfer_log import MAX_RECORDS
from warmxfer.schemas import (
    DecodeError,
    PhaseChanged,
    WarmTransferPhase,
    WarmTransferRequest,
    WarmTransferResult,
    decode_as,
    decode_phase,
    decode_result,
    encode,
    undecoded_transfer_id,
)
from warmxfer.schemas.archived import ArchivedTransfer
from warmxfer.schemas.id_in_use import same_request

from . import request_owner
from .caller_lock import lock_holder
from .state_machine import Stage, plain_record, plain_stage

MAX_OF_SESSION = 1_000
MAX_DEAD_LETTERS = 100
REPLICA_BEHIND_S = 0.25
PHASE_OF = {
    Stage.COMPLETED: WarmTransferPhase.TRANSFER_COMPLETE,
    Stage.CANCELLED: WarmTransferPhase.TRANSFER_CANCELLED,
}

log = structlog.get_logger(__name__)


class Archive:
    """Writes and reads the archived records, and removes archived transfers from the working streams."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def find(self, id: str) -> Stored | None:
        """Return the archived record of transfer `id` as the stream leader has it, or None.

        Creates the archive if it was lost: then no id is known any more.
        """
        try:
            return await self._bus.get_last_from_leader(subjects.archived(id))
        except StreamMissing:
            await self._bus.ensure_stream(subjects.ARCHIVE)
            return None

    async def store(self, id: str, newest_seq: int, last: Stored) -> None:
        """Archive the log up to record number `newest_seq`, and `last`, which is not appended yet.

        Idempotent. Raises `RetryableError` if a replica does not show the whole log yet.
        """
        records, requests, dead = await asyncio.gather(
            self._bus.history(subjects.log(id), MAX_RECORDS),
            self._bus.history(subjects.request(id), 1),
            self._bus.history(subjects.dead_letter(id), MAX_DEAD_LETTERS),
        )
        if not records or records[-1].seq < newest_seq:
            raise RetryableError("A replica does not have the whole log yet", after_s=REPLICA_BEHIND_S)
        records = [*(each for each in records if each.seq <= newest_seq), last]
        request = requests[0].data if requests else b""
        compacted, left_out = compact(id, request, records, [each.data for each in dead])
        line = encode(_summary(id, records, left_out))
        try:
            await self._publish(id, newest_seq, pack(line, compacted))
        except StreamMissing:
            await self._bus.ensure_stream(subjects.ARCHIVE)
            await self._publish(id, newest_seq, pack(line, compacted))
        if left_out:
            log.warning("archived_log_cut", transfer_id=id, records=len(records), left_out=left_out)

    async def _publish(self, id: str, newest_seq: int, data: bytes) -> None:
        await self._bus.publish(subjects.archived(id), data, msg_id=f"{id}:archive:{newest_seq}")

    async def remove(self, id: str, request: WarmTransferRequest | None, seq: int, until: float) -> None:
        """Remove transfer `id` from the working streams, except its last record, number `seq`.

        What users wrote after `until` stays: it is answered as a late message. Idempotent.
        """
        own = subjects.for_actors(id)
        await asyncio.gather(
            self._remove_requests(own, until),
            self._bus.purge(subjects.EVENTS, own),
            self._remove_dead_letters(id),
            self._remove_for_users(id),
            self._remove_of_session(id, request),
        )
        # The trigger of the archiving is among these. Until it is gone, it is redelivered after a crash.
        await self._bus.purge(subjects.CORE, own, before=seq)
        log.debug("transfer_archived", transfer_id=id)

    async def _remove_requests(self, own: str, until: float) -> None:
        stored = await self._bus.history(own, MAX_RECORDS, stream=subjects.IN)
        if old := [each.seq for each in stored if each.at <= until]:
            await self._bus.purge(subjects.IN, own, before=old[-1] + 1)

    async def _remove_dead_letters(self, id: str) -> None:
        if await self._bus.get_last(subjects.dead_letter(id)) is not None:
            await self._bus.purge(subjects.EVENTS, subjects.dead_letter(id))

    async def _remove_for_users(self, id: str) -> None:
        """Remove what users read of the transfer. A notice that came after its end expires by itself."""
        subject = subjects.for_users(id)
        stored = await self._bus.history(subject, MAX_RECORDS, stream=subjects.PUBLIC)
        if own := [each.seq for each in stored if TTL not in each.headers]:
            await self._bus.purge(subjects.PUBLIC, subject, before=own[-1] + 1)

    async def _remove_of_session(self, id: str, request: WarmTransferRequest | None) -> None:
        """Remove the transfer's commands to its session, and its lock. Those of other transfers stay."""
        if request is None:
            return
        subject = subjects.of_session(request.session_name)
        stored = await self._bus.history(subject, MAX_OF_SESSION, stream=subjects.CORE)
        own = [each for each in stored if _owner(each) == id]
        if not own:
            return
        if all(_owner(each) == id for each in stored if each.seq <= own[-1].seq):
            await self._bus.purge(subjects.CORE, subject, before=own[-1].seq + 1)
            return
        for each in own:
            await self._bus.delete(subjects.CORE, each.seq)

    async def answer_late(self, delivery: Delivery, archived: Stored) -> None:
        """Handle a message of an archived transfer: remove it. Another request with its id is refused."""
        id = delivery.transfer_id
        if delivery.kind == "request" and not same_request(log_of(archived.data).request, delivery.data):
            await request_owner.refuse_archived(self._bus, delivery, _phase(archived.data))
        stream = subjects.place_of(delivery.subject).stream
        await self._bus.purge(stream, delivery.subject, before=delivery.seq + 1)
        log.info("late_message_removed", transfer_id=id, kind=delivery.kind)

    async def take_back(self, id: str, seq: int) -> None:
        """Remove a first record, number `seq`, that was appended after the transfer had been archived."""
        await self._bus.purge(subjects.CORE, subjects.log(id), before=seq + 1)
        log.warning("first_record_taken_back", transfer_id=id)


def _owner(stored: Stored) -> str | None:
    """Return the transfer that a command to a session, or the lock of its caller, belongs to."""
    if stored.subject.endswith(".lock"):
        return lock_holder(stored)
    return undecoded_transfer_id(stored.data)


def _phase(archived: bytes) -> WarmTransferPhase | None:
    try:
        return decode_as(ArchivedTransfer, line_of(archived)).phase
    except DecodeError as error:
        log.warning("archived_record_unreadable", cause=str(error))
        return None


def _summary(id: str, records: Sequence[Stored], left_out: int) -> ArchivedTransfer:
    final, result = _ending(records)
    stage = plain_stage(records[-1].data)
    phase = PHASE_OF.get(cast("Stage", stage), WarmTransferPhase.TRANSFER_FAILED)
    return ArchivedTransfer(
        id=id,
        phase=phase if final is None else final.phase,
        seq=0 if final is None else final.seq,
        at=records[-1].at if final is None else final.timestamp,
        result=result,
        records=len(records),
        left_out=left_out,
    )


def _ending(records: Sequence[Stored]) -> tuple[PhaseChanged | None, WarmTransferResult | None]:
    """Return the final phase and the result: both are in the outbox of one record."""
    for each in reversed(records):
        if b"warm_transfer_result" not in each.data:
            continue
        outbox = plain_record(each.data).get("outbox")
        written = [cast("dict[str, Any]", out) for out in outbox] if isinstance(outbox, list) else []
        final = result = None
        try:
            for out in written:
                if out.get("type") == "warm_transfer_result":
                    result = decode_result(encode(out))
                elif out.get("type") == "phase_changed":
                    final = decode_phase(encode(out))
        except DecodeError as error:
            log.warning("result_not_archived", cause=str(error))
        if result is not None:
            return final, result
    return None, None
