"""Effect claims: a durable lock that makes a side effect at the provider happen at most once.

The first message stored on `wx.<partition>.<id>.intent.<effect>` wins. Its writer may perform the effect, or
has forbidden it for good. Every later attempt reads that message and looks up the result of the effect
instead.

The stream of the claims may be lost while the commands, in another stream, are not. A command that is then
delivered again finds no claim, although its effect may have happened. So the first claim counts only while
`claims_are_complete`.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import NamedTuple

from . import subjects
from .bus import WRITE_DEADLINE_S, Bus
from .errors import StaleWrite, Unavailable
from .messages import Stored

REREAD_S = 0.05
"""Pause before the claim is read again from a replica that has not stored it yet."""


class ClaimResult(NamedTuple):
    """Result of a claim: whether this attempt won, and the time and data of the winning claim."""

    granted: bool
    at: float
    data: bytes


async def claim_effect(
    bus: Bus, id: str, effect: str, data: bytes, *, deadline_s: float = WRITE_DEADLINE_S
) -> ClaimResult:
    """Claim `effect` of transfer `id`, or return the claim that another attempt stored first.

    `data` must contain a token that is new for each call. By it, a call whose acknowledgement was lost
    recognises the claim that it stored, and takes no earlier claim of the same worker for its own.
    Raises `Unavailable`: it is then unknown whether the effect was claimed.
    """
    subject = subjects.effect_claim(id, effect)
    deadline = asyncio.get_running_loop().time() + deadline_s
    msg_id = f"{id}.{effect}.{hashlib.sha256(data).hexdigest()[:24]}"
    try:
        await bus.publish(subject, data, msg_id=msg_id, expect_last=0, deadline_s=deadline_s)
    except StaleWrite:
        first = await _first_claim(bus, subject, deadline)
        return ClaimResult(first.data == data, first.at, first.data)
    first = await _first_claim(bus, subject, deadline)
    return ClaimResult(True, first.at, data)


async def claims_are_complete(bus: Bus, id: str, first_event: int) -> bool:
    """Return whether no claim of transfer `id` was lost: its first event is still stored.

    That event, number `first_event`, is in the stream of the claims and older than each of them. Streams that
    are purged or created again have no message with its number.
    """
    stored = await bus.get_by_number(subjects.EVENTS, first_event)
    return stored is not None and subjects.is_event_of(stored.subject, id)


async def _first_claim(bus: Bus, subject: str, deadline: float) -> Stored:
    """Return the winning claim. Waits for a replica that has not stored it yet."""
    while True:
        remaining_s = deadline - asyncio.get_running_loop().time()
        first = await bus.get_last(subject, deadline_s=max(REREAD_S, remaining_s))
        if first is not None:
            return first
        if remaining_s <= 0:
            raise Unavailable(f"The claim on {subject} could not be read back in time")
        await asyncio.sleep(REREAD_S)
