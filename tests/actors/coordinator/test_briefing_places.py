"""Coordinators share the places of the briefing agents, whatever they hear late. On a virtual clock."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Sequence
from itertools import count

import pytest

from warmxfer.actors.coordinator.briefing_places import (
    HANDOVER_S,
    HELD_EXPIRES_S,
    SETTLE_S,
    START_EXPIRES_S,
    WISH_EXPIRES_S,
    BriefingPlaces,
    HeldPlaces,
)
from warmxfer.actors.coordinator.partition_owners import LIVE_S, owners_of
from warmxfer.actors.coordinator.partition_sharing import ANNOUNCE_EVERY_S, ANNOUNCE_PAUSE_S
from warmxfer.bus.partition import PARTITIONS, partition_of

ALL = frozenset(range(PARTITIONS))
UPPER = ALL - {0}
"""All but one partition: of two places, one is beyond their share."""
ASK_EVERY_S = 0.1
MAX_LATENCY_S = SETTLE_S / 2 - ANNOUNCE_PAUSE_S
AGENT_EVERY_S, AGENT_PAUSE_S = 2.0, 0.25


class World:
    """Some coordinators and one briefing agent with `places`, each of which hears of the others late."""

    def __init__(self, coordinators: int, places: int, seed: int) -> None:
        self.random = random.Random(seed)
        self.places = places
        self.now = 0.0
        self.ids = count()
        self.events: list[tuple[float, int, Callable[[], None]]] = []
        self.order = count()
        self.coordinators: list[Process] = []
        self.joined: set[str] = set()
        self.active: set[str] = set()
        self.started = 0
        self.most = 0
        self.said_at = float("-inf")
        self.will_say = False
        for _ in range(coordinators):
            self.coordinators.append(Process(self, f"c{len(self.coordinators)}"))
        self.share_out()
        self._say_taken()

    def at(self, after_s: float, do: Callable[[], None]) -> None:
        heapq.heappush(self.events, (self.now + after_s, next(self.order), do))

    def run(self, until: float) -> None:
        while self.events and self.events[0][0] <= until:
            self.now, _, do = heapq.heappop(self.events)
            do()
        self.now = until

    def share_out(self) -> None:
        owners = owners_of(frozenset(each.name for each in self.coordinators))
        for each in self.coordinators:
            own = frozenset(partition for partition, name in owners.items() if name == each.name)
            each.partitions = own
            each.counted.take_partitions(own, self.now)

    def request(self, partitions: Sequence[int] = range(PARTITIONS)) -> None:
        id = next(id for n in self.ids if partition_of(id := f"t-{n}") in partitions)
        owner = next(each for each in self.coordinators if partition_of(id) in each.partitions)
        owner.waiting.append(id)
        owner.ask()

    def change_taken(self) -> None:
        if not self.will_say:
            self.will_say = True
            self.at(max(0.0, self.said_at + AGENT_PAUSE_S - self.now), self._say_taken)

    def _say_taken(self) -> None:
        self.will_say = False
        if self.now < self.said_at + AGENT_PAUSE_S:
            return
        self.said_at, taken = self.now, len(self.joined)
        for each in self.coordinators:
            self.at(self.random.uniform(0, 0.05), lambda each=each: each.hear_agent(taken))
        self.at(AGENT_EVERY_S, self._say_taken)


class Process:
    """One coordinator of a world."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.partitions: frozenset[int] = ALL
        self.waiting: list[str] = []
        self.said_at = float("-inf")
        self.will_say = False
        self.counted = BriefingPlaces(name, self.change)
        world.at(world.random.uniform(0, ANNOUNCE_EVERY_S), self._say_regularly)
        world.at(world.random.uniform(0, ASK_EVERY_S), self._tick)

    def ask(self) -> None:
        while self.waiting and self.counted.request_place(self.world.places, self.world.now):
            self._start(self.waiting.pop(0))

    def hear_agent(self, taken: int) -> None:
        self.counted.observe_taken(taken, self.world.now)
        self.ask()

    def hear(self, sender: Process, places: HeldPlaces) -> None:
        if sender in self.world.coordinators:  # What a process says last is that it stops.
            self.counted.hear(sender.name, places, self.world.now)
            self.ask()

    def change(self) -> None:
        if not self.will_say:
            self.will_say = True
            self.world.at(max(0.0, self.said_at + ANNOUNCE_PAUSE_S - self.world.now), self._say)

    def _start(self, id: str) -> None:
        world = self.world
        self.counted.hold(id, world.now)
        world.started += 1
        world.active.add(id)
        world.most = max(world.most, len(world.active))
        join_s = world.random.uniform(0, 0.2)
        world.at(join_s, lambda: self._join(id))
        world.at(join_s + world.random.choice((0.05, 2.0, 20.0)), lambda: self._end(id))

    def _join(self, id: str) -> None:
        self.world.joined.add(id)
        self._owner(id).counted.keep(id, self.world.now, joined=True)
        self.world.change_taken()

    def _end(self, id: str) -> None:
        self.world.active.discard(id)
        self.world.joined.discard(id)
        self.world.change_taken()
        self._owner(id).counted.free(id)
        self._owner(id).ask()

    def _owner(self, id: str) -> Process:
        return next(each for each in self.world.coordinators if partition_of(id) in each.partitions)

    def _tick(self) -> None:
        self.ask()
        self.world.at(ASK_EVERY_S, self._tick)

    def _say_regularly(self) -> None:
        self._say()
        self.world.at(ANNOUNCE_EVERY_S, self._say_regularly)

    def _say(self) -> None:
        self.will_say = False
        self.said_at = self.world.now
        places = self.counted.announced(self.world.places, self.world.now)
        for other in self.world.coordinators:
            if other is not self:
                latency_s = self.world.random.uniform(0, MAX_LATENCY_S)
                self.world.at(latency_s, lambda other=other: other.hear(self, places))


