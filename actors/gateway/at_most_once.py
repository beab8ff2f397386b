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
MIN_READ_S, FIRST_READ_S, MAX_READ_S = 0.3, 3.0, 12.0
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

    record: ClaimRecord
    granted: bool
    forbidden: bool
    settled_at: float
    """By the broker's clock."""
    end_kind: EndKind | None = None
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
        record = ClaimRecord(
            command_id=command.command_id,
            token=secrets.token_hex(8),
            deadline_at=None if even_late else command.deadline_at,
            moves_done=moves_done,
            moves_failed=moves_failed,
        )
        return await self._claim(transfer_id, effect, record)

    async def forbid(self, transfer_id: str, effect: str, command: Command) -> EffectClaim:
        """Claim `effect` so that it never happens; `off` is False when somebody has begun it already."""
        record = ClaimRecord(command_id=command.command_id, token=secrets.token_hex(8), forbidden=True)
        return await self._claim(transfer_id, effect, record)

    async def record_seen(self, transfer_id: str, effect: str) -> EffectClaim | None:
        """How `effect` stands, without claiming it; None: nobody has."""
        claimed = await self._bus.get_last(subjects.effect_claim(transfer_id, effect))
        return (
            None
            if claimed is None
            else await self._other_claim(transfer_id, effect, claimed.at, claimed.data)
        )

    async def record_end(self, transfer_id: str, effect: str, outcome: EndKind) -> None:
        """Tell whoever comes after us that our request is over, and that the effect is not simply done."""
        end = encode(EffectEnd(outcome, secrets.token_hex(8)))
        await claim_effect(self._bus, transfer_id, _ending(effect), end)

    async def _claim(self, transfer_id: str, effect: str, record: ClaimRecord) -> EffectClaim:
        send_by = asyncio.get_running_loop().time() + self._timeout_s
        result = await claim_effect(self._bus, transfer_id, effect, encode(record))
        if not result.granted:
            return await self._other_claim(transfer_id, effect, result.at, result.data)
        self._clock.observe(result.at)
        forbidden = _is_off(record, result.at)
        log.info("effect_claimed", transfer_id=transfer_id, effect=effect, forbidden=forbidden)
        settled_at = result.at + self._timeout_s + self.settle_s
        return EffectClaim(
            record, granted=not forbidden, forbidden=forbidden, settled_at=settled_at, send_by=send_by
        )

    async def _other_claim(self, transfer_id: str, effect: str, at: float, data: bytes) -> EffectClaim:
        """Somebody else's claim, read together with how their request ended."""
        record = decode_as(ClaimRecord, data)
        if _is_off(record, at):
            return EffectClaim(record, granted=False, forbidden=True, settled_at=at)
        end = await self._bus.get_last(subjects.effect_claim(transfer_id, _ending(effect)))
        if end is None:
            return EffectClaim(
                record, granted=False, forbidden=False, settled_at=at + self._timeout_s + self.settle_s
            )
        end_kind = decode_as(EffectEnd, end.data).outcome
        settle_s = 0.0 if end_kind == "refused" else self.settle_s
        return EffectClaim(
            record, granted=False, forbidden=False, settled_at=end.at + settle_s, end_kind=end_kind
        )


async def poll_until(read: Callable[[float], Awaitable[T | None]], until: float) -> T | None:
    """Call `look(within_s)` until it finds something, the last time at `until` by the loop's clock.

    A look that gets no answer has found nothing. None: nothing was found.
    """
    loop = asyncio.get_running_loop()
    pauses = itertools.chain(POLL_PAUSES_S, itertools.repeat(POLL_PAUSE_S))
    read_timeout_s = FIRST_READ_S
    while True:
        left_s = until - loop.time()
        try:
            found = await read(max(MIN_READ_S, min(read_timeout_s, left_s)))
        except (RetryableError, Rejected) as error:
            log.info("call_lookup_failed", cause=type(error).__name__)
            read_timeout_s = min(2 * read_timeout_s, MAX_READ_S)
            found = None
        if found is not None:
            return found
        left_s = until - loop.time()
        if left_s <= 0:
            return None
        await asyncio.sleep(min(next(pauses), left_s))


def _ending(effect: str) -> str:
    return f"{effect}-ended"


def _is_off(record: ClaimRecord, at: float) -> bool:
    return record.forbidden or (record.deadline_at is not None and at > record.deadline_at)
