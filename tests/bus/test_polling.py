"""Reads beside a subscription: a few with growing pauses, and then only after a reconnect or a gap."""

from __future__ import annotations

import asyncio
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
    assert all(later == 2 * earlier for earlier, later in pairwise(read_s))
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


async def test_reads_grow_apart_and_end(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "REREAD_PAUSES_S", (0.02, 0.04, 0.08))
    now, at_s = asyncio.get_running_loop().time, list[float]()

    async def read() -> None:
        async with Rereads(bus) as rereads:
            async for _ in rereads:
                at_s.append(now())

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(read(), 1.0)
    assert len(at_s) == 4
    assert all(b - a >= pause_s for (a, b), pause_s in zip(pairwise(at_s), (0.02, 0.04, 0.08), strict=True))


async def test_a_reconnect_triggers_a_read_at_once(
    fresh_server: EmbeddedServer, fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "REREAD_PAUSES_S", ())
    async with asyncio.timeout(10), Rereads(fresh_bus) as rereads:
        await anext(rereads)
        await restart(fresh_server, kill=True)
        await anext(rereads)
        assert fresh_bus.connected


async def test_a_reader_can_ask_for_more_reads(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "REREAD_PAUSES_S", ())
    async with asyncio.timeout(10), Rereads(bus) as rereads:
        await anext(rereads)
        rereads.restart()
        await anext(rereads)


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
