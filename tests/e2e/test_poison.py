"""Messages nobody can read, on every subject that is read: parked with their cause, in nobody's way."""

from __future__ import annotations

import asyncio
import json

import pytest

from warmxfer.bus import Bus, BusSettings, subjects
from warmxfer.schemas import Outcome

from .stack_fixture import RESULT_TIMEOUT_S, Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")

READ = ("event", "timeout", "cancel", "do.summarizer", "do.gateway", "do.briefing")
TOLD = ("phase", "result")


async def test_poison_is_parked_with_its_cause_and_stops_nobody(stage: Stage) -> None:
    (caller,) = await stage.callers(1)
    async with await Bus.connect(BusSettings(url=stage.house.nats_url), name="poisoner") as bus:
        for place, kind in enumerate(READ):
            await bus.publish(f"warmxfer.poison-{place}.{kind}", b'{"type":"no such thing"')
        for kind in TOLD:
            await bus.publish(f"warmxfer.poison-told.{kind}", b'{"type":"no such thing"')
        await bus.publish("warmxfer.bad!id.request", b"{}")
        call = await stage.begin(caller)
        assert (await call.result()).outcome is Outcome.COMPLETE
        for place, kind in enumerate(READ):
            letter = await _dead_letter(bus, f"poison-{place}")
            assert letter["subject"] == f"warmxfer.poison-{place}.{kind}"
            assert letter["cause"]
    assert call.transfer.id in {each.id for each in await stage.client.list(100)}


async def _dead_letter(bus: Bus, id: str) -> dict[str, object]:
    async with asyncio.timeout(RESULT_TIMEOUT_S):
        while (stored := await bus.get_last(subjects.dead_letter(id))) is None:
            await asyncio.sleep(0.1)
    return json.loads(stored.data)
