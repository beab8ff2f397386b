"""The archived record of a transfer, `wx.archive.<id>`: one line of JSON, then its log, compressed.

The line is for readers without warmxfer, and for lists. The rest has each record of the log as it was stored,
the request, and the dead letters.

The request is in every record, and deflate finds a repetition only within 32 KB. So `pack` takes it out of
the records first. A log that is still too large loses records in its middle: the first one and the newest
ones stay, and the line says how many are left out.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Annotated

import msgspec
import structlog
from msgspec import Meta, Struct

from warmxfer.schemas import DecodeError, decode_as
from warmxfer.schemas.archived import ArchivedTransfer
from warmxfer.schemas.fields import Id
from warmxfer.schemas.personal_data import Kind

from . import subjects
from .bus import READ_DEADLINE_S, Bus
from .errors import InternalError, StreamMissing
from .messages import MSG_ID, Stored

MAX_ARCHIVED_BYTES = 120 * 1024
"""Of an archived record, its line included. Less than a message of the stream may have, for its headers."""
MAX_LOG_BYTES = 4_000_000
"""Most of a log that is compressed. It bounds the time that this takes, and what a reader decompresses."""
MAX_ARCHIVED_ENTRIES = 2_000
"""Records, or dead letters. A longer log loses records in its middle."""
StoredBytes = Annotated[bytes, Meta(max_length=MAX_LOG_BYTES)]
_MARK = b"\x00"
"""Stands for the request in a record. JSON text never has this byte."""

log = structlog.get_logger(__name__)


class ArchivedRecord(Struct, frozen=True, array_like=True):
    """One record of the log: number, time and message id as stored. `data` has `_MARK` for the request."""

    seq: int
    at: float
    msg_id: Id | None
    data: StoredBytes
    marked: bool = False


class ArchivedLog(Struct, frozen=True, kw_only=True):
    """The part of an archived record that is compressed."""

    id: Id
    request: StoredBytes
    """The request as its author wrote it; empty if it had expired."""
    shared: StoredBytes = b""
    """The request as the records have it."""
    records: Annotated[list[ArchivedRecord], Meta(max_length=MAX_ARCHIVED_ENTRIES)] = []
    dead_letters: Annotated[list[StoredBytes], Meta(max_length=MAX_ARCHIVED_ENTRIES)] = []
    without: Annotated[list[Kind], Meta(max_length=MAX_ARCHIVED_ENTRIES)] = []
    """The kinds of personal data that were left out of request, records and dead letters."""

    def stored_records(self) -> list[Stored]:
        """Return the log as the stream had it, oldest first."""
        subject = subjects.log(self.id)
        return [
            Stored(
                subject,
                each.seq,
                each.at,
                each.data.replace(_MARK, self.shared) if each.marked else each.data,
                {MSG_ID: each.msg_id} if each.msg_id is not None else {},
            )
            for each in self.records
        ]


class _State(Struct):
    request: msgspec.Raw = msgspec.Raw(b"")


class _Record(Struct):
    state: _State


_packed = msgspec.msgpack.Decoder(ArchivedLog)
_with_request = msgspec.json.Decoder(_Record)


def compact(
    id: str,
    request: bytes,
    records: list[Stored],
    dead_letters: list[bytes],
    without: Sequence[Kind] = (),
    *,
    room: int = MAX_ARCHIVED_BYTES,
) -> tuple[bytes, int]:
    """Return the compressed log of at most `room` bytes, and how many records are left out of it.

    `without` are the kinds of personal data that were left out of it before.
    """
    shared = next((each for record in records if (each := _request_of(record.data))), b"")
    kept = [
        ArchivedRecord(
            each.seq,
            each.at,
            each.msg_id,
            each.data.replace(shared, _MARK) if (marked := _may_mark(each.data, shared)) else each.data,
            marked,
        )
        for each in records
    ]
    newest = min(_fitting(kept), MAX_ARCHIVED_ENTRIES - 1)
    while True:
        chosen = kept if newest >= len(kept) - 1 else [*kept[:1], *kept[len(kept) - newest :]]
        log = ArchivedLog(
            id=id,
            request=request,
            shared=shared,
            records=chosen,
            dead_letters=dead_letters,
            without=[*without],
        )
        data = zlib.compress(msgspec.msgpack.encode(log))
        if len(data) <= room or not chosen:
            return data, len(kept) - len(chosen)
        if newest == 0:
            kept_none = ArchivedLog(id=id, request=b"")
            return zlib.compress(msgspec.msgpack.encode(kept_none)), len(kept)
        newest = min(newest, len(kept) - 1) // 2


def pack(line: bytes, compacted: bytes) -> bytes:
    """Return an archived record: `line`, which is JSON without a line break, and the compressed log."""
    return line + b"\n" + compacted


def line_of(data: bytes) -> bytes:
    """Return the first line of an archived record."""
    return data.partition(b"\n")[0]


def archived_summary(archived: Stored) -> ArchivedTransfer | None:
    """Return what the first line of an archived record says, or None if it cannot be read."""
    try:
        return decode_as(ArchivedTransfer, line_of(archived.data))
    except DecodeError as error:
        log.warning("archived_record_unreadable", subject=archived.subject, cause=str(error))
        return None


def log_of(data: bytes) -> ArchivedLog:
    """Return the log in an archived record. Raises `InternalError` if it cannot be read."""
    try:
        unpacked = zlib.decompressobj().decompress(data.partition(b"\n")[2], 2 * MAX_LOG_BYTES)
        return _packed.decode(unpacked)
    except (zlib.error, msgspec.DecodeError) as error:
        raise InternalError(f"The archived record cannot be read ({type(error).__name__})") from error


async def read_archived(bus: Bus, id: str, *, deadline_s: float = READ_DEADLINE_S) -> Stored | None:
    """Return the archived record of transfer `id`, or None. Any replica answers."""
    return await bus.get_last(subjects.archived(id), deadline_s=deadline_s)


async def archived_at(bus: Bus, id: str) -> float | None:
    """Return when transfer `id` was archived, as the stream leader has it, or None.

    Epoch seconds by the broker's clock. A missing archive has no transfer.
    """
    try:
        archived = await bus.get_last_from_leader(subjects.archived(id))
    except StreamMissing:
        return None
    return None if archived is None else archived.at


async def archived_success(bus: Bus, id: str) -> bool:
    """Return whether transfer `id` is archived as a success. A record that cannot be read counts as one."""
    try:
        stored = await bus.get_last_from_leader(subjects.archived(id))
    except StreamMissing:
        return False
    if stored is None:
        return False
    summary = archived_summary(stored)
    return summary is None or summary.result is None or summary.result.success


def _request_of(data: bytes) -> bytes:
    """Return the text of the request in the state of the record `data`; empty if there is none."""
    try:
        found = bytes(_with_request.decode(data).state.request)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return b""
    return b"" if found == b"null" else found


def _may_mark(data: bytes, shared: bytes) -> bool:
    return bool(shared) and _MARK not in data


def _fitting(records: list[ArchivedRecord]) -> int:
    """Return how many of the newest records have at most `MAX_LOG_BYTES` together."""
    total = 0
    for count, each in enumerate(reversed(records)):
        total += len(each.data)
        if total > MAX_LOG_BYTES:
            return count
    return len(records)
