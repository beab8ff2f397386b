"""The lease on a hold: when it expires, and that it releases the caller."""

from __future__ import annotations

import asyncio

import pytest

from warmxfer.actors.primary import attach
from warmxfer.actors.primary.hold_lease import HoldLease
from warmxfer.actors.primary.session_controller import UNCOMMANDED_RELEASE_LINE
from warmxfer.bus import Bus, BusSettings, EmbeddedServer, subjects
from warmxfer.schemas import (
    CallerReleased,
    Liveness,
    decode_event,
)

from .conftest import Boss, until
from .fake_session import RaisingSession, RecordingSession

LEASE_S = 20.0


@pytest.mark.parametrize(
    ("replies", "now_s", "expired"),
    [
        ([], 19.9, False),
        ([], 20.0, True),
        ([(5.0, True)], 24.9, False),
        ([(5.0, True)], 25.0, True),
        ([(5.0, False)], 10.0, False),
        ([(5.0, False), (10.0, False)], 10.0, True),
        ([(5.0, False), (10.0, True), (15.0, False)], 20.0, False),
    ],
    ids=[
        "no reply, within the lease",
        "no reply for a whole lease",
        "a reply renews the lease",
        "a whole lease after the reply",
        "one negative reply may be a stale read",
        "two negative replies in a row",
        "a positive reply between resets the count",
    ],
)
def test_a_lease_expires_without_a_positive_reply(
    replies: list[tuple[float, bool]], now_s: float, expired: bool
) -> None:
    lease = HoldLease(LEASE_S, 0.0)
    for at_s, live in replies:
        lease.record_reply(live, at_s)
    assert lease.expired(now_s) is expired


async def test_the_caller_is_released_when_no_coordinator_replies(bus: Bus, boss: Boss, room: str) -> None:
    session = RecordingSession(room)
    boss.live = None
    async with attach(bus, session, lease_s=1.0):
        command = boss.hold()
        await boss.send(command)
        await boss.hears()
        assert await boss.hears() == CallerReleased(command_id=None, cause="bus_silent")
        await until(lambda: session.done[-1] == f"say interruptible: {UNCOMMANDED_RELEASE_LINE}")
        assert not session.muted
        await boss.send(command)
        assert await boss.hears() == CallerReleased(command_id=None, cause="bus_silent"), "the newest reply"
        assert not session.muted


async def test_the_lease_releases_a_caller_whom_the_framework_cannot_find(
    bus: Bus, boss: Boss, room: str
) -> None:
    """Before, the lease ended with the error of the framework, and the caller stayed muted."""
    session = RaisingSession(room)
    boss.live = None
    async with attach(bus, session, lease_s=1.0):
        await boss.send(boss.hold())
        await boss.hears()
        session.raises = True
        assert await boss.hears() == CallerReleased(command_id=None, cause="bus_silent")
        assert not session.muted
        await until(lambda: session.done[-1] == f"say interruptible: {UNCOMMANDED_RELEASE_LINE}")
        assert not session.auto_end, "the caller may be in the consultation room"


async def test_a_hold_ends_after_two_negative_liveness_replies(bus: Bus, boss: Boss, room: str) -> None:
    session = RecordingSession(room)
    boss.live = False
    async with attach(bus, session, lease_s=6.0):
        started_at = asyncio.get_running_loop().time()
        await boss.send(boss.hold())
        await boss.hears()
        assert await boss.hears() == CallerReleased(command_id=None, cause="bus_silent")
        assert 2.9 < asyncio.get_running_loop().time() - started_at < 5.9, (
            "two checks, a quarter of the lease each"
        )
        assert boss.queries >= 2


async def test_a_failed_liveness_query_counts_as_no_reply(bus: Bus, boss: Boss, room: str) -> None:
    """Regression: the first error reply ended the task that watches the lease.

    A coordinator of an older version replies with an error to a record of a newer version.
    """
    session = RecordingSession(room)
    boss.fails = True
    async with attach(bus, session, lease_s=1.0):
        await boss.send(boss.hold())
        await boss.hears()
        assert await boss.hears() == CallerReleased(command_id=None, cause="bus_silent")
        assert not session.muted


async def test_the_lease_expires_when_the_liveness_check_raises(
    bus: Bus, boss: Boss, room: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def break_down(*_: object) -> dict[str, Liveness]:
        raise LookupError("an unexpected failure")

    monkeypatch.setattr("warmxfer.actors.common.liveness_watch.ask", break_down)
    session = RecordingSession(room)
    async with attach(bus, session, lease_s=1.0):
        await boss.send(boss.hold())
        await boss.hears()
        assert await boss.hears() == CallerReleased(command_id=None, cause="bus_silent")
        assert not session.muted


async def test_a_live_transfer_holds_longer_than_the_lease(bus: Bus, boss: Boss, room: str) -> None:
    session = RecordingSession(room)
    async with attach(bus, session, lease_s=3.0):
        await boss.send(boss.hold())
        await boss.hears()
        await boss.hears_nothing(for_s=4.0)
        assert session.muted


async def test_a_broker_outage_longer_than_the_lease_releases_the_caller(
    fresh_server: EmbeddedServer, fresh_bus: Bus, room: str
) -> None:
    """The session releases the caller during the outage, and publishes that after it."""
    session = RecordingSession(room)
    async with (
        await Bus.connect(BusSettings(url=fresh_server.url), name="coordinator") as coordinator_bus,
        attach(fresh_bus, session, lease_s=1.0),
        coordinator_bus.subscribe(subjects.event("t", "primary")) as events,
    ):
        boss = Boss(coordinator_bus, room, "t", events)
        await boss.send(boss.hold())
        await boss.hears()
        await fresh_server.stop(kill=True)
        await until(lambda: not session.muted)
        await fresh_server.start()
        async with asyncio.timeout(30.0):
            while len(stored := await coordinator_bus.history(subjects.event("t", "primary"), 10)) < 2:
                await asyncio.sleep(0.05)
        assert decode_event(stored[1].data) == CallerReleased(command_id=None, cause="bus_silent")
