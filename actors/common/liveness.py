"""Asking whether anybody is in charge of a transfer: what an actor does who holds somebody for it."""

from __future__ import annotations

import asyncio

import structlog

from warmxfer.bus import Bus, InternalError, InvalidRequest, RetryableError, subjects
from warmxfer.schemas import DecodeError, LivenessQuery, LivenessReply, decode_as, encode

CONFIRMATIONS = 2
"""One coordinator may know less than another: only what two in a row said counts as the end."""

log = structlog.get_logger(__name__)


async def is_live(bus: Bus, transfer_id: str, timeout_s: float) -> bool | None:
    """Is a coordinator in charge of `transfer_id`? None: nobody could say.

    Nor can a coordinator that fails at the question, as one that an upgrade was taken back from may fail at a
    record of the newer version: it is no more in charge than one that is silent.
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
