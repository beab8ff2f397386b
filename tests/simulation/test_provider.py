"""A look-up of the simulated cloud misses a call at most once in a row for each reader."""

from __future__ import annotations

import asyncio

import pytest

from .faults import Faults
from .loop import Process, spawn
from .patches import PATCHES, patched
from .provider import SimProvider
from .world import World


def test_a_reader_finds_the_call_it_missed_whoever_read_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Regression: a look-up by another reader let one reader miss a call twice in a row."""
    monkeypatch.setattr(Faults, "strikes", lambda _, fault, id=None: fault == "lookup_misses_call")
    with patched():
        world = PATCHES.world = World(1)
        call_id = world.cloud.call_in("room-s1", "caller-room-s1").record.call_id
        provider = SimProvider(world)

        async def is_found() -> bool:
            return await provider.look_up_call(call_id) is not None

        async def main() -> tuple[bool, bool, bool]:
            first = await is_found()
            other = await asyncio.create_task(is_found())
            return first, other, await is_found()

        try:
            found = world.loop.run_until_complete(spawn(world.loop, Process("test", "user"), main(), "test"))
        finally:
            world.over = True
            world.loop.abandon()
            world.loop.close()
            PATCHES.world = None
    assert found == (False, False, True)
