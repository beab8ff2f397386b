"""Reads beside a subscription: a few with growing pauses, and then only after a reconnect or a gap."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise

import pytest

from tests.testkit.nats_server import restart
from warmxfer.bus import Bus, EmbeddedServer, polling, subjects
from warmxfer.bus.polling import Follower, RereadPauses, Rereads


def pauses(kept: RereadPauses, count: int) -> list[float | None]:
    return [kept.next_s() for _ in range(count)]


def test_the_reads_end_after_a_bounded_time() -> None:
    kept = RereadPauses()
    read_s = list(polling.REREAD_PAUSES_S)
    assert pauses(kept, len(read_s) + 2) == [*read_s, None, None]
    assert all(later == 4 * earlier for earlier, later in pairwise(read_s))
    assert 10 < sum(read_s) < 30


def test_a_restart_begins_with_the_first_pause() -> None:
    kept = RereadPauses()
    pauses(kept, 9)
    kept.restart()
    assert pauses(kept, 2) == list(polling.REREAD_PAUSES_S[:2])


def test_a_failed_read_is_repeated_after_the_end() -> None:
    kept = RereadPauses()
    pauses(kept, 9)
    for _ in range(3):
        kept.read_failed()
        assert kept.next_s() == polling.FAILED_READ_PAUSE_S
    assert kept.next_s() is None


def test_growing_pauses_stay_at_the_longest() -> None:
    growing = polling.growing_pauses(0.8)
    assert [next(growing) for _ in range(4)] == [0.25, 0.5, 0.8, 0.8]


class Reads:
    """Counts reads. A read succeeds if `succeeds`."""

    def __init__(self, bus: Bus) -> None:
        self.at_s: list[float] = []
        self.succeeds = True
        self.fails = False
        self.rereads = Rereads(bus, self.read, "reads")

    async def read(self) -> bool:
        self.at_s.append(asyncio.get_running_loop().time())
        if self.fails:
            raise LookupError("an unexpected failure")
        return self.succeeds

    async def until(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.at_s) < count:
                await asyncio.sleep(0.005)

    async def until_ended(self) -> None:
        async with asyncio.timeout(10):
            while self.rereads._task is not None:
                await asyncio.sleep(0.005)


@pytest.fixture
async def reads(bus: Bus) -> AsyncIterator[Reads]:
    counted = Reads(bus)
    yield counted
    counted.rereads.stop()


async def test_reads_grow_apart_and_end_without_a_task(reads: Reads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "REREAD_PAUSES_S", (0.02, 0.04, 0.08))
    reads.rereads = Rereads(reads.rereads._bus, reads.read, "reads")
    reads.rereads.start()
    await reads.until_ended()
    assert len(reads.at_s) == 4
    pauses_s = [b - a for a, b in pairwise(reads.at_s)]
    assert all(took_s >= pause_s for took_s, pause_s in zip(pauses_s, (0.02, 0.04, 0.08), strict=True))


async def test_a_reconnect_triggers_a_read_at_once(
    fresh_server: EmbeddedServer, fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "REREAD_PAUSES_S", ())
    reads = Reads(fresh_bus)
    reads.rereads.start()
    await reads.until_ended()
    await restart(fresh_server, kill=True)
    await reads.until(2)
    reads.rereads.stop()
    assert fresh_bus.connected


@pytest.mark.parametrize("when", ["between reads", "after the last read"])
async def test_a_reader_can_ask_for_more_reads(
    reads: Reads, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "REREAD_PAUSES_S", (3_600.0,) if when == "between reads" else ())
    reads.rereads = Rereads(reads.rereads._bus, reads.read, "reads")
    reads.rereads.start()
    await reads.until(1)
    if when == "after the last read":
        await reads.until_ended()
    reads.rereads.read_once()
    await reads.until(2)
    reads.rereads.restart()
    await reads.until(3)


@pytest.mark.parametrize("how", ["not decided", "raises"])
async def test_a_read_is_repeated_until_it_succeeds(
    reads: Reads, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "REREAD_PAUSES_S", ())
    monkeypatch.setattr(polling, "FAILED_READ_PAUSE_S", 0.02)
    reads.rereads = Rereads(reads.rereads._bus, reads.read, "reads")
    reads.succeeds, reads.fails = False, how == "raises"
    reads.rereads.start()
    await reads.until(4)
    reads.succeeds, reads.fails = True, False
    await reads.until_ended()


async def test_nothing_is_read_after_the_stop(reads: Reads) -> None:
    reads.rereads.start()
    await reads.until(1)
    reads.rereads.stop()
    count = len(reads.at_s)
    reads.rereads.read_once()
    reads.rereads.restart()
    await asyncio.sleep(0.05)
    assert len(reads.at_s) == count


async def test_a_follower_waits_for_messages_and_a_reconnect(
    fresh_server: EmbeddedServer, fresh_bus: Bus, transfer_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the reads have ended, nothing but a message or a reconnect ends the wait."""
    monkeypatch.setattr(polling, "REREAD_PAUSES_S", (0.01,))
    subject = subjects.phase(transfer_id)
    async with asyncio.timeout(15), Follower(fresh_bus, subject) as follower:
        assert await follower.next() is None
        waiting = asyncio.ensure_future(follower.next())
        done, _ = await asyncio.wait({waiting}, timeout=0.3)
        assert not done
        await fresh_bus.publish(subject, b"1")
        message = await waiting
        assert message is not None
        assert message.data == b"1"
        waiting = asyncio.ensure_future(follower.next())
        await restart(fresh_server, kill=True)
        assert await waiting is None
        assert not follower.ended
