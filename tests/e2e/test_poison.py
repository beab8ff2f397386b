"""Unreadable messages on every subject that is read: dead-lettered with their cause, no transfer affected."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from functools import partial

import pytest

from warmxfer.bus import Bus, subjects
from warmxfer.cli.local_stack.stack import ROOT
from warmxfer.schemas import Outcome

from .stack_fixture import RESULT_TIMEOUT_S, TransferDriver

pytestmark = pytest.mark.asyncio(loop_scope="session")

READ: tuple[Callable[[str], str], ...] = (
    partial(subjects.event, role="gateway"),
    subjects.timeout,
    subjects.cancel,
    *(partial(subjects.work_queue, role=role) for role in subjects.ROLES),
)
PUBLISHED = (subjects.phase, subjects.result)


async def test_unreadable_messages_are_dead_lettered_and_stop_no_transfer(driver: TransferDriver) -> None:
    (caller,) = await driver.callers(1)
    async with await Bus.connect(driver.stack.settings(ROOT), name="poisoner") as bus:
        for place, subject_of in enumerate(READ):
            await bus.publish(subject_of(f"poison-{place}"), b'{"type":"no such thing"')
        for subject_of in PUBLISHED:
            await bus.publish(subject_of("poison-published"), b'{"type":"no such thing"')
        await bus.publish("warmxfer.bad!id.request", b"{}")
        call = await driver.begin(caller)
        assert (await call.result()).outcome is Outcome.COMPLETE
        for place, subject_of in enumerate(READ):
            dead_letter = await _read_dead_letter(bus, f"poison-{place}")
            assert dead_letter["subject"] == subjects.place_of(subject_of(f"poison-{place}")).subject
            assert dead_letter["cause"]
    assert call.transfer.id in {each.id for each in await driver.client.list(100)}


async def _read_dead_letter(bus: Bus, id: str) -> dict[str, object]:
    async with asyncio.timeout(RESULT_TIMEOUT_S):
        while (stored := await bus.get_last(subjects.dead_letter(id))) is None:
            await asyncio.sleep(0.1)
    return json.loads(stored.data)
