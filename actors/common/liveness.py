"""Liveness query: an actor that works for a transfer asks the coordinators whether it is live.

A session that holds a caller and a briefing agent in a room both do. If their transfer is lost, no command
ever tells them to stop.
"""

from __future__ import annotations

import asyncio

import structlog

from warmxfer.bus import Bus, InternalError, InvalidRequest, RetryableError, subjects
from warmxfer.schemas import DecodeError, LivenessQuery, LivenessReply, decode_as, encode

CONFIRMATIONS = 2
"""Negative replies in a row that count as the end: one coordinator may know less than another."""

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


async def wait_until_over(bus: Bus, transfer_id: str, interval_s: float, timeout_s: float) -> None:
    """Block until coordinators said often enough that the transfer is over. Queries every `interval_s`.

    A query without a reply within `timeout_s` changes nothing: when in doubt, the transfer is live.
    """
    replies = NegativeReplies()
    while not replies.transfer_over:
        await asyncio.sleep(interval_s)
        live = await is_live(bus, transfer_id, timeout_s)
        if live is not None:
            replies.record(live)


async def is_live(bus: Bus, transfer_id: str, timeout_s: float) -> bool | None:
    """Return whether a coordinator handles `transfer_id`, or None if no coordinator replied in time.

    Returns None also if a coordinator fails at the query. After a downgrade it may fail to decode a record of
    the newer version; such a coordinator does not handle the transfer any more than a silent one.
    """
    try:
        async with asyncio.timeout(timeout_s):
            reply = await bus.request(subjects.ASK_LIVENESS, encode(LivenessQuery(transfer_id)), timeout_s)
        return decode_as(LivenessReply, reply).live
    except (RetryableError, TimeoutError):
        return None
    except (InvalidRequest, InternalError, DecodeError) as error:
        log.error("liveness_query_failed", transfer_id=transfer_id, error=str(error))
        return None
