"""After completion the session stays on hold: for a caller who comes back, or until it leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from warmxfer.actors.primary import attach
from warmxfer.actors.primary.session_controller import HELD_BY_OTHER_TRANSFER
from warmxfer.bus import Bus, subjects
from warmxfer.schemas import (
    CallerHeld,
    CallerReleased,
    CommandFailed,
    WarmTransferPhase,
)

from .conftest import Boss, until
from .fake_session import RecordingSession

LONG_LEASE_S = 60.0


@asynccontextmanager
async def guarded(
    bus: Bus, boss: Boss, *, complete: bool = True, lease_s: float = LONG_LEASE_S
) -> AsyncIterator[RecordingSession]:
    """Attach a session whose caller was moved to the supervisor; with `complete` it knows that."""
    session = RecordingSession(boss.session)
    async with attach(bus, session, lease_s=lease_s):
        await boss.send(boss.hold())
        await boss.hears()
        session.caller_participant_id = None
        if complete:
            await boss.phase(1, WarmTransferPhase.TRANSFER_COMPLETE)
            await until(lambda: bool(session.phases))
        yield session


@asynccontextmanager
async def second_transfer(bus: Bus, boss: Boss) -> AsyncIterator[Boss]:
    """A coordinator's side of a second transfer of the same session."""
    id = f"{boss.transfer_id}-2"
    async with bus.subscribe(subjects.event(id, "primary")) as events:
        yield Boss(bus, boss.session, id, events)


async def test_in_the_guard_the_ai_is_deaf_and_silent(bus: Bus, boss: Boss) -> None:
    async with guarded(bus, boss, lease_s=3.0) as session:
        before = list(session.done)
        await boss.hears_nothing(4.0)
        assert (session.muted, session.auto_end, session.gone) == (True, False, False)
        assert [each for each in session.done[len(before) :] if each.startswith("say")] == []


async def test_a_caller_who_is_back_is_heard_and_hears_the_line(bus: Bus, boss: Boss) -> None:
    async with guarded(bus, boss) as session:
        session.caller_participant_id = "wxr-1"
        command = boss.release("The supervisor is gone.")
        await boss.send(command)
        assert await boss.hears() == CallerReleased(command_id=command.command_id)
        await until(lambda: session.done[-1] == "say interruptible: The supervisor is gone.")
        assert (session.muted, session.auto_end, session.gone) == (False, True, False)


async def test_the_ai_leaves_when_the_guard_ends(bus: Bus, boss: Boss) -> None:
    async with guarded(bus, boss) as session:
        await boss.send(boss.leave())
        await until(lambda: session.gone)
        await boss.hears_nothing()


async def test_the_lease_protects_the_guard_when_no_coordinator_is_left(bus: Bus, boss: Boss) -> None:
    async with guarded(bus, boss, lease_s=2.0) as session:
        boss.live = None
        assert await boss.hears() == CallerReleased(command_id=None, cause="bus_silent")
        await asyncio.sleep(0.3)
        assert (session.muted, session.auto_end, session.gone) == (False, False, False), (
            "it stays for the caller"
        )


async def test_a_new_transfer_takes_the_caller_over_and_ends_the_guard(bus: Bus, boss: Boss) -> None:
    async with guarded(bus, boss) as session, second_transfer(bus, boss) as second:
        await second.send(second.hold())
        assert isinstance(await second.hears(), CallerHeld)
        assert await boss.hears() == CallerReleased(command_id=None, cause="new_transfer")
        await boss.send(boss.leave())
        await boss.send(boss.release("Old line."))
        await boss.hears_nothing()
        assert (session.muted, session.gone) == (True, False), "commands of the first transfer are old"
        await second.send(second.release("New line."))
        await second.hears()
        await until(lambda: session.done[-1] == "say interruptible: New line.")


async def test_a_new_transfer_cannot_take_a_caller_from_a_transfer_that_runs(bus: Bus, boss: Boss) -> None:
    async with guarded(bus, boss, complete=False) as session, second_transfer(bus, boss) as second:
        await second.send(second.hold())
        refused = await second.hears()
        assert isinstance(refused, CommandFailed)
        assert refused.detail == HELD_BY_OTHER_TRANSFER
        await boss.hears_nothing()
        assert session.muted
