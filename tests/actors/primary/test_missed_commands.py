"""Commands that the live subscription did not receive: they are read from the stream."""

from __future__ import annotations

import pytest

from tests.testkit.provider_sandbox import seen_late
from tests.testkit.sent_log import store_in_log
from warmxfer.actors.primary import attach
from warmxfer.bus import Bus, BusSettings, EmbeddedServer, subjects
from warmxfer.schemas import CallerHeld, SpokenLines

from .conftest import Boss, until
from .fake_session import RecordingSession


async def test_a_command_sent_before_attach_is_applied(bus: Bus, boss: Boss, room: str) -> None:
    command = boss.hold()
    await boss.send(command)
    session = RecordingSession(room)
    async with attach(bus, session, lease_s=1.0):
        reply = await boss.hears()
        assert isinstance(reply, CallerHeld)
        assert reply.command_id == command.command_id
        assert session.muted


async def test_a_session_that_starts_again_holds_its_caller_until_the_end(
    bus: Bus, boss: Boss, room: str
) -> None:
    """Found by simulation, seeds 2227 and 3990. The hold was replied to long ago. The new session did not
    hold: it ended when its caller was moved, and the caller could not be moved back.
    """
    await boss.send(boss.hold(SpokenLines().hold))
    await store_in_log(
        bus, boss.transfer_id, session=boss.session, goes_on=True, commands=9, stage="briefing"
    )
    session = RecordingSession(room)
    async with attach(bus, session, lease_s=1.0):
        assert isinstance(await boss.hears(), CallerHeld)
        assert session.muted


async def test_a_command_of_an_ended_transfer_is_ignored(bus: Bus, boss: Boss, room: str) -> None:
    boss.live = False
    old = boss.hold()
    await boss.send(old)
    session = RecordingSession(room)
    async with attach(bus, session, lease_s=1.0):
        await boss.hears_nothing()
        await boss.send(old)
        await boss.hears_nothing()
    assert session.done == []


@pytest.mark.parametrize("command", ["release", "leave"])
async def test_a_command_sent_after_an_outage_reaches_a_session_that_holds(
    fresh_server: EmbeddedServer, fresh_bus: Bus, room: str, command: str
) -> None:
    """Regression, found by simulation: the AI missed LeaveCall during an outage.

    It stayed in an empty room until its lease expired.
    """
    session = RecordingSession(room)
    async with attach(fresh_bus, session, lease_s=60.0):
        async with (
            await Bus.connect(BusSettings(url=fresh_server.url), name="one") as coordinator_bus,
            coordinator_bus.subscribe(subjects.event("t", "primary")) as events,
        ):
            boss = Boss(coordinator_bus, room, "t", events)
            await boss.send(boss.hold())
            await boss.hears()
        await fresh_server.stop(kill=True)
        await until(lambda: not fresh_bus.connected)
        await fresh_server.start()
        async with await Bus.connect(BusSettings(url=fresh_server.url), name="two") as coordinator_bus:
            sent = boss.leave() if command == "leave" else boss.release(line=None)
            boss.bus = coordinator_bus
            await boss.send(sent)
            await until(lambda: session.gone if command == "leave" else not session.muted)


async def test_a_hold_that_is_stored_late_is_found_by_polling(
    bus: Bus, boss: Boss, room: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen_late(bus, monkeypatch)
    session, hold = RecordingSession(room), boss.hold()
    await boss.send(hold)
    await boss.hears_nothing(for_s=0.05)
    async with attach(bus, session):
        assert await boss.hears() == CallerHeld(command_id=hold.command_id, caller_participant_id="caller-1")
        assert session.muted
