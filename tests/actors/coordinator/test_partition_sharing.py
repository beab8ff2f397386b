"""Coordinators share the partitions out, and take over those of one that stops or dies."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

import pytest

from tests.testkit.waiting import until
from warmxfer.actors.common.capacity import new_instance
from warmxfer.actors.coordinator import Coordinator, partition_owners, partition_sharing
from warmxfer.actors.coordinator.briefing_places import HeldPlaces
from warmxfer.actors.coordinator.partition_sharing import CoordinatorPresence, PartitionSharing
from warmxfer.bus import Bus, Delivery, subjects
from warmxfer.bus.consumer_table import consumers_of
from warmxfer.schemas import encode

from .coordinator_fixture import PATIENCE_S, request, running_coordinators, until_all_handled
from .fake_actors import FakeActors

KILLED_PATIENCE_S = 60.0
"""Maximum time to start a process, and for what is redelivered after it was killed."""
ALL = frozenset(consumers_of("coordinator"))


class Share:
    """What one coordinator takes from."""

    def __init__(self, sharing: PartitionSharing) -> None:
        self.sharing = sharing
        self.consumers = frozenset(sharing.consumers)
        self.running = asyncio.create_task(sharing.run(self.take_from))

    async def take_from(self, consumers: Collection[str]) -> None:
        self.consumers = frozenset(consumers)

    async def stop(self) -> None:
        self.running.cancel()
        await asyncio.wait({self.running})


class Places:
    """What one coordinator announces of its places, and what it heard of the others."""

    def __init__(self) -> None:
        self.held = HeldPlaces()
        self.heard: dict[str, HeldPlaces | None] = {}

    def held_places(self) -> HeldPlaces:
        return self.held

    def heard_coordinator(self, instance: str, places: HeldPlaces | None) -> None:
        self.heard[instance] = places


@asynccontextmanager
async def sharing(bus: Bus, places: Places | None = None) -> AsyncIterator[Share]:
    async with PartitionSharing(bus, new_instance(), places or Places()) as shared:
        share = Share(shared)
        await asyncio.sleep(0)  # A task that is cancelled before its first step runs no `finally`.
        try:
            yield share
        finally:
            await share.stop()


async def until_shared(*shares: Share) -> None:
    """Return when the shares are equal, and each consumer is in one of them."""
    share = len(ALL) // len(shares)
    async with asyncio.timeout(PATIENCE_S):
        while frozenset().union(*(each.consumers for each in shares)) != ALL or {
            len(each.consumers) for each in shares
        } != {share}:
            await asyncio.sleep(0.02)


async def test_one_alone_takes_all_at_once(fresh_bus: Bus) -> None:
    async with PartitionSharing(fresh_bus, "alone", Places()) as alone:
        assert frozenset(alone.consumers) == ALL


async def test_partitions_even_out_when_one_joins(fresh_bus: Bus) -> None:
    async with sharing(fresh_bus) as first, sharing(fresh_bus) as second:
        await until_shared(first, second)
        async with sharing(fresh_bus), sharing(fresh_bus):
            async with asyncio.timeout(PATIENCE_S):
                while len(first.consumers) != len(ALL) // 4:
                    await asyncio.sleep(0.02)


async def test_a_change_of_the_places_held_is_announced_soon(
    fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The regular announcement comes too late. A coordinator that stops holds no place any more."""
    monkeypatch.setattr(partition_owners, "LIVE_S", 1e9)
    own, others = Places(), Places()
    async with sharing(fresh_bus, others) as other:
        async with sharing(fresh_bus, own) as first:
            await until_shared(first, other)
            monkeypatch.setattr(partition_sharing, "ANNOUNCE_EVERY_S", 2 * PATIENCE_S)
            first.sharing.places_changed()
            await until(lambda: first.sharing._announce_at > asyncio.get_running_loop().time() + PATIENCE_S)
            own.held = HeldPlaces(3, 1, 1, 2)
            first.sharing.places_changed()
            await until(lambda: own.held in others.heard.values())
        await until(lambda: set(others.heard.values()) == {None})


