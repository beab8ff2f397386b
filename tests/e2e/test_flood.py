"""Garbage on every subject that workers read, beside transfers: they are complete, with few dead letters.

Without `check` in the actors' workers the number of dead letters is that of the messages.
"""

from __future__ import annotations

import asyncio

import pytest

from tests.chaos.flood import FLOODS
from warmxfer.bus import Bus, Outgoing, subjects
from warmxfer.cli.local_stack.stack import ROOT
from warmxfer.schemas import Outcome

from .stack_fixture import TransferDriver

pytestmark = pytest.mark.asyncio(loop_scope="session")

OF_EACH = 150
BATCH = 200
MAX_DEAD_LETTERS = 1_200
"""Fewer than the messages: 4 workers write at most 50 or 100 at once each, and then some a second."""


async def test_garbage_beside_a_transfer_fails_none(driver: TransferDriver) -> None:
    before, during = await driver.callers(2)
    async with await Bus.connect(driver.stack.settings(ROOT), name="flooder") as bus:
        first = await driver.begin(before)
        messages = [
            Outgoing(*flood(n, [first.transfer.id])) for n in range(OF_EACH) for flood in FLOODS.values()
        ]
        publishing = asyncio.create_task(_publish(bus, messages))
        second = await driver.begin(during)
        await publishing
        assert [(await call.result()).outcome for call in (first, second)] == [Outcome.COMPLETE] * 2
        letters = await bus.history(subjects.ANY_DEAD_LETTER, 2 * len(messages))
    assert 0 < len(letters) < MAX_DEAD_LETTERS < len(messages)
    for call in (first, second):
        await call.assert_clean_end()


async def _publish(bus: Bus, messages: list[Outgoing]) -> None:
    for start in range(0, len(messages), BATCH):
        await bus.publish_all(messages[start : start + BATCH], deadline_s=30)
