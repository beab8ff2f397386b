"""Claims on effects at the provider: each effect happens at most once.

    claim    the claim on the effect is stored permanently, before the provider is called
    call     only the claim's owner calls the provider, once, within the provider timeout after the claim
    look up  every other gateway, and an owner whose outcome is unknown, reads what happened

- Invariant: a forbidden effect never happens. `forbid` stores a claim that forbids its effect. So does a
  claim that is stored after the command's deadline, by the broker's clock.
- Invariant: while a claim of the transfer may be lost, no new claim grants an effect, and none shows that an
  effect was forbidden in time. The effect is looked up. The one exception is `even_late`: an effect that may
  happen twice.
- Invariant: an effect of an archived transfer never happens, although its claims are gone. A claim that is
  granted after its command's deadline is checked for that. A transfer is archived only later. While its log
  goes on, only the log decides.
- Invariant: an effect that has not happened by `settled_at` never happens. By then the owner's request has
  ended, and a request with unknown outcome has had `settle_s` to take effect.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from typing import Literal

import structlog
from msgspec import UNSET, Struct

from warmxfer.bus import BrokerClock, Bus, claim_effect, claims_are_complete, subjects
from warmxfer.bus.archive import archived_at
from warmxfer.schemas import Command, DecodeError, decode_as, encode
from warmxfer.schemas.fields import Id

from ..common.log_record import decode_log_record

EndKind = Literal["refused", "not_sent", "doubtful"]
"""`not_sent`: nothing was done, and a later request may succeed. Only a rescue tells it from `refused`."""
log = structlog.get_logger(__name__)


class ClaimRecord(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Content of a claim: its owner, and the moves in the caller's call record before the effect."""

    command_id: Id
    token: Id
    deadline_at: float | None = None
    forbidden: bool = False
    moves_done: int = 0
    moves_failed: int = 0


class EffectEnd(Struct, frozen=True):
    """How the owner's request ended, if it did not simply succeed."""

    outcome: EndKind
    token: Id


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
        return await self._claim(transfer_id, effect, record, command)

    async def forbid(self, transfer_id: str, effect: str, command: Command) -> EffectClaim:
        """Claim `effect` so that it never happens.

        The returned claim has `forbidden` True. It is False if this comes too late: another gateway has begun
        the effect, or may have.
        """
        record = ClaimRecord(command_id=command.command_id, token=secrets.token_hex(8), forbidden=True)
        return await self._claim(transfer_id, effect, record, command)

    async def find_claim(self, transfer_id: str, effect: str, command: Command) -> EffectClaim | None:
        """Return the state of `effect` without claiming it, or None if it is unclaimed."""
        claimed = await self._bus.get_last(subjects.effect_claim(transfer_id, effect))
        return (
            None
            if claimed is None
            else await self._other_claim(transfer_id, effect, claimed.at, claimed.data, command)
        )

    async def record_end(self, transfer_id: str, effect: str, outcome: EndKind) -> None:
        """Record that this gateway's request is over and that the effect did not simply succeed."""
        end = encode(EffectEnd(outcome, secrets.token_hex(8)))
        await claim_effect(self._bus, transfer_id, _end_effect(effect), end)

    async def _claim(
        self, transfer_id: str, effect: str, record: ClaimRecord, command: Command
    ) -> EffectClaim:
        send_by = asyncio.get_running_loop().time() + self._timeout_s
        result = await claim_effect(self._bus, transfer_id, effect, encode(record))
        if not result.granted:
            return await self._other_claim(transfer_id, effect, result.at, result.data, command)
        self._clock.observe(result.at)
        forbidden = _is_forbidden(record, result.at)
        settled_at = result.at + self._timeout_s + self.settle_s
        if result.at > command.deadline_at and await self._is_over(transfer_id):
            # Its claims left the streams with it. No command of it is carried out any more.
            return EffectClaim(record, granted=False, forbidden=True, settled_at=result.at)
        may_repeat = record.deadline_at is None and not forbidden
        if not may_repeat and await self._may_be_lost(transfer_id, command):
            log.warning("effect_claims_lost", transfer_id=transfer_id, effect=effect)
            return EffectClaim(record, granted=False, forbidden=False, settled_at=settled_at)
        log.info("effect_claimed", transfer_id=transfer_id, effect=effect, forbidden=forbidden)
        return EffectClaim(
            record, granted=not forbidden, forbidden=forbidden, settled_at=settled_at, send_by=send_by
        )

    async def _is_over(self, transfer_id: str) -> bool:
        """Return whether the transfer is archived, and its log did not go on after that.

        A late event may be recorded between the archived record and the last one. The transfer then goes on,
        and is archived again later. A replica that is behind shows an older record, which decides nothing.
        """
        at = await archived_at(self._bus, transfer_id)
        if at is None:
            return False
        newest = await self._bus.get_last(subjects.log(transfer_id))
        if newest is None or newest.at <= at:
            return True
        record = decode_log_record(newest.data)
        return record is None or record.state.archived

    async def _may_be_lost(self, transfer_id: str, command: Command) -> bool:
        """Return whether an earlier claim of the transfer may be lost. An older coordinator does not say."""
        first_event = command.first_event
        return first_event is not UNSET and not await claims_are_complete(self._bus, transfer_id, first_event)

    async def _other_claim(
        self, transfer_id: str, effect: str, at: float, data: bytes, command: Command
    ) -> EffectClaim:
        """Return another gateway's claim, with how its request ended.

        A claim that cannot be read still excludes every other one: its effect may have happened.
        """
        record = _read_claim(data)
        if _is_forbidden(record, at) and not await self._may_be_lost(transfer_id, command):
            return EffectClaim(record, granted=False, forbidden=True, settled_at=at)
        end = await self._bus.get_last(subjects.effect_claim(transfer_id, _end_effect(effect)))
        if end is None:
            return EffectClaim(
                record, granted=False, forbidden=False, settled_at=at + self._timeout_s + self.settle_s
            )
        end_kind = _read_end(end.data)
        settle_s = self.settle_s if end_kind == "doubtful" else 0.0
        return EffectClaim(
            record, granted=False, forbidden=False, settled_at=end.at + settle_s, end_kind=end_kind
        )


def _read_claim(data: bytes) -> ClaimRecord:
    try:
        return decode_as(ClaimRecord, data)
    except DecodeError as error:
        log.warning("effect_claim_not_decoded", error=str(error))
        return ClaimRecord(command_id="", token="")


def _read_end(data: bytes) -> EndKind:
    """Return how a request ended. An end that cannot be read says only that its outcome may be unknown."""
    try:
        return decode_as(EffectEnd, data).outcome
    except DecodeError as error:
        log.warning("effect_end_not_decoded", error=str(error))
        return "doubtful"


def _end_effect(effect: str) -> str:
    return f"{effect}-ended"


def _is_forbidden(record: ClaimRecord, at: float) -> bool:
    return record.forbidden or (record.deadline_at is not None and at > record.deadline_at)