async def test_the_others_take_over_at_once_from_one_that_stops(
    fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition_owners, "LIVE_S", 1e9)
    async with sharing(fresh_bus) as stays:
        async with sharing(fresh_bus) as leaves:
            await until_shared(stays, leaves)
        await until_shared(stays)


async def test_the_others_take_over_from_one_that_is_silent(
    fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    live_s = partition_owners.LIVE_S
    monkeypatch.setattr(partition_owners, "LIVE_S", 1e9)
    async with sharing(fresh_bus) as share:
        await fresh_bus.announce(subjects.COORDINATOR_PRESENCE, encode(CoordinatorPresence("dies")))
        async with asyncio.timeout(PATIENCE_S):
            while share.consumers == ALL:
                await asyncio.sleep(0.02)
        monkeypatch.setattr(partition_owners, "LIVE_S", live_s)
        await until_shared(share)


async def test_an_announcement_that_cannot_be_read_is_ignored(fresh_bus: Bus) -> None:
    async with sharing(fresh_bus) as first:
        await fresh_bus.announce(subjects.COORDINATOR_PRESENCE, b"{")
        async with sharing(fresh_bus) as second:
            await until_shared(first, second)


async def test_each_transfer_is_handled_by_one_of_two_coordinators(
    fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition_owners, "LIVE_S", 1e9)
    handled: dict[str, set[Coordinator]] = defaultdict(set)
    real = Coordinator.handle

    async def handle(self: Coordinator, delivery: Delivery) -> None:
        handled[delivery.transfer_id].add(self)
        await real(self, delivery)

    monkeypatch.setattr(Coordinator, "handle", handle)
    async with running_coordinators(fresh_bus, processes=2):
        await _until_each_consumer_has_one_pull(fresh_bus)
        transfers = [FakeActors(fresh_bus, f"t-{n}") for n in range(20)]
        started = (each.run_transfer(request(f"room-{each.id}", bridge_guard_s=0)) for each in transfers)
        results = await asyncio.wait_for(asyncio.gather(*started), 30)
        await until_all_handled(fresh_bus)
    assert all(result.success for result in results)
    assert [len(coordinators) for coordinators in handled.values()] == [1] * 20
    assert len(set().union(*handled.values())) == 2


async def test_the_other_one_serves_the_partitions_of_a_killed_coordinator(fresh_bus: Bus) -> None:
    env = {**os.environ, "NATS_URL": fresh_bus.settings.url, "WARMXFER_LOG_LEVEL": "error"}
    command = (sys.executable, "-m", "warmxfer.actors", "coordinator")
    process = await asyncio.create_subprocess_exec(*command, env=env)
    try:
        async with running_coordinators(fresh_bus):
            # The first one alone has one pull for each consumer too, so wait for the second one.
            await _until_running(fresh_bus, 1)
            await _until_each_consumer_has_one_pull(fresh_bus)
            process.kill()
            await process.wait()
            transfers = [FakeActors(fresh_bus, f"t-{n}") for n in range(20)]
            started = (each.run_transfer(request(f"room-{each.id}", bridge_guard_s=0)) for each in transfers)
            results = await asyncio.wait_for(asyncio.gather(*started), KILLED_PATIENCE_S)
        assert all(result.success for result in results)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _until_running(bus: Bus, count: int) -> None:
    """Return when `count` coordinator processes have registered themselves."""
    async with asyncio.timeout(KILLED_PATIENCE_S):
        while (await bus.diagnose()).services["warmxfer-coordinator"] < count:
            await asyncio.sleep(0.1)


async def _until_each_consumer_has_one_pull(bus: Bus) -> None:
    """Return when each consumer of a partition is taken from by one coordinator."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            waiting: list[int] = []
            for stream in subjects.STREAMS:
                listed = await bus._connection.api(f"CONSUMER.LIST.{stream}", None, 5.0)
                waiting += [each["num_waiting"] for each in listed["consumers"] if each["name"] in ALL]
            if waiting == [1] * len(ALL):
                return
            await asyncio.sleep(0.02)
