"""Reads of the log: when one is needed, when an earlier one serves, and what a failed one means."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.testkit.sent_log import store_in_log
from warmxfer.actors.common import log_check
from warmxfer.actors.common.log_check import LogCheck
from warmxfer.actors.common.sent_by_log import FoundInLog
from warmxfer.bus import AccessDenied, Bus, Delivery, NewerVersionNeeded, Unavailable, subjects
from warmxfer.schemas import CreateRoom, LeaveCall, encode


def command(transfer_id: str, number: int = 1) -> LeaveCall:
    return LeaveCall(command_id=f"{transfer_id}-{number}", deadline_at=0.0, fence=number)


async def test_a_record_serves_for_its_other_commands_and_for_a_moment_only(
    bus: Bus, transfer_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store_in_log(bus, transfer_id, command(transfer_id, 1), command(transfer_id, 2))
    check, reads = LogCheck(bus), list[str]()
    get_last = bus.get_last

    async def counted(subject: str, **more: float) -> object:
        reads.append(subject)
        return await get_last(subject, **more)

    monkeypatch.setattr(bus, "get_last", counted)
    monkeypatch.setattr(log_check, "KEPT_S", 60.0)
    for number in (1, 2, 1):
        assert await check.find(transfer_id, encode(command(transfer_id, number))) is FoundInLog.SENT
    assert len(reads) == 1
    monkeypatch.setattr(log_check, "KEPT_S", -1.0)
    assert await check.find(transfer_id, encode(command(transfer_id, 1))) is FoundInLog.SENT
    assert len(reads) == 2


async def test_a_record_that_serves_no_more_is_not_kept(
    bus: Bus, transfer_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that waits for a supervisor for minutes would keep the record of its hold."""
    monkeypatch.setattr(log_check, "KEPT_S", 0.05)
    await store_in_log(bus, transfer_id, command(transfer_id))
    check = LogCheck(bus)
    await check.read(transfer_id)
    assert list(check._kept) == [transfer_id]
    async with asyncio.timeout(5):
        while check._kept or check._dropping is not None:
            await asyncio.sleep(0.01)


async def test_the_record_of_another_transfer_allows_nothing(bus: Bus, transfer_id: str) -> None:
    check, other = LogCheck(bus), f"{transfer_id}-other"
    await store_in_log(bus, transfer_id, command(other, 1), id=other)
    assert await check.find(transfer_id, encode(command(other, 1))) is FoundInLog.UNKNOWN
    assert await check.read(transfer_id) is None


async def test_a_refusal_is_read_anew(bus: Bus, transfer_id: str) -> None:
    check = LogCheck(bus)
    await store_in_log(bus, transfer_id, command(transfer_id, 1))
    assert await check.find(transfer_id, encode(command(transfer_id, 1))) is FoundInLog.SENT
    assert await check.find(transfer_id, encode(command(transfer_id, 2))) is FoundInLog.UNKNOWN
    await store_in_log(bus, transfer_id, command(transfer_id, 2))
    assert await check.find(transfer_id, encode(command(transfer_id, 2))) is FoundInLog.SENT


@pytest.mark.parametrize("stored", [None, b"", b"{", b"[]", b'{"at": 1}', b"\xff", b"[" * 50_000])
async def test_a_log_that_cannot_be_read_decides_nothing(
    bus: Bus, transfer_id: str, stored: bytes | None
) -> None:
    if stored is not None:
        await bus.publish(subjects.log(transfer_id), stored)
    check = LogCheck(bus)
    assert await check.find(transfer_id, encode(command(transfer_id))) is FoundInLog.UNKNOWN
    assert await check.exists(transfer_id) is (stored is not None)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"7", b"\xff", b"[" * 50_000, b"{}"])
async def test_what_is_no_command_was_not_sent(bus: Bus, transfer_id: str, data: bytes) -> None:
    await store_in_log(bus, transfer_id, command(transfer_id))
    assert await LogCheck(bus).find(transfer_id, data) is FoundInLog.NOT_SENT


async def test_a_read_that_fails_is_repeated(
    bus: Bus, transfer_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store_in_log(bus, transfer_id, command(transfer_id))
    get_last = bus.get_last
    failures = [Unavailable("away"), AccessDenied("This user may not"), Unavailable("away")]

    async def failing(subject: str, **more: float) -> object:
        if failures:
            raise failures.pop()
        return await get_last(subject, **more)

    monkeypatch.setattr(bus, "get_last", failing)
    assert await LogCheck(bus).find_patiently(transfer_id, encode(command(transfer_id))) is FoundInLog.SENT


async def test_the_kept_records_are_limited(
    bus: Bus, transfer_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_check, "MAX_KEPT", 2)
    check = LogCheck(bus)
    for place in range(3):
        id = f"{transfer_id}-{place}"
        await store_in_log(bus, id, CreateRoom(command_id=f"{id}-1", deadline_at=0.0, key=id))
        await check.read(id)
    assert [check.kept(f"{transfer_id}-{place}") is None for place in range(3)] == [True, False, False]


async def test_a_record_of_a_newer_version_is_read(bus: Bus, transfer_id: str) -> None:
    newer = {
        "at": 1.0,
        "state": {"id": transfer_id, "stage": "meditating", "commands": 1, "mood": {"calm": True}},
        "outbox": [json.loads(encode(command(transfer_id))), {"type": "play_music"}],
        "min_machine_version": 99,
    }
    await bus.publish(subjects.log(transfer_id), json.dumps(newer).encode())
    assert await LogCheck(bus).find(transfer_id, encode(command(transfer_id))) is FoundInLog.SENT


@pytest.mark.parametrize("stage", ["meditating", "cancelled"])
async def test_a_stage_of_a_newer_version_leaves_the_command_to_a_newer_worker(
    bus: Bus, transfer_id: str, stage: str
) -> None:
    """A rolling upgrade: an older worker gets the command of one that stopped, after a newer coordinator."""
    state = {"id": transfer_id, "stage": stage, "commands": 9}
    body = json.dumps({"at": 1.0, "state": state, "outbox": []}).encode()
    await bus.publish(subjects.log(transfer_id), body)
    data = encode(command(transfer_id))
    delivery = Delivery(transfer_id, "do", "briefing", "", data, 1, 0.0, 2, {})
    if stage == "cancelled":
        assert not await LogCheck(bus).is_wanted(delivery, "briefing")
        return
    with pytest.raises(NewerVersionNeeded, match="newer version"):
        await LogCheck(bus).is_wanted(delivery, "briefing")
