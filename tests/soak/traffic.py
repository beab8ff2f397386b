"""Transfers of a soak: callers who come and go, callers who stay, and a cloud that is slow at times."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from tests.chaos.people import hang_up
from tests.chaos.report_row import Row
from tests.chaos.scenario import TIME_SCALE, Scenario, retried
from tests.e2e.stack_fixture import (
    BUSY,
    DECLINES,
    GONE_MID_BRIEFING,
    PATIENT,
    READY,
    VOICEMAIL,
    Call,
)
from warmxfer.cli.local_stack.managed_process import ManagedProcess
from warmxfer.cli.local_stack.stack import PlacedCall

CALLERS_PER_PRIMARY = 25
SUPERVISORS = {READY: 14, DECLINES: 2, BUSY: 2, GONE_MID_BRIEFING: 1, VOICEMAIL: 1}
"""Supervisor -> how often of 20 times."""
UNWILLING = (DECLINES, BUSY)
CONFIG = {"supervisor_join_timeout_s": 30, "briefing_timeout_s": 30}
PROVIDER_TIMEOUT_S = 2.0
SLOW_EVERY_S = 20.0
SLOW_FOR_S = 4.0
ANSWERS_AFTER_S = 1.5 * PROVIDER_TIMEOUT_S
"""Time to each answer of the cloud while it is slow: longer than the gateway's deadline for one request."""
MODEL_ANSWERS_AFTER_S = 6.0
"""The same for the model, which has 5 s for the first word."""
EXIT_S = 20.0


class Traffic:
    """Runs transfers on one stack and checks each. `ended` counts the ones that were checked."""

    def __init__(self, scenario: Scenario, chance: random.Random) -> None:
        self.row = Row("soak", "transfers")
        self.ended = 0
        self._scenario = scenario
        self._chance = chance
        self._left = 0
        self._staying: list[PlacedCall] = []

    async def let_callers_stay(self, count: int) -> ManagedProcess:
        """Place calls of `count` callers, whose AI sessions stay in one process for the whole run."""
        self._staying = [await self._call() for _ in range(count)]
        return await self._start_primary(self._staying)

    async def run(self, transfers: int, in_flight: int) -> None:
        """Run that many more transfers, about `in_flight` at a time. Return when all have been checked."""
        self._left = transfers
        batches = max(1, (in_flight - len(self._staying)) // CALLERS_PER_PRIMARY)
        async with asyncio.TaskGroup() as tasks:
            for caller in self._staying:
                tasks.create_task(self._stay(caller))
            for _ in range(batches):
                tasks.create_task(self._come_and_go())

    def _take(self, most: int) -> int:
        count = min(most, self._left)
        self._left -= count
        return count

    async def _come_and_go(self) -> None:
        """Let batches of callers come, each with an AI, be transferred, and hang up."""
        while count := self._take(CALLERS_PER_PRIMARY):
            callers = [await self._call() for _ in range(count)]
            primary = await self._start_primary(callers)
            supervisors = self._chance.choices([*SUPERVISORS], [*SUPERVISORS.values()], k=count)
            pairs = zip(callers, supervisors, strict=True)
            calls = await asyncio.gather(*(self._begin(*pair) for pair in pairs))
            await self._check(calls)
            await asyncio.gather(
                *(retried(partial(hang_up, self._scenario, "both at once", call)) for call in calls)
            )
            try:
                async with asyncio.timeout(EXIT_S):
                    await primary.wait()
            except TimeoutError:
                await primary.stop()

    async def _stay(self, caller: PlacedCall) -> None:
        """Transfer one caller again and again, to supervisors who do not take the call."""
        while self._take(1):
            await self._check([await self._begin(caller, self._chance.choice(UNWILLING))])

    async def _call(self) -> PlacedCall:
        return await retried(partial(self._scenario.stack.call, PATIENT))

    async def _begin(self, caller: PlacedCall, supervisor: str) -> Call:
        return await self._scenario.driver.begin(caller, supervisor, **CONFIG)

    async def _check(self, calls: list[Call]) -> None:
        await self._scenario.check_transfers(self.row, calls)
        self.ended += len(calls)

    async def _start_primary(self, callers: list[PlacedCall]) -> ManagedProcess:
        return await self._scenario.stack.start("primary", rooms=[caller.room_id for caller in callers])


@asynccontextmanager
async def slow_cloud(scenario: Scenario) -> AsyncIterator[None]:
    """Let the cloud and the model answer after their deadlines, `SLOW_FOR_S` of each `SLOW_EVERY_S`."""

    async def alternate() -> None:
        while True:
            await asyncio.sleep(SLOW_EVERY_S - SLOW_FOR_S)
            for path, after_s in (("/v2/*", ANSWERS_AFTER_S), ("/v1/*", MODEL_ANSWERS_AFTER_S)):
                fault = partial(scenario.driver.fault, "delay", {"path": path}, times=0)
                await retried(partial(fault, delayS=after_s / TIME_SCALE))
            await asyncio.sleep(SLOW_FOR_S)
            await retried(scenario.driver.clear_faults)

    alternating = asyncio.create_task(alternate())
    try:
        yield
    finally:
        alternating.cancel()
        await asyncio.wait({alternating})
        await retried(scenario.driver.clear_faults)
    if not alternating.cancelled():
        alternating.result()
