"""Which coordinators are live, and which of them takes which partitions. Pure.

All coordinators that have heard of the same ones compute the same owners.
Invariants (`test_partition_owners.py`):

- Each partition has one owner.
- The numbers of partitions of two owners differ by one at most.
- When a coordinator comes or goes, few partitions move beside its own.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

from warmxfer.bus.partition import PARTITIONS

LIVE_S = 2.5
"""Without an announcement for this long a coordinator counts as dead. It sends five in that time."""
MAX_INSTANCES = 64
"""Coordinators that one remembers. More than `PARTITIONS` of them find nothing left to take."""


@lru_cache(maxsize=4)
def owners_of(instances: frozenset[str], partitions: int = PARTITIONS) -> dict[int, str]:
    """Return the owner of each partition: the highest hash of both, with an equal share for each instance."""
    if not instances:
        return {}
    share, extra = divmod(partitions, len(instances))
    owned = dict.fromkeys(instances, 0)
    owners: dict[int, str] = {}
    pairs = (
        (_weight(name, partition), name, partition) for name in instances for partition in range(partitions)
    )
    for _, name, partition in sorted(pairs, reverse=True):
        has_room = owned[name] < share or (owned[name] == share and extra > 0)
        if partition in owners or not has_room:
            continue
        extra -= owned[name] == share
        owners[partition] = name
        owned[name] += 1
    return owners


class LiveInstances:
    """The coordinators that are live, as one of them has heard. It always counts itself."""

    def __init__(self, own: str) -> None:
        self.own = own
        self._heard_at: dict[str, float] = {}
        self._owned: frozenset[int] | None = None
        """The partitions that this coordinator takes; None while they are to be computed."""

    def heard(self, instance: str, now: float) -> bool:
        """Note that `instance` is live. Returns True if it is new."""
        if instance == self.own:
            return False
        is_new = instance not in self._heard_at
        if not is_new or len(self._heard_at) < MAX_INSTANCES:
            self._heard_at[instance] = now
        if is_new:
            self._owned = None
        return is_new

    def stopped(self, instance: str) -> None:
        """Note that `instance` takes nothing any more."""
        self._heard_at.pop(instance, None)
        self._owned = None

    def pause(self, now: float) -> None:
        """Start the time of all again: no announcement could arrive until `now`."""
        self._heard_at = dict.fromkeys(self._heard_at, now)

    @property
    def are_others(self) -> bool:
        """True if another coordinator is live."""
        return bool(self._heard_at)

    @property
    def dies_at(self) -> float:
        """When the first of the others counts as dead, if it is not heard again."""
        return min(self._heard_at.values(), default=float("inf")) + LIVE_S

    def partitions(self, now: float) -> frozenset[int]:
        """Return the partitions that this coordinator takes."""
        if now > self.dies_at:
            self._heard_at = {each: at for each, at in self._heard_at.items() if now - at <= LIVE_S}
            self._owned = None
        if self._owned is None:
            owners = owners_of(frozenset((*self._heard_at, self.own)), PARTITIONS)
            self._owned = frozenset(partition for partition, owner in owners.items() if owner == self.own)
        return self._owned


def _weight(instance: str, partition: int) -> bytes:
    return hashlib.blake2b(f"{instance}:{partition}".encode(), digest_size=8).digest()