@pytest.mark.parametrize("seed", range(60))
def test_coordinators_together_take_no_more_places_than_there_are(seed: int) -> None:
    chance = random.Random(seed)
    world = World(chance.randint(1, 5), chance.randint(1, 20), seed)
    world.run(1.0)
    for _ in range(chance.randint(1, 300)):
        world.at(chance.choice((0.0, 0.05, chance.uniform(0, 60))), world.request)
    world.run(90.0)
    assert world.most <= world.places
    assert world.started >= world.places or not any(each.waiting for each in world.coordinators)


@pytest.mark.parametrize("coordinators", [1, 2, 5])
@pytest.mark.parametrize("places", [1, 5, 50])
def test_a_burst_takes_each_free_place(coordinators: int, places: int) -> None:
    world = World(coordinators, places, seed=coordinators * places)
    world.run(1.0)
    for _ in range(places + 50):
        world.request()
    world.run(2.0)
    assert world.started >= places
    assert world.most <= places


def test_requests_of_one_partition_get_the_places_of_all() -> None:
    world = World(4, places=6, seed=1)
    for _ in range(6):
        world.request([3])
    world.run(1.0 + 6 * (SETTLE_S + 3 * ASK_EVERY_S))
    assert world.started == 6


@pytest.mark.parametrize("stop", [True, False], ids=["stops", "starts"])
def test_places_stay_taken_when_their_transfers_move(stop: bool) -> None:
    """A coordinator comes or goes: the others know the places of its transfers before they take more."""
    for seed in range(20):
        world = World(3, places=9, seed=seed)
        world.random.choice = lambda _: 20.0  # pyright: ignore[reportAttributeAccessIssue]
        world.run(1.0)
        for _ in range(40):
            world.request()
        world.run(3.0)
        assert len(world.active) == 9
        if stop:
            stopped = world.coordinators.pop()
            for each in world.coordinators:
                each.counted.hear(stopped.name, None, world.now)
            world.coordinators[0].waiting += stopped.waiting
        else:
            new = Process(world, "new")
            for each in world.coordinators:
                new.counted.hear(each.name, each.counted.announced(world.places, world.now), world.now)
            world.coordinators.append(new)
        world.share_out()
        for each in world.coordinators:
            each.change()
        world.run(18.0)
        assert world.most == 9, f"seed {seed}"


