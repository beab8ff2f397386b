"""One house for all whole transfers: to build one takes seconds, to keep it clean takes none."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from .stack_fixture import Stage, staged

TIME_SCALE = 0.1
ENV = {"WARMXFER_ACK_WAIT_S": "1"}


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def only_house() -> AsyncIterator[Stage]:
    async with staged(time_scale=TIME_SCALE, env=ENV) as stage:
        yield stage


@pytest_asyncio.fixture(loop_scope="session")
async def stage(only_house: Stage) -> AsyncIterator[Stage]:
    """The house with one process of every role, no fault switched on, and nobody on the phone."""
    await only_house.tidy()
    yield only_house
    await only_house.house.stop("primary")
