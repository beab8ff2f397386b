"""Reads whether the log of a transfer holds a command, before an actor carries it out.

One read is one direct get of the newest log record. `sent_by_log.py` decides what it says.

- Invariant: a read that does not find the command is repeated; alone it refuses nothing. A replica may be
  behind the one that delivered the command.
- Invariant: a record that was read before can only allow a command, for `KEPT_S`. A refusal is read anew.
- Invariant: a session is never kept from releasing its caller. Without an answer, its lease ends the hold.

Tests: `tests/actors/common/test_log_check.py`.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from math import inf
from typing import Any, Final, cast

import msgspec
import structlog

from warmxfer.bus import Bus, Delivery, NewerVersionNeeded, RetryableError, Unwanted, subjects
from warmxfer.schemas import WarmxferError

from .log_record import LogRecord, decode_log_record
from .sent_by_log import KNOWN_STAGES, FoundInLog, find_in_log

MAX_KEPT: Final = 256
"""Records kept, so that later commands of the same record need no read."""
KEPT_S: Final = 3.0
"""How long a record is used for further commands and queries. Soon after it the transfer may be over."""
READ_TIMEOUT_S: Final = 2.0
READ_AGAIN_S: Final = 0.1
RETRY_PAUSES_S: Final = (0.05, 0.1, 0.2, 0.4, 0.8)
"""Pauses before the repeated reads of a command that was received live."""

log = structlog.get_logger(__name__)


class NotSentByLog(Unwanted):
    """A command that no coordinator has sent. Its dead letter says so, and it gets no reply."""


class LogCheck:
    """The check of one process. It keeps the newest records that it read."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._kept: OrderedDict[str, tuple[float, LogRecord]] = OrderedDict()
        """The records, and when each was read, by the loop's clock. The oldest is the first."""
        self._dropping: asyncio.TimerHandle | None = None

    async def find(self, transfer_id: str, data: bytes, session: str | None = None) -> FoundInLog:
        """Return what the log of `transfer_id` says about the command in `data`.

        `session`: the session on whose subject the command came. Raises what `Bus.get_last` raises.
        """
        command = _as_object(data)
        if command is None:
            return FoundInLog.NOT_SENT
        kept = self.kept(transfer_id)
        if kept is not None and find_in_log(kept, command, session) is FoundInLog.SENT:
            return FoundInLog.SENT
        return find_in_log(await self.read(transfer_id), command, session)

    async def find_patiently(self, transfer_id: str, data: bytes, session: str | None = None) -> FoundInLog:
        """As `find`, with repeated reads while the log is behind or cannot be read."""
        for pause_s in RETRY_PAUSES_S:
            try:
                found = await self.find(transfer_id, data, session)
            except WarmxferError as error:  # also a refusal: the rights may be corrected
                log.info("log_read_failed", transfer_id=transfer_id, error=str(error))
                found = FoundInLog.UNKNOWN
            if found is not FoundInLog.UNKNOWN:
                return found
            await asyncio.sleep(pause_s)
        return FoundInLog.UNKNOWN

    async def is_wanted(self, delivery: Delivery, actor: str) -> bool:
        """Return whether the command of a work queue is carried out; False if its transfer goes on without.

        Raises `NotSentByLog` if the log has not sent it, `RetryableError` while the log does not say, and
        `NewerVersionNeeded` if only a newer version knows whether the command is wanted.
        """
        found = await self.find(delivery.transfer_id, delivery.data)
        if found is FoundInLog.SENT:
            return True
        if found is FoundInLog.OUTDATED:
            if not self._knows_stage(delivery.transfer_id):
                raise NewerVersionNeeded("The log of the transfer is in a stage of a newer version")
            log.info("command_not_wanted", transfer_id=delivery.transfer_id, seq=delivery.seq, actor=actor)
            return False
        if found is FoundInLog.UNKNOWN:
            raise RetryableError(
                "The log of the transfer does not hold the command yet", after_s=READ_AGAIN_S
            )
        raise NotSentByLog(f"The log of transfer {delivery.transfer_id} has not sent this command")

    def _knows_stage(self, transfer_id: str) -> bool:
        record = self.kept(transfer_id)
        return record is None or record.state.stage in KNOWN_STAGES

    async def exists(self, transfer_id: str) -> bool:
        """Return whether the transfer has a log, readable or not, that was not moved to the archive."""
        stored = await self._bus.get_last(subjects.log(transfer_id), deadline_s=READ_TIMEOUT_S)
        record = None if stored is None else decode_log_record(stored.data)
        return stored is not None and not (record is not None and record.state.archived)

    async def read(self, transfer_id: str) -> LogRecord | None:
        """Return the newest record of `transfer_id`; None if there is none, or none that can be read.

        A record of another transfer is not read: it would allow what that one wants.
        """
        stored = await self._bus.get_last(subjects.log(transfer_id), deadline_s=READ_TIMEOUT_S)
        record = None if stored is None else decode_log_record(stored.data)
        if record is None or record.state.id != transfer_id:
            self._kept.pop(transfer_id, None)
            return None
        self._kept[transfer_id] = asyncio.get_running_loop().time(), record
        self._kept.move_to_end(transfer_id)
        if len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        if self._dropping is None:
            self._dropping = asyncio.get_running_loop().call_later(KEPT_S, self._drop_outdated)
        return record

    def kept(self, transfer_id: str) -> LogRecord | None:
        """Return the record of `transfer_id`, if it was read in the last `KEPT_S`."""
        read_at, record = self._kept.get(transfer_id, (-inf, None))
        return record if asyncio.get_running_loop().time() - read_at <= KEPT_S else None

    def _drop_outdated(self) -> None:
        """Drop the records that are used no more: each session of a waiting transfer would keep one."""
        loop = asyncio.get_running_loop()
        oldest_at = loop.time() - KEPT_S
        while self._kept and next(iter(self._kept.values()))[0] <= oldest_at:
            self._kept.popitem(last=False)
        self._dropping = loop.call_later(KEPT_S, self._drop_outdated) if self._kept else None


def _as_object(data: bytes) -> dict[str, Any] | None:
    try:
        decoded = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return cast("dict[str, Any]", decoded) if isinstance(decoded, dict) else None
