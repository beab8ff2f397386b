"""Which places of the briefing agents one coordinator may take. Pure.

Each partition has an equal part of the places. A coordinator takes the places of its partitions at once. It
takes another free place only after a wish: it announces the wish, and takes the place if the place is still
free `SETTLE_S` later. So a place is not left free because its coordinator has no request.

A transfer holds its place until the reply to `LeaveConsultation`, since the agent may speak until then. The
places of no known transfer are those of a coordinator that ended: the agents announce them as taken.

Invariants (`test_briefing_places.py`):

- Coordinators whose announcements arrive within `SETTLE_S / 2` take no more places together than there are.
- Any request gets a free place, whichever coordinator has it.
- An estimate that is wrong ends by itself. A start without a record counts for `START_EXPIRES_S`, a transfer
  without a new record for `HELD_EXPIRES_S`, one of a released partition for `HANDOVER_S`, a
  coordinator that is silent for `LIVE_S`.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from warmxfer.bus.partition import PARTITIONS, partition_of

from .partition_owners import LIVE_S, MAX_INSTANCES

START_EXPIRES_S = 30.0
HELD_EXPIRES_S = 900.0
"""Longer than any pause between two records of a live transfer, which has a leg check every
`REPORTED_CHECK_PAUSE_S` at least. Another coordinator may have ended one while this one was cut off.
"""
HANDOVER_S = 2.0
"""How long the former coordinator of a transfer counts its place, so that no count misses it."""
SETTLE_S = 0.5
"""Time in which coordinators hear of each other's changes."""
WISH_EXPIRES_S = 0.5
"""A wish ends this long after the last request that needed it. Requests that wait ask ten times a second."""


class HeldPlaces(NamedTuple):
    """What a coordinator announces about the places that its transfers hold."""

    held: int = 0
    borrowed: int = 0
    """How many of `held` and `wished` are beyond the places of its partitions."""
    wished: int = 0
    """1 if it wishes to take another place, else 0."""
    handed: int = 0
    """Held by transfers of partitions that it has released, not in `held`."""


