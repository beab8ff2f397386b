"""State of everything outside the coordinator: the other four actors, the bus, the provider and the people.

The bus is a set. A command stays in `sent` for as long as it can still have an effect. It is delivered at any
moment, in any order, any number of times. Events are not kept. A condition that became true stays true: a leg
that was heard has been heard. So an event that reports it may be delivered again at any later moment
(`event_delivery.py`). This is unbounded delay, duplication and reordering. A crash between the commit and the
fan-out is a late delivery, because the outbox is sent again.

An effect at the provider (dial, switch, return) has one of these values:

    idle        no gateway has claimed it
    forbidden   claimed so that it is never executed
    claimed     a gateway has claimed it and has not yet sent the request
    requested   the provider has the request; the gateway may stop waiting, and it may still be executed
    executed    executed
    refused     not executed, and known not to be
    lost        not executed while an actor waits, and not reported (a crash, a lost request)
    late        executed after every actor stopped waiting
    twice       executed twice; never allowed
"""

from __future__ import annotations

from typing import NamedTuple

from warmxfer.actors.coordinator.state_machine import Stage

UNDER_WAY = frozenset({"claimed", "requested"})
NOT_EXECUTED = frozenset({"forbidden", "refused", "lost"})


class World(NamedTuple):
    """One state of the world. `environment.py` says how it changes."""

    stage: Stage = Stage.NEW
    """Stage of the transfer: it decides which of the other fields still matter (`state_reduction.py`)."""
    sent: frozenset[str] = frozenset()
    """Commands that may still have an effect."""
    timer: bool = False
    """True while the transfer's one durable timer is set."""
    session: str = "talking"
    """The AI session in the primary room.

    talking | holding (the caller is muted) | lease_expired | released | left | closed | closed_early |
    taken (it holds the caller for a new transfer) | dead (its process was killed during the hold)
    """
    room: str = "none"
    """The consultation room: none | open | closed"""
    dial: str = "idle"
    leg: str = "none"
    """The supervisor's leg: none | ringing | up | unanswered (down, was never up) | down (was up)"""
    agent: str = "out"
    """The briefing agent: out | in | left"""
    answer: str = ""
    """What the supervisor said to the briefing agent: yes | no | machine"""
    caller: str = "primary"
    """Where the caller is: primary | consultation | returned (to the primary room) | hung_up"""
    switch: str = "idle"
    return_move: str = "idle"
    """The move of the caller back into the primary room."""
    return_retried: bool = False
    """The return is tried under a second claim. Further claims would behave the same."""
    rescue: str = "idle"
    """The dial or the dispatch for a caller whose session is lost: idle | claimed | twice

    From the claim on, the provider may have executed it at any moment, or never.
    """
    check: str = ""
    """The leg check that decides, in the stages of `CHECKED`: asked | both_up | leg_down (as it was read)"""
    check_is_old: bool = False
    """A leg was seen since the leg check was asked for, and it may still decide; never in the product."""
    unchecked: bool = False
    """The transfer completed without a check that found both legs up, and does not say so; never allowed."""
    alone_reported: bool = False
    """In the guard, the coordinator received that the supervisor is gone."""
    loss_reported: bool = False
    """During the bridge, the coordinator received that the supervisor is gone."""
    presence_reported: bool = False
    """The coordinator received that the supervisor is there. The event may not come again."""
    hang_up_reported: bool = False
    """The coordinator received that the caller has hung up. The event may not come again."""

    def without(self, *commands: str) -> World:
        """Return the same world in which these commands have no further effect."""
        return self._replace(sent=self.sent.difference(commands))

    @property
    def leg_down(self) -> bool:
        return self.leg in ("down", "unanswered")

    @property
    def leg_up(self) -> bool:
        return self.leg in ("ringing", "up")


class Change(NamedTuple):
    """Something that happens outside the coordinator."""

    label: str
    world: World
    """The world after it."""
    optional: bool = False
    """True if it may never happen, so that no clean end may depend on it."""
    violation: str = ""
    """The invariant that this change breaks, or empty."""
