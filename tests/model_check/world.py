"""What is outside the coordinator: the other four actors, the bus, the provider and the people.

**The bus** is a set. A command stays in `sent` for as long as it can still have an effect, and is delivered
any number of times, at any moment, in any order. An event is not kept at all: every fact in here is true
for good once it is true (a leg that was heard has been heard), so whatever tells of it may be delivered,
again and again, at any later moment (`telling.py`). That is unbounded delay, duplication and reordering.
A crash between the commit and the fan-out is a late delivery: the outbox is sent again.

**Effects** at the provider (dial, switch, return) are, in one word each,

    idle        nobody has claimed it
    forbidden   claimed so that it never happens
    claimed     a gateway has claimed it and not yet asked the provider
    asked       the provider has the request; its caller may give up on it, and it may still be executed
    made        executed
    refused     not executed, and known not to be
    lost        not executed for as long as anybody waits, and nobody was told (a crash, a lost request)
    late        executed when nobody waited any more
    twice       executed twice: what must never be
"""

from __future__ import annotations

from typing import NamedTuple

from warmxfer.actors.coordinator.state_machine import Stage

UNDER_WAY = frozenset({"claimed", "asked"})
NOT_MADE = frozenset({"forbidden", "refused", "lost"})


class World(NamedTuple):
    """One moment of it. `proxy`, `leg`, `agent`, `said`, `caller`: one word each, see `house.py`."""

    stage: Stage = Stage.NEW
    """Of the transfer: what can still matter depends on it (`tidy.py`)."""
    sent: frozenset[str] = frozenset()
    """Commands that may still have an effect."""
    timer: bool = False
    """The one durable timer is set."""
    proxy: str = "talking"
    """talking | holding (muted) | let_go (by its lease) | released | left | closed | closed_early"""
    room: str = "none"
    """none | open | closed"""
    dial: str = "idle"
    leg: str = "none"
    """none | ringing | up | unheard (down, never answered) | down (was up)"""
    agent: str = "out"
    """out | in | left"""
    said: str = ""
    """What the supervisor said to the agent: yes | no | machine"""
    caller: str = "primary"
    """primary | consultation | home (moved back) | hung_up"""
    switch: str = "idle"
    back: str = "idle"
    """The caller's way back."""
    back_again: bool = False
    """It is tried under a second claim; more of them would be no different."""
    told_lost: bool = False
    """While it made the bridge, the coordinator was told that the supervisor is gone."""
    told_up: bool = False
    """It was told that the supervisor, who is there, is there. It may not be told again."""
    told_gone: bool = False
    """It was told that the caller has hung up. It may not be told again."""

    def without(self, *commands: str) -> World:
        return self._replace(sent=self.sent.difference(commands))

    @property
    def leg_down(self) -> bool:
        return self.leg in ("down", "unheard")

    @property
    def leg_up(self) -> bool:
        return self.leg in ("ringing", "up")


class Move(NamedTuple):
    """Something happens outside the coordinator. `people`: nobody is obliged to do it, so nobody waits for
    it. `broken`: the promise it breaks."""

    label: str
    world: World
    people: bool = False
    broken: str = ""
