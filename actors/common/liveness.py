"""Liveness query: an actor that holds a caller asks the coordinators whether the transfer is live."""

from __future__ import annotations

import asyncio

import structlog

from warmxfer.bus import Bus, InternalError, InvalidRequest, RetryableError, subjects
from warmxfer.schemas import DecodeError, LivenessQuery, LivenessReply, decode_as, encode

CONFIRMATIONS = 2
"""Negative replies in a row that count as the end: one coordinator may know less than another."""

log = structlog.get_logger(__name__)


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
