"""Claims on effects at the provider: each effect happens at most once.

    claim    the claim on the effect is stored permanently, before the provider is called
    call     only the claim's owner calls the provider, once, within the provider timeout after the claim
    look up  every other gateway, and an owner whose outcome is unknown, reads what happened

- Invariant: a forbidden effect never happens. A claim forbids its effect if it was made to forbid, or if it
  was stored after the command's deadline. Both moments are by the broker's clock.
- Invariant: an effect that has not happened by `settled_at` never happens. By then the owner's request has
  ended, and a request with unknown outcome has had `settle_s` to take effect.
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
"""Pause between reads after the first pauses."""
MIN_READ_S, FIRST_READ_S, MAX_READ_S = 0.3, 3.0, 12.0
"""Timeout of one read: minimum, first, maximum. It doubles after each read without a reply, because a slow
reply may be on its way.
"""

EndKind = Literal["refused", "doubtful"]
T = TypeVar("T")
log = structlog.get_logger(__name__)


class ClaimRecord(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Content of a claim: its owner, and the moves in the caller's call record before the effect."""

    command_id: str
    token: str
    deadline_at: float | None = None
    forbidden: bool = False
    moves_done: int = 0
    moves_failed: int = 0


class EffectEnd(Struct, frozen=True):
    """How the owner's request ended, if it did not simply succeed."""

    outcome: EndKind
    token: str


@dataclass(frozen=True, slots=True)
class EffectClaim:
    """State of an effect. `forbidden`: it never happens. `granted`: this gateway may cause it now."""

    record: ClaimRecord
    granted: bool
    forbidden: bool
    settled_at: float
    """By the broker's clock."""
    end_kind: EndKind | None = None
    """How another gateway's request ended, if that gateway recorded it."""
    send_by: float = 0.0
    """By the loop's clock: when the request must be cut off. Set only if `granted`."""


class EffectClaims:
    """Claims on the effects of all transfers.

    `timeout_s`: maximum duration of one request to the provider. `settle_s`: time in which a request with
    unknown outcome takes effect or never will.
    """

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
        """Claim `effect` in order to cause it.

        A command past its deadline forbids the effect instead, unless `even_late`.
        """
        record = ClaimRecord(
            command_id=command.command_id,
            token=secrets.token_hex(8),
            deadline_at=None if even_late else command.deadline_at,
            moves_done=moves_done,
            moves_failed=moves_failed,
        )
        return await self._claim(transfer_id, effect, record)

    async def forbid(self, transfer_id: str, effect: str, command: Command) -> EffectClaim:
        """Claim `effect` so that it never happens.

        Returns a claim with `forbidden` False if another gateway has already begun the effect.
        """
        record = ClaimRecord(command_id=command.command_id, token=secrets.token_hex(8), forbidden=True)
        return await self._claim(transfer_id, effect, record)

    async def record_seen(self, transfer_id: str, effect: str) -> EffectClaim | None:
        """Return the state of `effect` without claiming it, or None if it is unclaimed."""
        claimed = await self._bus.get_last(subjects.effect_claim(transfer_id, effect))
        return (
            None
            if claimed is None
            else await self._other_claim(transfer_id, effect, claimed.at, claimed.data)
        )

    async def record_end(self, transfer_id: str, effect: str, outcome: EndKind) -> None:
        """Record that this gateway's request is over and that the effect did not simply succeed."""
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
        """Return another gateway's claim, with how its request ended."""
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
    """Call `read(within_s)` until it returns a value; call it for the last time at `until`, by the loop's
    clock.

    A read that fails counts as a read without a value. Returns None if no read returned a value.
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
