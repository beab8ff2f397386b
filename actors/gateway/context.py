"""What every handler of the gateway has at hand, and how it measures its time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from warmxfer.adapters.telephony import Provider
from warmxfer.bus import BrokerClock
from warmxfer.schemas import Command, Event

from .at_most_once import EffectClaims
from .dial_policy import DialPolicy

REPLY_MARGIN_S = 0.5
"""An answer leaves this long before its command's deadline, to be there in time."""
LOOK_UP_RESERVE_S = 1.5
"""Of a command's time, what an effect's request may not use: a doubt must still be looked up."""
CLEAN_UP_S = 5.0
"""What puts the world in order is done however late its command comes, and given at least this long."""
SKEW_S = 2.0


@dataclass(frozen=True, slots=True)
class GatewayContext:
    """One for the whole process; it keeps nothing of any transfer."""

    provider: Provider
    policy: DialPolicy
    clock: BrokerClock
    claims: EffectClaims
    publish_event: Callable[[str, Event, str], Awaitable[None]]
    """`tell(transfer_id, fact, name)`: what was seen beside an answer; stored once under its name."""
    deployment: str | None = None
    """The name that legs dialled from here carry."""

    def expired(self, command: Command) -> bool:
        """Nobody waits for the answer any more, even if our idea of the time is a little ahead."""
        return self.clock.now() > command.deadline_at + SKEW_S

    def reply_deadline(self, command: Command, *, at_least_s: float = 0.0) -> float:
        """By the loop's clock: when the answer to `command` has to leave."""
        left_s = command.deadline_at - self.clock.now() - REPLY_MARGIN_S
        return asyncio.get_running_loop().time() + max(left_s, at_least_s)

    def to_loop_time(self, at: float) -> float:
        """A moment of the broker's clock by the loop's clock."""
        return asyncio.get_running_loop().time() + at - self.clock.now()


def left_s(until: float) -> float:
    """Seconds until a moment of the loop's clock."""
    return until - asyncio.get_running_loop().time()


def in_s(seconds: float) -> float:
    """The moment of the loop's clock that is `seconds` ahead."""
    return asyncio.get_running_loop().time() + seconds