class BriefingPlaces:
    """The places as the coordinator `instance` counts them. `now` is the loop's time.

    `on_change` is called when what is announced has changed.
    """

    def __init__(self, instance: str, on_change: Callable[[], None] = lambda: None) -> None:
        self._instance = instance
        self._on_change = on_change
        self._partitions: AbstractSet[int] = frozenset(range(PARTITIONS))
        self._held: dict[str, bool] = {}
        """Transfers that hold a place, and whether an agent was asked to join."""
        self._expires_at: dict[str, float] = {}
        """When each of them counts no more without a further record."""
        self._handed: dict[str, float] = {}
        """Transfers of released partitions, not in `_held`, and when each counts no more."""
        self._others: dict[str, tuple[HeldPlaces, float]] = {}
        self._unknown = 0
        """Places of no known transfer."""
        self._wished_at: float | None = None
        self._asked_at = 0.0
        self._shared_out_at = 0.0
        """Until then the others may have other partitions in mind."""

    # ── what is observed ─────────────────────────────────────────────────────────────────────────

    def hold(self, id: str, now: float) -> None:
        """Note that transfer `id` starts."""
        self._held[id] = False
        self._expires_at[id] = now + START_EXPIRES_S
        self._wished_at = None
        self._on_change()

    def keep(self, id: str, now: float, *, joined: bool) -> None:
        """Note that transfer `id` needs its place, and whether an agent was asked to join."""
        if partition_of(id) in self._partitions:
            self._handed.pop(id, None)
            is_new = id not in self._held
            self._held[id], self._expires_at[id] = joined, now + HELD_EXPIRES_S
            if is_new:
                self._on_change()
        else:
            self._hand_over(id, now)

    def free(self, id: str) -> bool:
        """Note that transfer `id` needs no place. Returns whether it held one."""
        self._expires_at.pop(id, None)
        held = self._held.pop(id, None) is not None
        held = self._handed.pop(id, None) is not None or held
        if held:
            self._on_change()
        return held

    def take_partitions(self, partitions: AbstractSet[int], now: float) -> None:
        """Note which partitions this coordinator takes. Transfers of others keep their places for a while."""
        if self._others and partitions != self._partitions:
            self._shared_out_at = now + SETTLE_S
        self._partitions = partitions
        for id in [id for id in self._held if partition_of(id) not in partitions]:
            self._hand_over(id, now)
        self._on_change()

    def hear(self, instance: str, places: HeldPlaces | None, now: float) -> bool:
        """Note what another coordinator announces; None: it stops. Returns whether that changes anything."""
        known = self._others.get(instance)
        if places is None:
            self._forget(instance)
            return known is not None
        if known is not None:
            self._add_unknown(known[0].handed - places.handed)
        if known is not None or len(self._others) < MAX_INSTANCES:
            self._others[instance] = places, now
        return (known and known[0]) != places

    def observe_taken(self, taken: int, now: float) -> None:
        """Note how many places the agents announce as taken."""
        self._expire(now)
        known = sum(self._held.values()) + len(self._handed)
        known += sum(each.held + each.handed for each, _ in self._others.values())
        self._unknown = max(0, taken - known)

    # ── what follows ─────────────────────────────────────────────────────────────────────────────

    def request_place(self, places: int, now: float) -> bool:
        """Return whether a transfer may take one of `places` now. If it is not ours, wish for it."""
        self._expire(now)
        self._asked_at = now
        borrowed = sum(each.borrowed for each, _ in self._others.values())
        if now >= self._shared_out_at and len(self._held) + borrowed < self._share(places):
            return True
        if self._counted(earlier_wishes=True) >= places:
            self._wish(None)
        elif self._wished_at is None:
            self._wish(now)
        return self._wished_at is not None and now - self._wished_at >= SETTLE_S

    def taken(self, places: int) -> int:
        """Return how many places are taken, as far as this coordinator knows."""
        return min(places, self._counted(earlier_wishes=False))

    def announced(self, places: int, now: float) -> HeldPlaces:
        """Return what this coordinator announces; `places` of the agents that are live, 0 if none is."""
        self._expire(now)
        held, wished = len(self._held), int(self._wished_at is not None)
        borrowed = max(0, held + wished - self._share(places)) if places else 0
        return HeldPlaces(held, borrowed, wished, len(self._handed))

    def _counted(self, *, earlier_wishes: bool) -> int:
        """Count the places taken; if asked for, with the wishes of coordinators that come before this one."""
        counted = len(self._held) + self._unclaimed()
        for instance, (each, _) in self._others.items():
            counted += each.held + (each.wished if earlier_wishes and instance < self._instance else 0)
        return counted

    def _unclaimed(self) -> int:
        """Return how many places are taken by transfers of which no coordinator says that it has them."""
        handed = len(self._handed) + sum(each.handed for each, _ in self._others.values())
        return handed + self._unknown

    def _share(self, places: int) -> int:
        """Return how many of `places` belong to the partitions of this coordinator."""
        each, more = divmod(max(0, places - self._unclaimed()), PARTITIONS)
        return sum(each + (partition < more) for partition in self._partitions)

    def _hand_over(self, id: str, now: float) -> None:
        self._held.pop(id, None)
        self._expires_at.pop(id, None)
        self._handed.setdefault(id, now + HANDOVER_S)

    def _expire(self, now: float) -> None:
        for id in [id for id, at in self._expires_at.items() if at <= now]:
            del self._expires_at[id]
            self._add_unknown(self._held.pop(id))
        handed, self._handed = self._handed, {id: at for id, at in self._handed.items() if at > now}
        self._add_unknown(len(handed) - len(self._handed))
        for instance in [each for each, (_, at) in self._others.items() if now - at > LIVE_S]:
            self._forget(instance)
        if self._wished_at is not None and now - self._asked_at > WISH_EXPIRES_S:
            self._wish(None)

    def _wish(self, at: float | None) -> None:
        if at != self._wished_at:
            self._wished_at = at
            self._on_change()

    def _forget(self, instance: str) -> None:
        """Forget a coordinator. Its transfers go on: their places belong to no known transfer."""
        known = self._others.pop(instance, None)
        if known is not None:
            self._add_unknown(known[0].held + known[0].handed)

    def _add_unknown(self, count: int) -> None:
        """Count so many places as taken until the agents announce again how many are."""
        self._unknown += max(0, count)
