"""Who takes which partition: the same answer everywhere, equal shares, few moves."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from warmxfer.actors.coordinator.partition_owners import (
    LIVE_S,
    MAX_INSTANCES,
    LiveInstances,
    owners_of,
)
from warmxfer.bus.partition import PARTITIONS

ALL = frozenset(range(PARTITIONS))


def names(count: int, seed: int = 1) -> list[str]:
    chance = Random(seed)
    return [f"{chance.getrandbits(64):016x}" for _ in range(count)]


@pytest.mark.parametrize("count", range(1, PARTITIONS + 4))
def test_each_partition_has_one_owner_and_shares_differ_by_one_at_most(count: int) -> None:
    for seed in range(20):
        instances = names(count, seed)
        owners = owners_of(frozenset(instances))
        assert set(owners) == ALL
        shares = Counter(owners.values())
        owned = [shares[each] for each in instances]
        assert max(owned) - min(owned) <= 1


@pytest.mark.parametrize("count", range(1, 8))
def test_few_partitions_move_beside_those_of_the_coordinator_that_joins_or_leaves(count: int) -> None:
    """Measured over many names: a plain rendezvous hash without equal shares moves none of the others."""
    others_moved = 0
    for seed in range(50):
        *stay, joins = names(count + 1, seed)
        before, after = owners_of(frozenset(stay)), owners_of(frozenset((*stay, joins)))
        others_moved += sum(before[each] != after[each] != joins for each in ALL)
    assert others_moved / 50 <= PARTITIONS / 5


def test_without_a_coordinator_nothing_is_owned() -> None:
    assert owners_of(frozenset()) == {}


def test_a_coordinator_alone_takes_all_and_counts_itself_once() -> None:
    live = LiveInstances("a")
    assert not live.heard("a", 0.0)
    assert live.partitions(0.0) == ALL


def test_two_that_hear_of_each_other_share_all() -> None:
    one, other = LiveInstances("a"), LiveInstances("b")
    assert one.heard("b", 0.0)
    assert not one.heard("b", 0.1), "it is known"
    other.heard("a", 0.0)
    assert len(one.partitions(0.1)) == len(other.partitions(0.1)) == PARTITIONS // 2
    assert one.partitions(0.1) | other.partitions(0.1) == ALL


def test_one_that_is_silent_for_too_long_owns_nothing() -> None:
    live = LiveInstances("a")
    live.heard("b", 0.0)
    assert live.partitions(LIVE_S) != ALL
    assert live.partitions(LIVE_S + 0.1) == ALL
    assert live.heard("b", LIVE_S + 0.2), "it is new again"


def test_one_that_stops_owns_nothing_at_once() -> None:
    live = LiveInstances("a")
    live.heard("b", 0.0)
    live.stopped("b")
    live.stopped("unknown")
    assert live.partitions(0.0) == ALL


def test_silence_while_nothing_could_arrive_does_not_count() -> None:
    live = LiveInstances("a")
    live.heard("b", 0.0)
    live.pause(100.0)
    assert live.partitions(100.0 + LIVE_S) != ALL
    assert live.partitions(100.0 + 2 * LIVE_S) == ALL


def test_a_flood_of_names_is_not_remembered() -> None:
    live = LiveInstances("a")
    for name in names(10 * MAX_INSTANCES):
        live.heard(name, 0.0)
    assert len(live._heard_at) == MAX_INSTANCES
