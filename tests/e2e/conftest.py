"""One local stack for all end-to-end tests: starting one takes seconds, cleaning it takes none.

The files of `WITH_TLS` run on a second stack: mutual TLS to the broker, HTTPS to the cloud and the model.
With `WARMXFER_TEST_TLS=yes` in the environment every stack has it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from .stack_fixture import TransferDriver, running_stack

TIME_SCALE = 0.1
ENV = {"WARMXFER_ACK_WAIT_S": "1"}
WITH_TLS = ("test_tls.py", "test_kill.py", "test_in_session_briefing.py", "test_recording.py")


class Drivers:
    """The stacks of a session, without TLS and with it. Each starts when a test first needs it."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self._running: dict[bool, TransferDriver] = {}

    async def get(self, *, tls: bool) -> TransferDriver:
        if tls not in self._running:
            started = running_stack(time_scale=TIME_SCALE, env=ENV, tls=tls)
            self._running[tls] = await self._stack.enter_async_context(started)
        return self._running[tls]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def drivers() -> AsyncIterator[Drivers]:
    async with AsyncExitStack() as stack:
        yield Drivers(stack)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shared_driver(drivers: Drivers, request: pytest.FixtureRequest) -> TransferDriver:
    """The stack of this file."""
    return await drivers.get(tls=request.path.name in WITH_TLS)


@pytest_asyncio.fixture(loop_scope="session")
async def driver(shared_driver: TransferDriver) -> AsyncIterator[TransferDriver]:
    """The local stack with one process of every role, no fault and no call."""
    await shared_driver.tidy()
    yield shared_driver
    await shared_driver.stack.stop("primary")
