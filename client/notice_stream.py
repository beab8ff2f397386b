"""The notices of one transfer: facts that are neither a phase nor its result.

Notices have no number of their own, so their order is that of the stream. A live message only wakes the
reader, which then reads the stream: so each notice is yielded once, also after an outage.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

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
    subject, after = subjects.notice(transfer_id), 0
    async with Follower(bus, subject) as follower:
        while True:
            for stored in await _stored_after(bus, subject, after, follower):
                after = stored.seq
                if notice := notice_of(stored):
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
    return [notice for each in stored if (notice := notice_of(each))]


def notice_of(message: Stored | LiveMessage) -> TransferNotice | None:
    """Return the notice in `message`, or None if it cannot be read."""
    return decode_readable(message, decode_notice)


async def _stored_after(bus: Bus, subject: str, after: int, follower: Follower) -> list[Stored]:
    try:
        return await bus.history(subject, MAX_NOTICES, after=after)
    except RetryableError as error:
        log.info("notices_not_read", subject=subject, error=str(error))
        follower.read_failed()
        return []
