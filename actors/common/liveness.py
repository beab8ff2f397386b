"""Liveness query: an actor that works for a transfer asks the coordinators whether it is live.

A session that holds a caller and a briefing agent in a room both do. If their transfer is lost, no command
ever tells them to stop. `liveness_watch.py` asks once for all transfers of a process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from warmxfer.bus import Bus, InternalError, InvalidRequest, RetryableError, subjects
from warmxfer.schemas import DecodeError, Liveness, LivenessQuery, LivenessReply, decode_as, encode

CONFIRMATIONS = 2
"""Negative replies in a row that count as the end: one coordinator may know less than another."""
SINGLE_QUERIES = 16
"""Queries at a time about one transfer each, where a coordinator of an older version replied."""

log = structlog.get_logger(__name__)


class NegativeReplies:
    """Counts negative replies in a row. Pure."""

    def __init__(self) -> None:
        self._count = 0

    def record(self, live: bool) -> None:
        """Record one reply: whether the transfer is live."""
        self._count = 0 if live else self._count + 1

    @property
    def transfer_over(self) -> bool:
        """Whether enough coordinators said that the transfer is over, lost or stalled."""
        return self._count >= CONFIRMATIONS


async def is_live(bus: Bus, transfer_id: str, timeout_s: float) -> bool | None:
    """Return whether a coordinator handles `transfer_id`, or None if no coordinator replied in time.

    Returns None also if a coordinator fails at the query. After a downgrade it may fail to decode a record of
    the newer version; such a coordinator does not handle the transfer any more than a silent one.
    """
    reply = await _query(bus, LivenessQuery(transfer_id), timeout_s)
    return None if reply is None else reply.live


async def ask(bus: Bus, transfer_ids: Sequence[str], timeout_s: float) -> dict[str, Liveness]:
    """Return the replies about `transfer_ids`. A transfer is missing if no coordinator replied about it."""
    first, *more = transfer_ids
    reply = await _query(bus, LivenessQuery(first, more), timeout_s)
    if reply is None:
        return {}
    if len(reply.more) == len(more):
        return dict(zip(transfer_ids, (reply, *reply.more), strict=True))
    limit, replies = asyncio.Semaphore(SINGLE_QUERIES), dict[str, Liveness]({first: reply})

    async def ask_one(transfer_id: str) -> None:
        async with limit:
            one = await _query(bus, LivenessQuery(transfer_id), timeout_s)
        if one is not None:
            replies[transfer_id] = one

    await asyncio.gather(*(ask_one(each) for each in more))
    return replies


async def _query(bus: Bus, query: LivenessQuery, timeout_s: float) -> LivenessReply | None:
    try:
        async with asyncio.timeout(timeout_s):
            reply = await bus.request(subjects.ASK_LIVENESS, encode(query), timeout_s)
        return decode_as(LivenessReply, reply)
    except (RetryableError, TimeoutError):
        return None
    except (InvalidRequest, InternalError, DecodeError) as error:
        log.error("liveness_query_failed", transfer_id=query.transfer_id, error=str(error))
        return None
