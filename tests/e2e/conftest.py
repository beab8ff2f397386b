"""One local stack for all end-to-end tests: starting one takes seconds, cleaning it takes none."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from .stack_fixture import TransferDriver, running_stack

TIME_SCALE = 0.1
ENV = {"WARMXFER_ACK_WAIT_S": "1"}


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_driver() -> AsyncIterator[TransferDriver]:
    async with running_stack(time_scale=TIME_SCALE, env=ENV) as driver:
        yield driver


@pytest_asyncio.fixture(loop_scope="session")
async def driver(shared_driver: TransferDriver) -> AsyncIterator[TransferDriver]:
    """The local stack with one process of every role, no fault and no call."""
    await shared_driver.tidy()
    yield shared_driver
    await shared_driver.stack.stop("primary")
