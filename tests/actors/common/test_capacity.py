"""What a process announces reaches who follows all roles, with its role: regularly, and after a change."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.simulation.loop import SimLoop
from tests.testkit.waiting import until
from warmxfer.actors.common import capacity
from warmxfer.actors.common.capacity import (
    ANNOUNCE_EVERY_S,
    ANNOUNCE_PAUSE_S,
    CapacityAnnouncer,
    CapacityFollower,
    RoleCapacity,
)
from warmxfer.bus import Bus
from warmxfer.schemas import decode_as


@pytest.mark.parametrize("role", ["gateway", "briefing"])
async def test_an_announcement_is_heard_with_its_role(bus: Bus, role: str) -> None:
    announced = RoleCapacity(f"instance-of-{role}", 5, 2)
    heard: list[tuple[str, RoleCapacity]] = []
    async with (
        CapacityFollower(bus, lambda *each: heard.append(each)),
        CapacityAnnouncer(bus, role, lambda: announced),
    ):
        await until(lambda: (role, announced) in heard)


class Announced:
    """A bus that keeps when which capacity was announced, and how often it was read."""

    def __init__(self) -> None:
        self.now = RoleCapacity("a", 10)
        self.reads = 0
        self.sent: list[tuple[float, RoleCapacity]] = []
        self.announcer = CapacityAnnouncer(self, "briefing", self._read)  # pyright: ignore[reportArgumentType]

    async def announce(self, subject: str, data: bytes) -> None:
        self.sent.append((asyncio.get_running_loop().time(), decode_as(RoleCapacity, data)))

    def take(self, taken: int, wait_s: float = 0.0) -> None:
        self.now = RoleCapacity("a", 10, taken, wait_s=wait_s)
        self.announcer.changed()

    def _read(self) -> RoleCapacity:
        self.reads += 1
        return self.now

    @property
    def times(self) -> list[float]:
        return [round(at, 3) for at, _ in self.sent]

    @property
    def taken(self) -> list[int]:
        return [each.taken for _, each in self.sent]


def virtually(test: Callable[[Announced], Awaitable[None]]) -> Callable[[], None]:
    """Run a test on a loop whose time is virtual."""

    async def whole() -> None:
        announced = Announced()
        async with announced.announcer:
            await test(announced)

    def run() -> None:
        loop = SimLoop()
        try:
            loop.run_until_complete(whole())
        finally:
            loop.close()

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


@virtually
async def test_while_nothing_changes_it_reads_only_to_announce(announced: Announced) -> None:
    await asyncio.sleep(100.0)
    assert announced.times == [ANNOUNCE_EVERY_S * n for n in range(len(announced.sent))]
    assert len(announced.sent) >= 100 / ANNOUNCE_EVERY_S
    assert announced.reads <= 2 * len(announced.sent)


@virtually
async def test_a_change_is_announced_at_once(announced: Announced) -> None:
    await asyncio.sleep(1.1)
    announced.take(1)
    await asyncio.sleep(0.0)
    await asyncio.sleep(0.01)
    assert (announced.times, announced.taken) == ([0.0, 1.1], [0, 1])


@virtually
async def test_changes_are_announced_with_a_pause_between(announced: Announced) -> None:
    for taken in range(1, 101):
        await asyncio.sleep(0.01)
        announced.take(taken)
    await asyncio.sleep(ANNOUNCE_PAUSE_S)
    gaps = [after - before for before, after in zip(announced.times, announced.times[1:], strict=False)]
    assert min(gaps) >= ANNOUNCE_PAUSE_S - 1e-3
    assert len(gaps) >= 4
    assert announced.taken[-1] == 100


@virtually
async def test_a_change_of_nothing_that_is_announced_sends_nothing(announced: Announced) -> None:
    await asyncio.sleep(0.5)
    announced.take(0, wait_s=capacity.WAIT_STEP_S - 0.1)
    await asyncio.sleep(1.0)
    assert announced.times == [0.0]
    announced.take(0, wait_s=capacity.WAIT_STEP_S)
    await asyncio.sleep(0.1)
    assert announced.times == [0.0, 1.5]
