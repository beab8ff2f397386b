"""F8, F9: each message of the bus again, up to five times; and again in any order, also after the end.

`Redeliverer` stores each message that an actor acts on again. The copy has no message id, so the broker does
not drop it, and an actor takes it for a new message. Phases, results and logs are not stored again: only the
coordinator writes them, and the broker drops its repeats.
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
from .scenario import Scenario, open_scenario

EVERYTHING = "wx.>"
"""What the actors read, in each stream."""
SESSION = "session"
KEPT = {"WARMXFER_ARCHIVE_AFTER_S": "86400"}
"""No transfer is archived: what was published before and after the copies is compared."""
MAX_READ = 100_000
POLL_S = 0.02
TRIGGER_KINDS = ("request", "cancel", "event", "timeout", "do", SESSION)

REDELIVERY_S = 0.2
MAX_COPIES = 5
LATE_S = 4.0
"""As long as most of a transfer takes at this time scale: many messages overtake one this late."""

REQUESTED = ((PATIENT, READY),) * 3 + (
    (PATIENT, DECLINES),
    (PATIENT, BUSY),
    (PATIENT, VOICEMAIL),
    (PATIENT, GONE_MID_BRIEFING),
    (LEAVES_ON_HOLD, READY),
)
CANCELLED = 2
"""Index in `REQUESTED` of the transfer that its user cancels."""

TWO_OF_EACH = dict.fromkeys(ROLES, 2)
QUIET_S = 2.0


async def f8(chance: random.Random) -> AsyncIterator[Row]:
    """Store every message up to five times more, soon after the first."""
    row = Row("F8", f"every message again, up to {MAX_COPIES} times")
    async with open_scenario(counts=TWO_OF_EACH, env=KEPT) as scenario:
        redeliverer = Redeliverer(
            scenario.bus,
            lambda: [chance.uniform(0, REDELIVERY_S) for _ in range(chance.randint(1, MAX_COPIES))],
        )
        await scenario.check_transfers(row, await _transfers(scenario, redeliverer))
    yield _with_cells(row, redeliverer)


async def f9(chance: random.Random) -> AsyncIterator[Row]:
    """Store every message again late, and all of them in random order after the end."""
    row = Row("F9", "every message again in any order, and after the end")
    async with open_scenario(counts=TWO_OF_EACH, env=KEPT) as scenario:
        redeliverer = Redeliverer(scenario.bus, lambda: [chance.uniform(0, LATE_S)])
        calls = await _transfers(scenario, redeliverer)
        before = await _published_to_users(scenario)
        await redeliverer.repeat_all(chance)
        if await _published_to_users(scenario) != before:
            row.problems.append(f"{row.fault} {row.struck}: I20: more was published to users after the end")
        await scenario.check_transfers(row, calls)
    yield _with_cells(row, redeliverer)


def _with_cells(row: Row, redeliverer: Redeliverer) -> Row:
    row.cells = len(redeliverer.kinds)
    row.facts.append(f"{redeliverer.count} messages came again, of {row.cells} kinds")
    return row


class Redeliverer:
    """Stores messages again. `delays()` returns the delays in seconds of one message's copies."""

    def __init__(self, bus: Bus, delays: Callable[[], list[float]]) -> None:
        self.kinds: set[str] = set()
        self.count = 0
        self._bus = bus
        self._delays = delays
        self._messages: list[Stored] = []
        self._own: set[tuple[str, int]] = set()
        self._due: list[tuple[float, int, Stored]] = []
        self._places = itertools.count()
        self._read_to = dict.fromkeys(subjects.WORKING_STREAMS, 0)

    @asynccontextmanager
    async def redelivering(self) -> AsyncIterator[None]:
        """Store copies while the context is open. Copies not yet due at its end are stored then."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self._publish_due(float("inf"))

    async def repeat_all(self, chance: random.Random) -> None:
        """Store all messages read so far once more, in random order."""
        for stored in chance.sample(self._messages, len(self._messages)):
            await self._publish_again(stored)

    async def _run(self) -> None:
        while True:
            await self._read_new()
            await self._publish_due(time.monotonic())
            await asyncio.sleep(POLL_S)

    async def _read_new(self) -> None:
        for stream in subjects.WORKING_STREAMS:
            for stored in await self._bus.history(
                EVERYTHING, MAX_READ, after=self._read_to[stream], stream=stream
            ):
                self._read_to[stream] = stored.seq
                if (stream, stored.seq) not in self._own and _subject_kind(stored) in TRIGGER_KINDS:
                    self._plan(stored)

    def _plan(self, stored: Stored) -> None:
        self.kinds.add(_kind(stored))
        self._messages.append(stored)
        for delay_s in self._delays():
            heapq.heappush(self._due, (time.monotonic() + delay_s, next(self._places), stored))

    async def _publish_due(self, until: float) -> None:
        while self._due and self._due[0][0] <= until:
            await self._publish_again(heapq.heappop(self._due)[2])

    async def _publish_again(self, stored: Stored) -> None:
        subject = stored.subject
        if (kind := _subject_kind(stored)) in ("request", "cancel"):
            id = subjects.parse(subject).id
            subject = subjects.request(id) if kind == "request" else subjects.cancel(id)
        seq = await self._bus.publish(subject, stored.data)
        self._own.add((subjects.place_of(subject).stream, seq))
        self.count += 1


def _subject_kind(stored: Stored) -> str:
    """Return the kind of the subject, and `SESSION` for a command to a session."""
    return SESSION if subjects.is_of_session(stored.subject) else subjects.parse(stored.subject).kind


def _kind(stored: Stored) -> str:
    """Return the kind of a message: the kind of its subject, and its type if it has one."""
    message = msgspec.json.decode(stored.data)
    return f"{_subject_kind(stored)} {message.get('type', '')}"


async def _transfers(scenario: Scenario, redeliverer: Redeliverer) -> list[Call]:
    """Run one transfer for each of `REQUESTED`, all at once, while messages are stored again."""
    callers = [await scenario.stack.call(number) for number, _ in REQUESTED]
    await scenario.stack.start("primary", rooms=[caller.room_id for caller in callers])
    async with redeliverer.redelivering():
        calls = [
            await scenario.driver.begin(caller, to)
            for caller, (_, to) in zip(callers, REQUESTED, strict=True)
        ]
        await calls[CANCELLED].until(Phase.SUPERVISOR_DIALED)
        await calls[CANCELLED].transfer.cancel()
        await scenario.wait_ended(calls)
    return calls


async def _published_to_users(scenario: Scenario) -> list[int]:
    """Return the numbers of all messages for users, after all stored messages are processed."""
    await scenario.recovery(time.monotonic(), *ROLES)
    await asyncio.sleep(QUIET_S)
    return [
        stored.seq
        for subject in (subjects.ANY_PHASE, "warmxfer.*.result", "warmxfer.*.dead")
        for stored in await scenario.bus.history(subject, MAX_READ)
    ]
