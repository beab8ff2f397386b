"""The hazards that cost a caller most, first with the original, where they happen, then with us.

All that can be played: `python -m tests.videosdk.comparison`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from warmxfer.cli.local_stack.stack import LocalStack

from .hazards import TROUBLES
from .side_by_side import TIME_SCALE, Trouble, play

COSTLIEST = ("H3", "H4", "H6", "H13")

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house() -> AsyncIterator[LocalStack]:
    async with LocalStack(time_scale=TIME_SCALE) as house:
        yield house


@pytest.mark.parametrize(
    "trouble", [each for each in TROUBLES if each.id in COSTLIEST], ids=lambda trouble: trouble.id
)
async def test_it_happens_to_the_original_and_not_to_us(house: LocalStack, trouble: Trouble) -> None:
    original = await play(house, trouble, ours=False)
    ours = await play(house, trouble, ours=True)
    print(f"\n{trouble.id}: {original} | {ours}")
    assert trouble.wrong(original), f"the original: {original}"
    assert not trouble.wrong(ours), f"ours: {ours}"