def places_of(partitions: frozenset[int] = ALL) -> BriefingPlaces:
    places = BriefingPlaces("b")
    places.take_partitions(partitions, 0.0)
    return places


def test_a_place_beyond_the_share_is_taken_once_a_wish_has_settled() -> None:
    places = places_of(UPPER)
    places.hold("t-1", 0.0)
    assert not places.request_place(2, 0.1)
    assert places.announced(2, 0.1) == HeldPlaces(1, 1, 1)
    assert not places.request_place(2, 0.1 + SETTLE_S - 0.01)
    assert places.request_place(2, 0.1 + SETTLE_S)


@pytest.mark.parametrize(("other", "takes"), [("a", False), ("c", True)])
def test_of_two_wishes_that_of_the_first_name_counts(other: str, takes: bool) -> None:
    places = places_of(UPPER)
    places.hold("t-1", 0.0)
    places.request_place(2, 0.0)
    places.hear(other, HeldPlaces(0, 1, 1), 0.1)
    assert places.request_place(2, SETTLE_S) is takes


def test_a_wish_ends_when_no_request_needs_it() -> None:
    places = places_of(UPPER)
    places.hold("t-1", 0.0)
    places.request_place(2, 0.0)
    assert places.announced(2, WISH_EXPIRES_S + 0.01).wished == 0


def test_a_start_without_a_record_expires() -> None:
    places = places_of()
    places.hold("t-1", 0.0)
    assert not places.request_place(1, START_EXPIRES_S - 0.01)
    assert places.request_place(1, START_EXPIRES_S)


def test_a_transfer_without_a_new_record_counts_no_more_after_a_while() -> None:
    """Another coordinator ended it while this one was cut off. Its place stayed taken until a restart."""
    places = BriefingPlaces("a")
    for at in (0.0, HELD_EXPIRES_S - 1):
        places.hold("t-1", at)
        places.keep("t-1", at, joined=True)
    assert not places.request_place(1, HELD_EXPIRES_S)
    over_at = 2 * HELD_EXPIRES_S
    assert not places.request_place(1, over_at), (
        "it counts until the agents announce how many places are taken"
    )
    places.observe_taken(0, over_at)
    assert places.request_place(1, over_at)


def test_a_transfer_of_a_released_partition_keeps_its_place_for_a_while() -> None:
    places = places_of()
    places.hold("t-1", 0.0)
    places.take_partitions(ALL - {partition_of("t-1")}, 1.0)
    assert places.announced(16, 1.0).handed == 1
    assert places.announced(16, 1.0 + HANDOVER_S) == HeldPlaces()


def test_a_late_record_of_a_released_partition_keeps_no_place_for_ever() -> None:
    places = places_of(ALL - {partition_of("t-1")})
    places.keep("t-1", 0.0, joined=True)
    assert places.announced(16, HANDOVER_S) == HeldPlaces()


def test_the_places_of_a_silent_coordinator_count_until_the_agents_announce_theirs() -> None:
    places = places_of()
    places.hear("a", HeldPlaces(3), 0.0)
    assert places.taken(4) == 3
    assert places.request_place(4, LIVE_S + 0.1)
    assert places.taken(4) == 3
    places.observe_taken(0, LIVE_S + 0.2)
    assert places.taken(4) == 0


def test_places_of_no_known_transfer_are_those_that_the_agents_announce_beyond_the_known_ones() -> None:
    places = places_of()
    places.keep("t-1", 0.0, joined=True)
    places.hold("t-2", 0.0)
    places.hear("a", HeldPlaces(1, handed=1), 0.0)
    places.observe_taken(5, 0.0)
    assert places.taken(16) == 2 + 2 + 2
