"""Intents: a durable mutex in front of every effect at the provider that must not happen twice.

Whoever stores the first message on `warmxfer.<id>.intent.<effect>` may act (or has forbidden the effect
for good); everyone after it reads who was first and what they wrote, and looks the outcome up instead.
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


class ClaimResult(NamedTuple):
    """Whether the effect is ours to cause; when and with what words it was claimed."""

    granted: bool
    at: float
    data: bytes


async def claim_effect(
    bus: Bus, id: str, effect: str, data: bytes, *, deadline_s: float = WRITE_DEADLINE_S
) -> ClaimResult:
    """Claim `effect` of transfer `id`, or learn who did.

    `data` must hold a token that is new for this attempt: by it a claim whose acknowledgement was lost
    recognises itself, and a later attempt of the same worker does not take an earlier one for its own.
    Raises `Unavailable`: then it is unknown whether the effect was claimed.
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


async def _first_claim(bus: Bus, subject: str, deadline: float) -> Stored:
    """The claim that stands; waits for a replica that has not seen it yet."""
    while True:
        remaining_s = deadline - asyncio.get_running_loop().time()
        first = await bus.get_last(subject, deadline_s=max(REREAD_S, remaining_s))
        if first is not None:
            return first
        if remaining_s <= 0:
            raise Unavailable(f"The claim on {subject} could not be read back in time")
        await asyncio.sleep(REREAD_S)
