"""F21: thousands of messages that no worker can use, on each subject that workers read, beside transfers.

They must cost no transfer that runs or begins meanwhile.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable

from tests.e2e.stack_fixture import READY, Call
from warmxfer.bus import Outgoing, subjects
from warmxfer.cli.local_stack.stack import PlacedCall
from warmxfer.schemas import CancelRequest, SupervisorReady, encode

from .report_row import Row
from .scenario import Scenario, open_scenario

FLOOD = 10_000
FLOOD_S = 5.0
BATCH = 200
PUBLISH_DEADLINE_S = 60.0
CALLERS = 8
BROKEN = b'{"type": "no such thing"'
UNKNOWN = b'{"type": "no_such_event", "command_id": "x-1", "deadline_at": 1.0}'
MAX_DEAD_LETTERS_PER_S = 60

Flood = Callable[[int, list[str]], tuple[str, bytes]]
"""Returns subject and body of message `n`; the list holds the ids of running transfers."""


def _garbage(subject: Callable[[str], str]) -> Flood:
    return lambda n, ids: (subject(_id(n, ids)), BROKEN)


def _event(id: str) -> str:
    return subjects.event(id, "gateway")


def _work(role: str) -> Callable[[str], str]:
    return lambda id: subjects.work_queue(id, role)


def _id(n: int, ids: list[str]) -> str:
    """Return for every tenth message the id of a running transfer, else one of no transfer."""
    return ids[n // 10 % len(ids)] if ids and n % 10 == 0 else f"flood-{n}"


FLOODS: dict[str, Flood] = {
    "garbage requests": lambda n, ids: (f"warmxfer.flood-r-{n}.request", BROKEN),
    "requests with ids that are not allowed": lambda n, ids: (f"warmxfer.bad!{n}.request", b"{}"),
    "garbage events": _garbage(_event),
    "garbage cancels": _garbage(subjects.cancel),
    "garbage timeouts": _garbage(subjects.timeout),
    "garbage for the summarizer": _garbage(_work("summarizer")),
    "garbage for the gateway": _garbage(_work("gateway")),
    "garbage for the briefing agent": _garbage(_work("briefing")),
    "events of an unknown type": lambda n, ids: (_event(_id(n, ids)), UNKNOWN),
    "commands of an unknown type": lambda n, ids: (_work("gateway")(_id(n, ids)), UNKNOWN),
    "events of no transfer": lambda n, ids: (_event(f"flood-e-{n}"), encode(SupervisorReady())),
    "cancels of no transfer": lambda n, ids: (f"warmxfer.flood-c-{n}.cancel", encode(CancelRequest())),
}


async def f21() -> AsyncIterator[Row]:
    """Flood each subject in turn, while transfers run and begin."""
    async with open_scenario() as scenario:
        for what, flood in FLOODS.items():
            yield await _run_flood(scenario, what, flood)
            await scenario.reset()


async def _run_flood(scenario: Scenario, what: str, flood: Flood) -> Row:
    row = Row("F21", f"{FLOOD} {what} in {FLOOD_S:g} s", cells=1)
    callers = await scenario.driver.callers(CALLERS)
    half = CALLERS // 2
    before = await _dead_letters(scenario)
    calls = [await scenario.driver.begin(caller, READY) for caller in callers[:half]]
    began = time.monotonic()
    _, during = await asyncio.gather(
        _publish(scenario, flood, [call.transfer.id for call in calls]),
        _begin_over(scenario, callers[half:], FLOOD_S),
    )
    took_s = time.monotonic() - began
    row.recovered(await scenario.recovery(time.monotonic(), "coordinator", "gateway", "summarizer"))
    await scenario.check_transfers(row, [*calls, *during])
    # The flood itself is dead-lettered, also what carried the id of a running transfer.
    row.problems = [each for each in row.problems if ": I22: " not in each]
    row.all_complete()
    letters = await _dead_letters(scenario) - before
    row.facts.append(f"{what}: published in {took_s:.1f} s, {letters} dead letters")
    if letters > MAX_DEAD_LETTERS_PER_S * (took_s + (row.recovery_s or 0.0) + 1.0):
        row.problems.append(f"F21 {what}: {letters} dead letters were written")
    return row


async def _begin_over(scenario: Scenario, callers: list[PlacedCall], within_s: float) -> list[Call]:
    calls: list[Call] = []
    for caller in callers:
        await asyncio.sleep(within_s / (len(callers) + 1))
        calls.append(await scenario.driver.begin(caller, READY))
    return calls


async def _publish(scenario: Scenario, flood: Flood, ids: list[str]) -> None:
    """Publish as fast as the broker acknowledges, and in `FLOOD_S` at least.

    Without acknowledgements the messages would queue in the broker, before the writes of all others.
    """
    began = time.monotonic()
    for start in range(0, FLOOD, BATCH):
        messages = [Outgoing(*flood(n, ids)) for n in range(start, start + BATCH)]
        await scenario.bus.publish_all(messages, deadline_s=PUBLISH_DEADLINE_S)
        await asyncio.sleep(max(0.0, began + start * FLOOD_S / FLOOD - time.monotonic()))


async def _dead_letters(scenario: Scenario) -> int:
    return len(await scenario.bus.history(subjects.ANY_DEAD_LETTER, FLOOD, deadline_s=PUBLISH_DEADLINE_S))
