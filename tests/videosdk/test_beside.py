"""Each hazard, first with the original, where it happens, then with us, where it does not."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from warmxfer.actors.house import House

from .beside import TIME_SCALE, Trouble, play
from .troubles import TROUBLES

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house() -> AsyncIterator[House]:
    async with House(time_scale=TIME_SCALE) as house:
        yield house


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.id)
async def test_it_happens_to_the_original_and_not_to_us(house: House, trouble: Trouble) -> None:
    original = await play(house, trouble, ours=False)
    ours = await play(house, trouble, ours=True)
    print(f"\n{trouble.id}: {original} | {ours}")
    assert trouble.wrong(original), f"the original: {original}"
    assert not trouble.wrong(ours), f"ours: {ours}"
