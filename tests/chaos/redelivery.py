"""F8, F9: what is on the bus comes again, up to five times; and again in any order, even after the end.

An echo stores each message that somebody acts on once more, without the name by which the broker knows a
repeat: to a reader it is a message of its own. What only tells (phases, results, the log) is not echoed:
its only writer is the coordinator, and the broker keeps that writer from saying it twice.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec

from tests.e2e.stack_fixture import BUSY, DECLINES, GONE_MID_BRIEFING, PATIENT, READY, VOICEMAIL, Call
from warmxfer.bus import Bus, Stored, subjects
from warmxfer.cli.local_stack.stack import ROLES
from warmxfer.schemas import WarmTransferPhase as Phase

from .cloud import LEAVES_ON_HOLD
from .report_row import Row
from .scenario import Scene, scene

EVERYTHING = "warmxfer.>"
MAX_READ = 100_000
LOOK_EVERY_S = 0.02
ACTED_ON = ("request", "cancel", "event", "timeout", "do")

SOON_S = 0.2
MOST_COPIES = 5
LATE_S = 4.0
"""As long as most of a transfer takes at this pace: what comes so late has been overtaken by much."""

ASKED = ((PATIENT, READY),) * 3 + (
    (PATIENT, DECLINES),
    (PATIENT, BUSY),
    (PATIENT, VOICEMAIL),
    (PATIENT, GONE_MID_BRIEFING),
    (LEAVES_ON_HOLD, READY),
)
CANCELLED = 2
"""The place in `ASKED` of the one whose user thinks better of it."""

TWO_OF_EACH = dict.fromkeys(ROLES, 2)
STILL_S = 2.0


async def f8(chance: random.Random) -> AsyncIterator[Row]:
    """Every message comes up to five times more, soon after the first."""
    row = Row("F8", f"every message again, up to {MOST_COPIES} times")
    async with scene(counts=TWO_OF_EACH) as here:
        echo = Echo(
            here.bus, lambda: [chance.uniform(0, SOON_S) for _ in range(chance.randint(1, MOST_COPIES))]
        )
        await here.judge(row, await _transfers(here, echo))
    yield _with_cells(row, echo)


async def f9(chance: random.Random) -> AsyncIterator[Row]:
    """Every message comes again when much has overtaken it, and all of them in any order after the end."""
    row = Row("F9", "every message again in any order, and after the end")
    async with scene(counts=TWO_OF_EACH) as here:
        echo = Echo(here.bus, lambda: [chance.uniform(0, LATE_S)])
        calls = await _transfers(here, echo)
        before = await _told(here)
        await echo.all_again(chance)
        if await _told(here) != before:
            row.problems.append(f"{row.fault} {row.struck}: I20: users were told more after the end")
        await here.judge(row, calls)
    yield _with_cells(row, echo)


def _with_cells(row: Row, echo: Echo) -> Row:
    row.cells = len(echo.kinds)
    row.facts.append(f"{echo.count} messages came again, of {row.cells} kinds")
    return row


class Echo:
    """Stores again what others have stored; `delays` says, for one message, after how many seconds each."""

    def __init__(self, bus: Bus, delays: Callable[[], list[float]]) -> None:
        self.kinds: set[str] = set()
        self.count = 0
        self._bus = bus
        self._delays = delays
        self._heard: list[Stored] = []
        self._ours: set[int] = set()
        self._due: list[tuple[float, int, Stored]] = []
        self._places = itertools.count()
        self._read_to = 0

    @asynccontextmanager
    async def echoing(self) -> AsyncIterator[None]:
        """While the context is open; what is still due when it closes is said before."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self._say(float("inf"))

    async def all_again(self, chance: random.Random) -> None:
        """All that was ever heard, in any order."""
        for stored in chance.sample(self._heard, len(self._heard)):
            await self._again(stored)

    async def _run(self) -> None:
        while True:
            await self._hear()
            await self._say(time.monotonic())
            await asyncio.sleep(LOOK_EVERY_S)

    async def _hear(self) -> None:
        for stored in await self._bus.history(EVERYTHING, MAX_READ, after=self._read_to):
            self._read_to = stored.seq
            if stored.seq in self._ours or subjects.parse(stored.subject).kind not in ACTED_ON:
                continue
            self.kinds.add(_kind(stored))
            self._heard.append(stored)
            for delay_s in self._delays():
                heapq.heappush(self._due, (time.monotonic() + delay_s, next(self._places), stored))

    async def _say(self, until: float) -> None:
        while self._due and self._due[0][0] <= until:
            await self._again(heapq.heappop(self._due)[2])

    async def _again(self, stored: Stored) -> None:
        self._ours.add(await self._bus.publish(stored.subject, stored.data))
        self.count += 1


def _kind(stored: Stored) -> str:
    """What sort of message it is, by its subject and by its own word for itself if it has one."""
    said = msgspec.json.decode(stored.data)
    return f"{subjects.parse(stored.subject).kind} {said.get('type', '')}"


async def _transfers(here: Scene, echo: Echo) -> list[Call]:
    """One transfer for each of `ASKED`, all at once, while all is echoed."""
    callers = [await here.house.call(number) for number, _ in ASKED]
    await here.house.start("primary", rooms=[caller.room_id for caller in callers])
    async with echo.echoing():
        calls = [await here.stage.begin(caller, to) for caller, (_, to) in zip(callers, ASKED, strict=True)]
        await calls[CANCELLED].until(Phase.SUPERVISOR_DIALED)
        await calls[CANCELLED].transfer.cancel()
        await here.ended(calls)
    return calls


async def _told(here: Scene) -> list[int]:
    """The numbers of all that users were told by now, once all that is stored was worked off."""
    await here.recovery(time.monotonic(), *ROLES)
    await asyncio.sleep(STILL_S)
    return [
        stored.seq
        for subject in (subjects.ANY_PHASE, "warmxfer.*.result", "warmxfer.*.dead")
        for stored in await here.bus.history(subject, MAX_READ)
    ]
