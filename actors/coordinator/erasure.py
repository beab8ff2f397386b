"""Erases an archived transfer, because an operator asked for it on `warmxfer.ask.erase`.

No user but the coordinator may delete messages. An operator only asks, and can erase nothing that still has
an effect.

    1. working streams  what they still have of the transfer is overwritten, message by message
    2. mark             a line with the id is stored in the archive, after the record
    3. archive          the record is overwritten

Each step may be repeated. After a crash the next `warmxfer erase` goes on.

- Invariant: the id stays known as long as before. A request with it starts no transfer, as an archived one.
- Invariant: a transfer that runs, or whose last commands may still be carried out, is refused. An erased log
  would leave legs up: a gateway carries out no command that no log holds.
- Invariant: no text of the transfer stays on a disk of the broker: what is removed here is overwritten. What
  the archiving has removed before is, if `WARMXFER_ARCHIVE_OVERWRITE` was set.

Test: `tests/actors/coordinator/test_erasure.py`.
"""

from __future__ import annotations

import msgspec
import structlog

from warmxfer.bus import Bus, InvalidRequest, LiveMessage, RetryableError, Stored, subjects
from warmxfer.bus.archive import archived_summary, compact, pack
from warmxfer.bus.transfer_log import TransferLog
from warmxfer.schemas import (
    DecodeError,
    EraseQuery,
    EraseReply,
    WarmTransferPhase,
    decode_as,
    encode,
)
from warmxfer.schemas.archived import ArchivedTransfer

from .archive import Archive, session_of
from .removal import Removal
from .state_machine import ENDED, plain_stage, plain_state

log = structlog.get_logger(__name__)


class Erasure:
    """Answers `EraseQuery`."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._archive = Archive(bus)
        self._log = TransferLog(bus)
        self._removal = Removal(bus, overwrite=True)

    async def answer(self, query: LiveMessage) -> bytes:
        """Erase a transfer.

        Replies `erased` False if it is not archived yet.
        Raises `InvalidRequest` if it runs or does not exist.
        """
        try:
            id = decode_as(EraseQuery, query.data).id
        except DecodeError as error:
            raise InvalidRequest("The query is not an EraseQuery; send the id of a transfer") from error
        newest, archived = await self._log.get_last_from_leader(id), await self._archive.find(id)
        if newest is not None and plain_stage(newest.data) not in ENDED:
            raise InvalidRequest(
                f"id is {id!r}, a transfer that is running; cancel it first (`warmxfer cancel {id}`)",
                field="id",
            )
        if newest is not None and plain_state(newest.data).get("archived") is not True:
            return encode(EraseReply(id, erased=False))
        if archived is None:
            raise InvalidRequest(
                f"id is {id!r}, but no transfer with this id was archived; see `warmxfer list`", field="id"
            )
        count = await self._removal.remove(
            id, session_of(archived), last=newest.seq if newest else None, trigger=0, until=archived.at
        )
        count += await self._overwrite_record(id, archived)
        log.info("transfer_erased", transfer_id=id, messages=count)
        return encode(EraseReply(id, erased=True, messages=count))

    async def _overwrite_record(self, id: str, archived: Stored) -> int:
        """Store the line that is kept, and overwrite all else; return how many messages that were."""
        subject, line = subjects.archived(id), _line(id, archived)
        # The archive has room for two: no record is removed by the limit, which would leave its text.
        count = await self._removal.take(subjects.ARCHIVE, subject, before=archived.seq)
        if line.erased:
            return count
        kept = encode(msgspec.structs.replace(line, result=None, records=0, left_out=0, erased=True))
        compacted, _ = compact(id, b"", [], [])
        await self._bus.publish(subject, pack(kept, compacted), msg_id=f"{id}:erased")
        newest = await self._archive.find(id)
        if newest is None or not _line(id, newest).erased:
            raise RetryableError(f"The archive does not show yet that transfer {id} is erased; repeat it")
        return count + await self._removal.take(subjects.ARCHIVE, subject, before=newest.seq)


def _line(id: str, archived: Stored) -> ArchivedTransfer:
    unreadable = ArchivedTransfer(id=id, phase=WarmTransferPhase.TRANSFER_FAILED, seq=0, at=archived.at)
    return archived_summary(archived) or unreadable
