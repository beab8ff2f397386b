"""Asking whether anybody is in charge of a transfer: what an actor does who holds somebody for it."""

from __future__ import annotations

import asyncio

import structlog

from warmxfer.bus import Broken, Bus, Refused, Retry, subjects
from warmxfer.schemas import AskPulse, Pulse, Undecodable, decode_as, encode

OVER_TWICE = 2
"""One coordinator may know less than another: only what two in a row said counts as the end."""

log = structlog.get_logger(__name__)


async def pulse(bus: Bus, transfer_id: str, timeout_s: float) -> bool | None:
    """Is a coordinator in charge of `transfer_id`? None: nobody could say.

    Nor can a coordinator that fails at the question, as one that an upgrade was taken back from may fail at a
    record of the newer version: it is no more in charge than one that is silent.
    """
    try:
        async with asyncio.timeout(timeout_s):
            answer = await bus.ask(subjects.ASK_PULSE, encode(AskPulse(transfer_id)), timeout_s)
        return decode_as(Pulse, answer).live
    except (Retry, TimeoutError):
        return None
    except (Refused, Broken, Undecodable) as error:
        log.error("pulse_not_understood", transfer_id=transfer_id, error=str(error))
        return None
