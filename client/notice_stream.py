"""The notices of one transfer: facts that are neither a phase nor its result.

Notices have no number of their own, so their order is that of the stream. A live message only wakes the
reader, which then reads the stream, or the archive if the stream has no further one. So each notice is
yielded once, also after an outage in which the transfer was archived.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import AsyncGenerator, Iterable
from typing import NamedTuple

import structlog

from warmxfer.bus import Bus, LiveMessage, RetryableError, Stored, subjects
from warmxfer.bus.polling import Follower
from warmxfer.schemas import TransferNotice, decode_notice

from .archived import archived_notices
from .readable import decode_readable

MAX_NOTICES = 256
"""Notices that one read returns. The next read continues after them."""

log = structlog.get_logger(__name__)


async def follow_notices(bus: Bus, transfer_id: str) -> AsyncGenerator[TransferNotice, None]:
    """Yield every notice of a transfer, oldest first, then those to come. Does not end by itself.

    Waits through outages. Raises `RetryableError` if our own connection is closed.
    """
    after, yielded = 0, deque[TransferNotice](maxlen=MAX_NOTICES)
    async with Follower(bus, subjects.notice(transfer_id)) as follower:
        while True:
            read = await _read_after(bus, transfer_id, after, follower)
            after = read.last
            for notice in _without(yielded, read.notices) if read.archived else read.notices:
                yielded.append(notice)
                yield notice
            if await follower.next():
                # The broker delivers a message before it stores it: read soon, and again after a moment.
                follower.restart()
            elif follower.ended:
                raise RetryableError(
                    f"The connection was closed while the notices of transfer {transfer_id} were read; "
                    "connect again"
                )


async def stored_notices(bus: Bus, transfer_id: str) -> list[TransferNotice]:
    """Return the notices of a transfer so far, oldest first. Raises `Unavailable`."""
    stored = await bus.history(subjects.notice(transfer_id), MAX_NOTICES)
    if not stored:
        return await archived_notices(bus, transfer_id)
    return _readable(stored)


def notice_of(message: Stored | LiveMessage) -> TransferNotice | None:
    """Return the notice in `message`, or None if it cannot be read."""
    return decode_readable(message, decode_notice)


def _readable(stored: list[Stored]) -> list[TransferNotice]:
    return [notice for each in stored if (notice := notice_of(each))]


class _Read(NamedTuple):
    """The notices of one read, and the number of the last message that was read so far."""

    last: int
    notices: list[TransferNotice]
    archived: bool = False
    """The archive has them: all notices of the transfer, also those that were read before."""


def _without(yielded: Iterable[TransferNotice], archived: list[TransferNotice]) -> list[TransferNotice]:
    """Return the notices of the archive that were not yielded.

    The archive may have another sentence: it leaves out personal data, as it is set. One step of the state
    machine may publish two notices of a kind, which have the same time.
    """
    known = Counter((each.notice, each.timestamp) for each in yielded)
    new = list[TransferNotice]()
    for each in archived:
        key = (each.notice, each.timestamp)
        if known[key]:
            known[key] -= 1
        else:
            new.append(each)
    return new


async def _read_after(bus: Bus, transfer_id: str, after: int, follower: Follower) -> _Read:
    """Return the notices after message number `after`, or those of the archive."""
    try:
        stored = await bus.history(subjects.notice(transfer_id), MAX_NOTICES, after=after)
        if stored:
            return _Read(stored[-1].seq, _readable(stored))
        return _Read(after, await archived_notices(bus, transfer_id), archived=True)
    except RetryableError as error:
        log.info("notices_not_read", transfer_id=transfer_id, error=str(error))
        follower.read_failed()
        return _Read(after, [])
