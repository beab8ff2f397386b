"""At most once: the only place where it is decided whether an effect at the provider may be caused.

    claim      the effect's name is claimed for ever, before the provider is asked
    do         only the claim's owner asks, once, and not after the provider's timeout since the claim
    look up    everybody else, and the owner who is in doubt, asks what became of it

A claim is also how an effect is forbidden: a claim made to forbid, or stored after the command's deadline
(both by the broker's clock), means that the effect never happens. From `quiet_at` on, what has not
happened will not: the owner's request has ended, and what was in doubt had time to settle.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

import structlog
from msgspec import Struct

from warmxfer.adapters.telephony import Rejected
from warmxfer.bus import BrokerClock, Bus, claim_effect, subjects
from warmxfer.schemas import Command, RetryableError, decode_as, encode

POLL_PAUSES_S = (0.2, 0.5)
POLL_PAUSE_S = 1.0
"""After the first pauses, one look a second."""
MIN_LOOK_S, FIRST_LOOK_S, MAX_LOOK_S = 0.3, 3.0, 12.0
"""The time one look may take: twice as long after each that got no answer, which may be on its way."""

EndKind = Literal["refused", "doubtful"]
T = TypeVar("T")
log = structlog.get_logger(__name__)


class ClaimRecord(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a claim says: whose it is, and how the caller's leg stood before a move."""

    command_id: str
    token: str
    deadline_at: float | None = None
    forbidden: bool = False
    moves_done: int = 0
    moves_failed: int = 0


class EffectEnd(Struct, frozen=True):
    """How the owner's request ended, when it was not simply done."""

    outcome: EndKind
    token: str


@dataclass(frozen=True, slots=True)
class EffectClaim:
    """Where we stand with an effect. `off`: it never happens. `mine`: we may cause it, now."""

    intent: ClaimRecord
    granted: bool
    forbidden: bool
    settled_at: float
    """By the broker's clock."""
    ending: EndKind | None = None
    """How somebody else's request ended, as far as they told."""
    send_by: float = 0.0
    """By the loop's clock: a request that is not over by then must be cut off. Only when `mine`."""


class EffectClaims:
    """`timeout_s`: no request to the provider lasts longer. `settle_s`: how long a doubt needs to settle."""

    def __init__(self, bus: Bus, clock: BrokerClock, *, timeout_s: float, settle_s: float) -> None:
        self._bus = bus
        self._clock = clock
        self._timeout_s = timeout_s
        self.settle_s = settle_s

    async def claim(
        self,
        transfer_id: str,
        effect: str,
        command: Command,
        *,
        even_late: bool = False,
        moves_done: int = 0,
        moves_failed: int = 0,
    ) -> EffectClaim:
        """Claim `effect` to cause it; a command past its deadline forbids it, unless `even_late`."""
        intent = ClaimRecord(
            command_id=command.command_id,
            token=secrets.token_hex(8),
            deadline_at=None if even_late else command.deadline_at,
            moves_done=moves_done,
            moves_failed=moves_failed,
        )
        return await self._claim(transfer_id, effect, intent)

    async def forbid(self, transfer_id: str, effect: str, command: Command) -> EffectClaim:
        """Claim `effect` so that it never happens; `off` is False when somebody has begun it already."""
        intent = ClaimRecord(command_id=command.command_id, token=secrets.token_hex(8), forbidden=True)
        return await self._claim(transfer_id, effect, intent)

    async def record_seen(self, transfer_id: str, effect: str) -> EffectClaim | None:
        """How `effect` stands, without claiming it; None: nobody has."""
        first = await self._bus.get_last(subjects.effect_claim(transfer_id, effect))
        return None if first is None else await self._turn(transfer_id, effect, first.at, first.data)

    async def find_end(self, transfer_id: str, effect: str, outcome: EndKind) -> None:
        """Tell whoever comes after us that our request is over, and that the effect is not simply done."""
        note = encode(EffectEnd(outcome, secrets.token_hex(8)))
        await claim_effect(self._bus, transfer_id, _ending(effect), note)

    async def _claim(self, transfer_id: str, effect: str, intent: ClaimRecord) -> EffectClaim:
        send_by = asyncio.get_running_loop().time() + self._timeout_s
        made = await claim_effect(self._bus, transfer_id, effect, encode(intent))
        if not made.granted:
            return await self._turn(transfer_id, effect, made.at, made.data)
        self._clock.observe(made.at)
        off = _is_off(intent, made.at)
        log.info("effect_claimed", transfer_id=transfer_id, effect=effect, forbidden=off)
        quiet_at = made.at + self._timeout_s + self.settle_s
        return EffectClaim(intent, granted=not off, forbidden=off, settled_at=quiet_at, send_by=send_by)

    async def _turn(self, transfer_id: str, effect: str, at: float, data: bytes) -> EffectClaim:
        """Somebody else's claim, read together with how their request ended."""
        intent = decode_as(ClaimRecord, data)
        if _is_off(intent, at):
            return EffectClaim(intent, granted=False, forbidden=True, settled_at=at)
        note = await self._bus.get_last(subjects.effect_claim(transfer_id, _ending(effect)))
        if note is None:
            return EffectClaim(
                intent, granted=False, forbidden=False, settled_at=at + self._timeout_s + self.settle_s
            )
        ending = decode_as(EffectEnd, note.data).outcome
        settle_s = 0.0 if ending == "refused" else self.settle_s
        return EffectClaim(
            intent, granted=False, forbidden=False, settled_at=note.at + settle_s, ending=ending
        )


async def poll_until(look: Callable[[float], Awaitable[T | None]], until: float) -> T | None:
    """Call `look(within_s)` until it finds something, the last time at `until` by the loop's clock.

    A look that gets no answer has found nothing. None: nothing was found.
    """
    loop = asyncio.get_running_loop()
    pauses = itertools.chain(POLL_PAUSES_S, itertools.repeat(POLL_PAUSE_S))
    look_s = FIRST_LOOK_S
    while True:
        left_s = until - loop.time()
        try:
            found = await look(max(MIN_LOOK_S, min(look_s, left_s)))
        except (RetryableError, Rejected) as error:
            log.info("look_up_unanswered", cause=type(error).__name__)
            look_s = min(2 * look_s, MAX_LOOK_S)
            found = None
        if found is not None:
            return found
        left_s = until - loop.time()
        if left_s <= 0:
            return None
        await asyncio.sleep(min(next(pauses), left_s))


def _ending(effect: str) -> str:
    return f"{effect}-ended"


def _is_off(intent: ClaimRecord, at: float) -> bool:
    return intent.forbidden or (intent.deadline_at is not None and at > intent.deadline_at)
