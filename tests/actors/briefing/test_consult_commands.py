"""The newest command counts, whether it arrives live or is read from the stream."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.testkit.nats_server import restart
from tests.testkit.provider_sandbox import seen_late
from tests.testkit.sent_log import store_in_log
from tests.testkit.waiting import until
from warmxfer.actors.briefing.consult_commands import ConsultCommands
from warmxfer.actors.common.log_check import LogCheck
from warmxfer.bus import Bus, BusSettings, EmbeddedServer, Stored, subjects
from warmxfer.schemas import BriefSupervisor, LeaveConsultation, ToConsult, encode


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


async def send(bus: Bus, transfer_id: str, data: bytes) -> None:
    """Send a command that the log holds."""
    if data.startswith(b"{"):
        await store_in_log(bus, transfer_id, data)
    await bus.publish(subjects.consult(transfer_id), data)


AWAITED = {"kind": "leave_consultation", "due_at": 9e9}


class Forwarded:
    """The commands that are forwarded from now on: the newest one so far first."""

    def __init__(self, commands: ConsultCommands) -> None:
        self._queue: asyncio.Queue[ToConsult] = asyncio.Queue()
        commands.forward_to(self._queue.put_nowait)

    async def fence_of_next(self, within_s: float = 3.0) -> int:
        async with asyncio.timeout(within_s):
            return (await self._queue.get()).fence


async def test_commands_published_before_the_subscription_are_read_from_the_stream(
    bus: Bus, transfer_id: str
) -> None:
    await send(bus, transfer_id, encoded_brief(1))
    await send(bus, transfer_id, encoded_brief(2))
    async with ConsultCommands(bus, LogCheck(bus), transfer_id, fence=0, role="briefing") as commands:
        forwarded = Forwarded(commands)
        assert await forwarded.fence_of_next() == 2
        await send(bus, transfer_id, encoded_brief(3))
        assert await forwarded.fence_of_next() == 3


async def test_a_command_with_a_lower_fencing_token_is_ignored(bus: Bus, transfer_id: str) -> None:
    async with ConsultCommands(bus, LogCheck(bus), transfer_id, fence=0, role="briefing") as commands:
        for data in (encoded_brief(5), encoded_leave(4), encoded_brief(5), b"nonsense", encoded_leave(6)):
            await send(bus, transfer_id, data)
        async with asyncio.timeout(3):
            assert (await commands.leave).fence == 6
        assert await Forwarded(commands).fence_of_next() == 6


async def test_commands_of_an_earlier_consultation_are_ignored(bus: Bus, transfer_id: str) -> None:
    await send(bus, transfer_id, encoded_leave(1))
    async with ConsultCommands(bus, LogCheck(bus), transfer_id, fence=2, role="briefing") as commands:
        assert not commands.leave.done()
        with pytest.raises(TimeoutError):
            await Forwarded(commands).fence_of_next(within_s=0.2)


async def test_a_briefing_command_stored_again_after_the_leave_command_is_ignored(
    bus: Bus, transfer_id: str
) -> None:
    """Found by chaos: commands were stored again after the end, so the last one on the subject was old."""
    for data in (encoded_brief(3), encoded_leave(4), encoded_brief(3)):
        await send(bus, transfer_id, data)
    async with ConsultCommands(bus, LogCheck(bus), transfer_id, fence=2, role="briefing") as commands:
        assert commands.leave.done()
        assert await Forwarded(commands).fence_of_next() == 4


@pytest.mark.parametrize("says", ["the outbox", "what is awaited"])
async def test_a_leave_command_that_is_hidden_is_found_in_the_log(
    bus: Bus, transfer_id: str, says: str
) -> None:
    """The agent missed it live, and an old command that was stored again is the newest one."""
    async with ConsultCommands(bus, LogCheck(bus), transfer_id, fence=0, role="briefing") as commands:
        forwarded = Forwarded(commands)
        await send(bus, transfer_id, encoded_brief(3))
        assert await forwarded.fence_of_next() == 3
        commands.read_again()
        await until(lambda: commands._read_seq > 0)
        if says == "the outbox":
            await store_in_log(bus, transfer_id, encoded_leave(4))
        else:
            await store_in_log(bus, transfer_id, pending={f"{transfer_id}-4": AWAITED})
        await bus.publish(subjects.consult(transfer_id), encoded_brief(3))
        commands.read_again()
        async with asyncio.timeout(5):
            assert (await commands.leave).fence == 4


async def test_a_command_published_while_the_broker_was_unreachable_is_read_from_the_stream(
    fresh_server: EmbeddedServer, transfer_id: str
) -> None:
    settings = BusSettings(url=fresh_server.url)
    async with await Bus.connect(settings, name="other") as other_bus:
        await other_bus.ensure()
        async with (
            await Bus.connect(settings, name="own") as own_bus,
            ConsultCommands(own_bus, LogCheck(own_bus), transfer_id, 0, role="briefing") as commands,
        ):
            forwarded = Forwarded(commands)
            await send(other_bus, transfer_id, encoded_brief(1))
            assert await forwarded.fence_of_next() == 1
            await restart(fresh_server, kill=True)
            await send(other_bus, transfer_id, encoded_brief(2))
            assert await forwarded.fence_of_next() == 2


async def test_a_command_stored_only_after_the_first_read_is_found_by_polling(
    bus: Bus, transfer_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen_late(bus, monkeypatch)
    await send(bus, transfer_id, encoded_brief(1))
    async with ConsultCommands(bus, LogCheck(bus), transfer_id, fence=0, role="briefing") as commands:
        assert await Forwarded(commands).fence_of_next() == 1


async def test_a_command_that_the_log_has_not_sent_is_not_taken(bus: Bus, transfer_id: str) -> None:
    """Before, anyone who could publish on the subject had the agent read a text of theirs, or leave."""
    async with ConsultCommands(bus, LogCheck(bus), transfer_id, fence=0, role="briefing") as commands:
        forwarded = Forwarded(commands)
        await bus.publish(subjects.consult(transfer_id), encoded_brief(7))
        await bus.publish(subjects.consult(transfer_id), encoded_leave(8))
        await send(bus, transfer_id, encoded_brief(1))
        assert await forwarded.fence_of_next() == 1, "the forged one did not raise the fence"
        assert not commands.leave.done()


async def test_a_command_whose_log_comes_late_is_taken(bus: Bus, transfer_id: str) -> None:
    async with ConsultCommands(bus, LogCheck(bus), transfer_id, fence=0, role="briefing") as commands:
        await bus.publish(subjects.consult(transfer_id), encoded_leave(1))
        await asyncio.sleep(0.2)
        assert not commands.leave.done()
        await store_in_log(bus, transfer_id, encoded_leave(1))
        async with asyncio.timeout(3):
            assert (await commands.leave).fence == 1


def reads_of(bus: Bus, subject: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list to which each read of the newest message on `subject` is added."""
    reads: list[str] = []
    last = bus.get_last

    async def counted(read: str, *, deadline_s: float = 5.0) -> Stored | None:
        if read == subject:
            reads.append(read)
        return await last(read, deadline_s=deadline_s)

    monkeypatch.setattr(bus, "get_last", counted)
    return reads


