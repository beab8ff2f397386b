"""A release while the caller is in the consultation room: the AI stays until they return."""

from __future__ import annotations

import asyncio

from warmxfer.actors.primary import attach
from warmxfer.actors.primary.session_controller import HELD_BY_OTHER_TRANSFER, UNCOMMANDED_RELEASE_LINE
from warmxfer.bus import Bus, subjects
from warmxfer.schemas import (
    CallerReleased,
    CommandFailed,
)

from .conftest import Boss, until
from .fake_session import RaisingSession, RecordingSession


async def move_caller_away(bus: Bus, boss: Boss, session: RecordingSession) -> None:
    """Hold the caller; then the framework reports that they have left the room."""
    await boss.send(boss.hold())
    await boss.hears()
    session.caller_participant_id = None


async def test_the_ai_stays_for_a_moved_caller_and_speaks_when_they_return(
    bus: Bus, boss: Boss, room: str
) -> None:
    """Regression: the AI restored auto-end while the caller was moved, found itself alone, and left."""
    session = RecordingSession(room)
    async with attach(bus, session):
        await move_caller_away(bus, boss, session)
        command = boss.release("Sorry about that.", stay_s=30.0)
        await boss.send(command)
        assert await boss.hears() == CallerReleased(command_id=command.command_id)
        await asyncio.sleep(0.5)
        assert (session.muted, session.auto_end) == (False, False)
        assert "say interruptible: Sorry about that." not in session.done, "spoken in an empty room"
        session.caller_participant_id = "wxr-1"
        await until(lambda: session.done[-2:] == ["restore_auto_end", "say interruptible: Sorry about that."])


async def test_the_ai_waits_on_while_the_framework_cannot_find_the_caller(
    bus: Bus, boss: Boss, room: str
) -> None:
    """Before, the wait ended with the error of the framework, and each later transfer was refused."""
    session = RaisingSession(room)
    async with attach(bus, session):
        await move_caller_away(bus, boss, session)
        session.raises = True
        await boss.send(boss.release("Sorry about that.", stay_s=30.0))
        await boss.hears()
        await asyncio.sleep(0.5)
        assert not session.auto_end
        session.raises, session.caller_participant_id = False, "wxr-1"
        await until(lambda: session.done[-2:] == ["restore_auto_end", "say interruptible: Sorry about that."])


async def test_the_ai_stops_waiting_for_a_moved_caller_after_stay_s(bus: Bus, boss: Boss, room: str) -> None:
    session = RecordingSession(room)
    async with attach(bus, session):
        await move_caller_away(bus, boss, session)
        await boss.send(boss.release("Sorry.", stay_s=0.4))
        await boss.hears()
        await until(lambda: session.auto_end)
        assert "say interruptible: Sorry." not in session.done


async def test_the_apology_is_spoken_at_once_if_the_framework_does_not_know_the_caller(
    bus: Bus, boss: Boss, room: str
) -> None:
    session = RecordingSession(room, caller_participant_id=None)
    async with attach(bus, session):
        await boss.send(boss.hold())
        await boss.hears()
        await boss.send(boss.release("Sorry.", stay_s=30.0))
        await until(lambda: session.done[-1] == "say interruptible: Sorry.")


async def test_the_ai_stays_for_a_moved_caller_when_the_lease_expires(
    bus: Bus, boss: Boss, room: str
) -> None:
    """Regression: the broker was down for longer than the lease.

    The AI left, and the caller was returned to an empty room.
    """
    session = RecordingSession(room)
    boss.live = None
    async with attach(bus, session, lease_s=1.0):
        await move_caller_away(bus, boss, session)
        assert await boss.hears(within_s=4.0) == CallerReleased(command_id=None, cause="bus_silent")
        await asyncio.sleep(0.5)
        assert (session.muted, session.auto_end) == (False, False)
        session.caller_participant_id = "wxr-1"
        await until(lambda: session.done[-1] == f"say interruptible: {UNCOMMANDED_RELEASE_LINE}")
        assert not session.auto_end, "the transfer may move the caller again"


async def test_after_an_expired_lease_the_ai_stays_until_a_release_arrives(
    bus: Bus, boss: Boss, room: str
) -> None:
    """Regression, found by simulation: the caller was moved after the outage, and the AI left."""
    session = RecordingSession(room)
    boss.live = None
    async with attach(bus, session, lease_s=1.0):
        await boss.send(boss.hold())
        await boss.hears()
        assert await boss.hears(within_s=4.0) == CallerReleased(command_id=None, cause="bus_silent")
        await until(lambda: session.done[-1] == f"say interruptible: {UNCOMMANDED_RELEASE_LINE}")
        assert (session.muted, session.auto_end) == (False, False)
        await boss.send(boss.release(line=None))
        await boss.hears()
        assert session.auto_end


async def test_the_ai_does_not_stay_for_a_transfer_that_is_over(bus: Bus, boss: Boss, room: str) -> None:
    session = RecordingSession(room)
    boss.live = False
    async with attach(bus, session, lease_s=1.0):
        await boss.send(boss.hold())
        await boss.hears()
        await boss.hears(within_s=3.0)
        await until(lambda: session.auto_end)


async def test_a_waiting_ai_leaves_on_leave_call(bus: Bus, boss: Boss, room: str) -> None:
    session = RecordingSession(room)
    boss.live = None
    async with attach(bus, session, lease_s=1.0):
        await move_caller_away(bus, boss, session)
        await boss.hears(within_s=4.0)
        await boss.send(boss.leave())
        await until(lambda: session.gone)


async def test_another_transfer_cannot_hold_a_moved_caller(bus: Bus, boss: Boss, room: str) -> None:
    session = RecordingSession(room)
    async with attach(bus, session), bus.subscribe(subjects.event(f"{room}-other", "primary")) as events:
        await move_caller_away(bus, boss, session)
        await boss.send(boss.release("Sorry.", stay_s=30.0))
        await boss.hears()
        other = Boss(bus, room, f"{room}-other", events)
        await other.send(other.hold())
        reply = await other.hears()
        assert isinstance(reply, CommandFailed)
        assert reply.detail == HELD_BY_OTHER_TRANSFER
