"""The archive: what replaces the messages of a transfer that is over.

The order makes a crash at any point harmless. Each step may be repeated, by any coordinator:

    1. store      the archived record is written and acknowledged; nothing was removed yet
    2. commit     the last record is appended after the newest one, and takes the place of the whole log.
                  If the log is to be overwritten, its other records leave with step 3
    3. remove     everything else of the transfer leaves the working streams; the trigger goes last
    4. expire     the last record expires by itself

- Invariant: a log is removed only together with the commit or after it, and only if the archive has all of
  it. A coordinator that appended a record meanwhile makes the commit fail, and the transfer goes on.
- Invariant: the last record holds no personal data. It expires, and what expires is not overwritten.
- Invariant: the trigger of the archiving, a timer that fired, is redelivered until all is removed. If the
  last record has expired meanwhile, the removal goes on, and the archived record stays as it is.
- Invariant: an id that the archive has starts no transfer, and a late message of it has no effect. It is
  removed. Test: `tests/actors/coordinator/test_archive.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import Any, cast

import msgspec
import structlog
from msgspec.structs import replace

from warmxfer.bus import Bus, Delivery, InternalError, RetryableError, Stored, subjects
from warmxfer.bus.archive import MAX_ARCHIVED_BYTES, archived_summary, compact, log_of, pack
from warmxfer.bus.errors import StreamMissing
from warmxfer.bus.transfer_log import MAX_RECORDS, REPLICA_BEHIND_S
from warmxfer.schemas import (
    DecodeError,
    PhaseChanged,
    WarmTransferPhase,
    WarmTransferRequest,
    WarmTransferResult,
    decode_phase,
    decode_result,
    encode,
    read_leniently,
)
from warmxfer.schemas.archived import ArchivedTransfer
from warmxfer.schemas.id_in_use import same_request
from warmxfer.schemas.lenient import is_token
from warmxfer.schemas.personal_data import KINDS, Kind, without_all

from . import request_owner
from .removal import Removal
from .state_machine import Stage, plain_record, plain_stage

MAX_DEAD_LETTERS = 100
PHASE_OF = {
    Stage.COMPLETED: WarmTransferPhase.TRANSFER_COMPLETE,
    Stage.CANCELLED: WarmTransferPhase.TRANSFER_CANCELLED,
}

log = structlog.get_logger(__name__)


class Archive:
    """Writes and reads the archived records, and removes archived transfers from the working streams."""

    def __init__(self, bus: Bus, *, without: Collection[Kind] = (), overwrite: bool = False) -> None:
        """Leave out personal data of the kinds `without`; `overwrite` what leaves the working streams."""
        self._bus = bus
        self._without: tuple[Kind, ...] = tuple(each for each in KINDS if each in without)
        self._removal = Removal(bus, overwrite=overwrite)

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

        Idempotent. An archived record that has as much of the log stays: the removal may have begun, and the
        request be gone. Raises `RetryableError` if a replica does not show the whole log yet.
        """
        records, requests, dead, found = await asyncio.gather(
            self._read_log(id, newest_seq),
            self._bus.history(subjects.request(id), 1),
            self._bus.history(subjects.dead_letter(id), MAX_DEAD_LETTERS),
            self.find(id),
        )
        records.append(last)
        count = len(records)
        before = None if found is None else archived_summary(found)
        if before is not None and (before.erased or before.records >= count):
            log.info("archived_record_kept", transfer_id=id, records=before.records, left=count)
            return
        request, letters, records = self._kept(requests[0].data if requests else b"", dead, records)
        summary = _summary(id, records)
        room = MAX_ARCHIVED_BYTES - len(pack(encode(replace(summary, left_out=count)), b""))
        compacted, left_out = compact(id, request, records, letters, self._without, room=room)
        line = encode(replace(summary, left_out=left_out))
        await self._bus.publish(
            subjects.archived(id), pack(line, compacted), msg_id=f"{id}:archive:{newest_seq}"
        )
        if left_out:
            log.warning("archived_log_cut", transfer_id=id, records=count, left_out=left_out)

    async def _read_log(self, id: str, newest_seq: int) -> list[Stored]:
        """Return the log up to number `newest_seq`."""
        records = list[Stored]()
        while not records or records[-1].seq < newest_seq:
            after = records[-1].seq if records else 0
            page = await self._bus.history(subjects.log(id), MAX_RECORDS, after=after)
            if not page:
                raise RetryableError("A replica does not have the whole log yet", after_s=REPLICA_BEHIND_S)
            records += page
        return [each for each in records if each.seq <= newest_seq]

    def _kept(
        self, request: bytes, dead_letters: Sequence[Stored], records: Sequence[Stored]
    ) -> tuple[bytes, list[bytes], list[Stored]]:
        """Return request, dead letters and records without what the archive leaves out."""
        messages = [request, *(each.data for each in (*dead_letters, *records))]
        request, *rest = without_all(messages, self._without)
        bodies = rest[len(dead_letters) :]
        kept = [replace(each, data=data) for each, data in zip(records, bodies, strict=True)]
        return request, rest[: len(dead_letters)], kept

    async def remove(self, id: str, session: str, seq: int, trigger: int, until: float) -> None:
        """Remove transfer `id` from the working streams, except its last record, number `seq`.

        What users wrote after `until` stays: it is answered as a late message. Idempotent.
        """
        # The trigger of the archiving goes last. Until it is gone, it is redelivered after a crash.
        await self._removal.remove(id, session, last=seq, trigger=trigger, until=until)
        log.debug("transfer_archived", transfer_id=id)

    async def answer_late(self, delivery: Delivery, archived: Stored, *, log_is_empty: bool) -> None:
        """Handle a message of an archived transfer: remove it. Another request with its id is refused.

        A timer that fires after the last record has expired is the trigger of an archiving whose removal was
        interrupted: all that is left of the transfer is removed.

        A late event of a gateway is the reply to a command that it may have claimed after the archiving. That
        claim has no reader either, so it is removed too. A claim without a reply stays until it expires.
        """
        id = delivery.transfer_id
        if delivery.kind == "timeout" and log_is_empty:
            await self._removal.remove(
                id, session_of(archived), last=None, trigger=delivery.seq, until=archived.at
            )
            log.info("removal_completed", transfer_id=id)
            return
        kept = log_of(archived.data)
        if delivery.kind == "request" and not same_request(kept.request, delivery.data, kept.without):
            await request_owner.refuse_archived(self._bus, delivery, archived_summary(archived))
        stream = subjects.place_of(delivery.subject).stream
        if delivery.subject == subjects.event(id, "gateway"):
            await self._removal.take(stream, subjects.effect_claims(id), before=delivery.seq)
        await self._removal.take(stream, delivery.subject, before=delivery.seq + 1)
        log.info("late_message_removed", transfer_id=id, kind=delivery.kind)

    async def take_back(self, id: str, seq: int) -> None:
        """Remove a first record, number `seq`, that was appended after the transfer had been archived."""
        await self._removal.take(subjects.CORE, subjects.log(id), before=seq + 1)
        log.warning("first_record_taken_back", transfer_id=id)


def session_of(archived: Stored) -> str:
    """Return the session of an archived transfer; empty if its record does not say."""
    try:
        kept = log_of(archived.data)
        raw = msgspec.json.decode(kept.request or kept.shared)
        request: WarmTransferRequest = read_leniently(raw, WarmTransferRequest, words=True, limits=True)
    except (InternalError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    return request.session_name if is_token(request.session_name) else ""


def _summary(id: str, records: Sequence[Stored]) -> ArchivedTransfer:
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
