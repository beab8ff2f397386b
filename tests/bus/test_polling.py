"""Pauses between reads grow, and a reconnect starts them again."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from itertools import pairwise

import pytest

from tests.testkit.nats_server import restart
from warmxfer.bus import Bus, EmbeddedServer, polling


async def test_pauses_grow_up_to_the_longest(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr(polling, "LONGEST_PAUSE_S", 0.1)
    now, at_s = asyncio.get_running_loop().time, list[float]()
    async with asyncio.timeout(5), aclosing(polling.poll_ticks(bus)) as again:
        async for _ in again:
            at_s.append(now())
            if len(at_s) == 6:
                break
    least_s = (0.02, 0.04, 0.08, 0.1, 0.1)
    assert all(b - a >= pause_s for (a, b), pause_s in zip(pairwise(at_s), least_s, strict=True))


async def test_a_reconnect_triggers_a_read_at_once(
    fresh_server: EmbeddedServer, fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polling, "FIRST_PAUSE_S", 3_600.0)
    async with asyncio.timeout(10), aclosing(polling.poll_ticks(fresh_bus)) as again:
        await anext(again)
        await restart(fresh_server, kill=True)
        await anext(again)
        assert fresh_bus.connected
