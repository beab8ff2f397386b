"""The hazards that harm a caller most occur with upstream and not with warmxfer.

`python -m tests.videosdk.comparison` runs all hazards.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from warmxfer.cli.local_stack.stack import LocalStack

from .hazard_runner import TIME_SCALE, Hazard, run_hazard
from .hazards import HAZARDS

COSTLIEST = ("H3", "H4", "H6", "H13")

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def local_stack() -> AsyncIterator[LocalStack]:
    async with LocalStack(time_scale=TIME_SCALE) as local_stack:
        yield local_stack


@pytest.mark.parametrize(
    "hazard", [each for each in HAZARDS if each.id in COSTLIEST], ids=lambda hazard: hazard.id
)
async def test_the_hazard_occurs_with_upstream_and_not_with_warmxfer(
    local_stack: LocalStack, hazard: Hazard
) -> None:
    upstream = await run_hazard(local_stack, hazard, with_warmxfer=False)
    warmxfer = await run_hazard(local_stack, hazard, with_warmxfer=True)
    print(f"\n{hazard.id}: {upstream} | {warmxfer}")
    assert hazard.occurred(upstream), f"upstream: {upstream}"
    assert not hazard.occurred(warmxfer), f"warmxfer: {warmxfer}"
