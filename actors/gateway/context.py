"""What every handler needs: provider, policy, clock, claims; and the time limits of a command."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from warmxfer.adapters.telephony import Provider
from warmxfer.bus import BrokerClock
from warmxfer.schemas import Command, Event

from ..common.dial_policy import DialPolicy
from .at_most_once import EffectClaims
from .dial_counters import DialCounters
from .webhook_health import WebhookHealth

REPLY_MARGIN_S = 0.5
"""Time between a reply and its command's deadline, so that the reply arrives before the deadline."""
LOOK_UP_RESERVE_S = 1.5
"""Part of a command's time that the effect's request may not use: an unknown outcome needs it."""
CLEAN_UP_S = 5.0
"""Minimum time for a clean-up command. Clean-up is done however late the command arrives."""
SKEW_S = 2.0


@dataclass(frozen=True, slots=True)
class GatewayContext:
    """Dependencies of the handlers. One instance a process; no transfer depends on what it remembers."""

    provider: Provider
    policy: DialPolicy
    clock: BrokerClock
    claims: EffectClaims
    publish_event: Callable[[str, Event, str], Awaitable[None]]
    """`publish_event(transfer_id, event, msg_id)`: publish an observation that is not a reply. Stored once
    per `msg_id`.
    """
    counters: DialCounters
    webhooks: WebhookHealth
    """What the webhooks of this process show."""
    deployment: str | None = None
    """The name in the metadata of every leg that this gateway dials."""

    def expired(self, command: Command) -> bool:
        """Return whether the command's deadline has passed, allowing `SKEW_S` for clock error."""
        return self.clock.now() > command.deadline_at + SKEW_S

    def reply_deadline(self, command: Command, *, at_least_s: float = 0.0) -> float:
        """Return when the reply to `command` must leave, by the loop's clock."""
        left_s = command.deadline_at - self.clock.now() - REPLY_MARGIN_S
        return asyncio.get_running_loop().time() + max(left_s, at_least_s)

    def to_loop_time(self, at: float) -> float:
        """Convert a moment of the broker's clock to the loop's clock."""
        return asyncio.get_running_loop().time() + at - self.clock.now()


def left_s(until: float) -> float:
    """Return the seconds until a moment of the loop's clock."""
    return until - asyncio.get_running_loop().time()


def in_s(seconds: float) -> float:
    """Return the moment of the loop's clock that is `seconds` ahead."""
    return asyncio.get_running_loop().time() + seconds
