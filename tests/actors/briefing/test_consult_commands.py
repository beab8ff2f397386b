"""The newest command counts, whether it arrives live or is read from the stream."""

from __future__ import annotations

import asyncio

import pytest

from tests.testkit.nats_server import restart
from tests.testkit.provider_sandbox import seen_late
from warmxfer.actors.briefing.consult_commands import ConsultCommands
from warmxfer.bus import Bus, BusSettings, EmbeddedServer, subjects
from warmxfer.schemas import BriefSupervisor, LeaveConsultation, encode


def encoded_brief(fence: int) -> bytes:
    command = BriefSupervisor(
        command_id=f"c-{fence}",
        deadline_at=0,
        fence=fence,
        summary="s",
        greeting="g",
        question="q",
        connecting="c",
    )
    return encode(command)


def encoded_leave(fence: int) -> bytes:
    return encode(LeaveConsultation(command_id=f"c-{fence}", deadline_at=0, fence=fence))


async def fence_of_next(commands: ConsultCommands) -> int:
    async with asyncio.timeout(3):
        return (await commands.next()).fence


async def test_commands_published_before_the_subscription_are_read_from_the_stream(
    bus: Bus, transfer_id: str
) -> None:
    await bus.publish(subjects.consult(transfer_id), encoded_brief(1))
    await bus.publish(subjects.consult(transfer_id), encoded_brief(2))
    async with ConsultCommands(bus, transfer_id, fence=0, role="briefing") as commands:
        assert await fence_of_next(commands) == 2
        await bus.publish(subjects.consult(transfer_id), encoded_brief(3))
        assert await fence_of_next(commands) == 3


async def test_a_command_with_a_lower_fencing_token_is_ignored(bus: Bus, transfer_id: str) -> None:
    async with ConsultCommands(bus, transfer_id, fence=0, role="briefing") as commands:
        for data in (encoded_brief(5), encoded_leave(4), encoded_brief(5), b"nonsense", encoded_leave(6)):
            await bus.publish(subjects.consult(transfer_id), data)
        async with asyncio.timeout(3):
            assert (await commands.leave).fence == 6
        assert await fence_of_next(commands) == 6


async def test_commands_of_an_earlier_consultation_are_ignored(bus: Bus, transfer_id: str) -> None:
    await bus.publish(subjects.consult(transfer_id), encoded_leave(1))
    async with ConsultCommands(bus, transfer_id, fence=2, role="briefing") as commands:
        assert not commands.leave.done()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await commands.next()


async def test_a_briefing_command_stored_again_after_the_leave_command_is_ignored(
    bus: Bus, transfer_id: str
) -> None:
    """Found by chaos: commands were stored again after the end, so the last one on the subject was old."""
    for data in (encoded_brief(3), encoded_leave(4), encoded_brief(3)):
        await bus.publish(subjects.consult(transfer_id), data)
    async with ConsultCommands(bus, transfer_id, fence=2, role="briefing") as commands:
        assert commands.leave.done()
        assert await fence_of_next(commands) == 4


async def test_a_command_published_while_the_broker_was_unreachable_is_read_from_the_stream(
    fresh_server: EmbeddedServer, transfer_id: str
) -> None:
    settings = BusSettings(url=fresh_server.url)
    async with await Bus.connect(settings, name="other") as other_bus:
        await other_bus.ensure()
        async with (
            await Bus.connect(settings, name="own") as own_bus,
            ConsultCommands(own_bus, transfer_id, 0, role="briefing") as commands,
        ):
            await other_bus.publish(subjects.consult(transfer_id), encoded_brief(1))
            assert await fence_of_next(commands) == 1
            await restart(fresh_server, kill=True)
            await other_bus.publish(subjects.consult(transfer_id), encoded_brief(2))
            assert await fence_of_next(commands) == 2


async def test_a_command_stored_only_after_the_first_read_is_found_by_polling(
    bus: Bus, transfer_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen_late(bus, monkeypatch)
    await bus.publish(subjects.consult(transfer_id), encoded_brief(1))
    async with ConsultCommands(bus, transfer_id, fence=0, role="briefing") as commands:
        assert await fence_of_next(commands) == 1