async def test_a_new_consultation_reads_no_command_at_once(
    bus: Bus, transfer_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log had sent none. What was stored before the subscription all the same is read a moment later."""
    await store_in_log(bus, transfer_id)
    check = LogCheck(bus)
    await check.read(transfer_id)
    reads = reads_of(bus, subjects.consult(transfer_id), monkeypatch)
    await send(bus, transfer_id, encoded_leave(1))
    async with ConsultCommands(bus, check, transfer_id, 0, role="briefing", is_first=True) as commands:
        assert not reads
        async with asyncio.timeout(3):
            assert (await commands.leave).fence == 1
        assert reads


@pytest.mark.parametrize(
    ("state", "is_first"),
    [
        ({"stage": "briefing"}, True),
        ({"stage": "unwinding", "pending": {"t-4": AWAITED}}, True),
        ({"stage": "ringing"}, False),
    ],
)
async def test_commands_are_read_at_once_if_the_agent_may_have_been_told_more(
    bus: Bus, transfer_id: str, state: dict[str, Any], is_first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store_in_log(bus, transfer_id, **state)
    check = LogCheck(bus)
    await check.read(transfer_id)
    reads = reads_of(bus, subjects.consult(transfer_id), monkeypatch)
    async with ConsultCommands(bus, check, transfer_id, 0, role="briefing", is_first=is_first):
        assert reads


async def test_commands_are_read_at_once_if_the_log_was_not_read(
    bus: Bus, transfer_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store_in_log(bus, transfer_id)
    reads = reads_of(bus, subjects.consult(transfer_id), monkeypatch)
    async with ConsultCommands(bus, LogCheck(bus), transfer_id, 0, role="briefing", is_first=True):
        assert reads
