"""What a process announces reaches who follows all roles, with its role."""

from __future__ import annotations

import pytest

from tests.testkit.waiting import until
from warmxfer.actors.common.capacity import CapacityAnnouncer, CapacityFollower, RoleCapacity
from warmxfer.bus import Bus


@pytest.mark.parametrize("role", ["gateway", "briefing"])
async def test_an_announcement_is_heard_with_its_role(bus: Bus, role: str) -> None:
    announced = RoleCapacity(f"instance-of-{role}", 5, 2)
    heard: list[tuple[str, RoleCapacity]] = []
    async with (
        CapacityFollower(bus, lambda *each: heard.append(each)),
        CapacityAnnouncer(bus, role, lambda: announced),
    ):
        await until(lambda: (role, announced) in heard)
