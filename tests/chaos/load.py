"""F2, F18: every worker killed with many transfers under way; many requests with poison among them."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from unittest.mock import patch

from tests.e2e.stack_fixture import READY, Call
from warmxfer.bus import Subscription, subjects, subscriptions
from warmxfer.cli.local_stack.stack import ROLES, PlacedCall
from warmxfer.schemas import WarmTransferPhase as Phase
from warmxfer.schemas import decode_phase

from .report_row import Row
from .scenario import ACK_WAIT_S, TIME_SCALE, Scenario, open_scenario
from .stage_barrier import RINGING_S, SLOW_TO_ANSWER, SLOW_TO_SAY_YES

CALLERS_PER_PRIMARY = 50
TWO_OF_EACH = dict.fromkeys(ROLES, 2)
PATIENCE = {"command_timeout_s": 60, "summary_timeout_s": 60}

REAL_TIME = 1.0
THINKING_S = 240.0
"""How long most supervisors take to reply: longer than the other transfers need to reach that phase."""
LONG_BRIEFING = {**PATIENCE, "briefing_timeout_s": 600}
MAX_UNDER_WAY = 50
"""Maximum transfers that are on their way to a phase at the same time."""
REACH_TIMEOUT_S = 140.0
RECEIVE_S = 0.25
PHASES, MAX_PENDING_PHASES = "warmxfer.*.phase", 20_000
TENTH = 10
RECOVERY_S = 3.0
"""What recovery may take beyond `ack_wait`. The row says whether it did."""
QUEUES = ("coordinator", "summarizer", "gateway")
ORDER = tuple(Phase)

FLOOD = 200
FLOOD_S = 1.0
POISON = b'{"type": "no such thing"'


async def f2(in_flight: int) -> AsyncIterator[Row]:
    """Kill every worker at once and start as many new ones.

    At that moment most supervisors have not replied yet, the phones of one tenth ring, and one tenth of the
    transfers has just been requested.
    """
    row = Row("F2", f"kill -9 all workers, {in_flight} in flight")
    async with _open_large_scenario(in_flight, REAL_TIME) as scenario, _all_phases(scenario) as messages:
        await scenario.driver.person(SLOW_TO_SAY_YES, script="ready", replyS=THINKING_S)
        await scenario.driver.person(SLOW_TO_ANSWER, script="ready", ringS=RINGING_S)
        load = TransferLoad(scenario, messages, await _many_callers(scenario, in_flight))
        tenth = in_flight // TENTH
        await load.reach(in_flight - 2 * tenth, SLOW_TO_SAY_YES, Phase.BRIEFING_STARTED)
        await load.reach(tenth, SLOW_TO_ANSWER, Phase.SUPERVISOR_DIALED)
        await load.begin(tenth, READY)
        await load.receive_phases()
        phases = load.count_phases()
        row.cells = len(phases)
        row.facts.append(
            "at the kill: " + ", ".join(f"{count} {name}" for name, count in phases.most_common())
        )
        await _kill_all_workers(scenario, row)
        await scenario.check_transfers(row, load.calls)
    yield row


async def _kill_all_workers(scenario: Scenario, row: Row) -> None:
    """Kill and replace all workers. Measure when the new ones work and when the stream is processed."""
    struck_at = time.monotonic()
    await asyncio.gather(*(scenario.stack.kill(role) for role in ROLES))
    processed = {role: asyncio.create_task(scenario.recovery(struck_at, role)) for role in QUEUES}
    working_s = dict(await asyncio.gather(*(_replace(scenario, role, struck_at) for role in ROLES)))
    row.recovered(recovery_s := await processed["coordinator"])
    bound_s = ACK_WAIT_S + RECOVERY_S
    row.facts += [
        "new workers were working " + _times_text(working_s),
        "stored messages were processed " + _times_text({role: await processed[role] for role in QUEUES}),
        f"`ack_wait` + {RECOVERY_S:g} s is {bound_s:g} s, which "
        f"{'holds' if recovery_s <= bound_s else 'does not hold'}; load {os.getloadavg()[0]:.1f}",
    ]


async def _replace(scenario: Scenario, role: str, struck_at: float) -> tuple[str, float]:
    """Start new workers of `role`. Return the role and the seconds from `struck_at` until they work."""
    await asyncio.gather(*(scenario.stack.start(role) for _ in range(TWO_OF_EACH[role])))
    return role, time.monotonic() - struck_at


def _times_text(times_s: Mapping[str, float]) -> str:
    return ", ".join(f"{time_s:.1f} s ({role})" for role, time_s in times_s.items()) + " after the kill"


class TransferLoad:
    """Transfers of many callers, started no faster than they progress.

    So the row measures the recovery, not how long a machine needs to start all transfers at once.
    """

    def __init__(self, scenario: Scenario, messages: Subscription, callers: Sequence[PlacedCall]) -> None:
        self.calls: list[Call] = []
        self._scenario = scenario
        self._messages = messages
        self._waiting = deque(callers)
        self._last_phase: dict[str, Phase] = {}

    async def reach(self, count: int, supervisor: str, phase: Phase) -> None:
        """Start `count` more and wait until they have reached `phase`, for `REACH_TIMEOUT_S` at most."""
        until = time.monotonic() + REACH_TIMEOUT_S
        begun: list[Call] = []
        while time.monotonic() < until:
            on_their_way = sum(not self._has_reached(call, phase) for call in begun)
            if len(begun) == count and not on_their_way:
                return
            begun += await self.begin(min(MAX_UNDER_WAY - on_their_way, count - len(begun)), supervisor)
            await self.receive_phases()

    async def begin(self, count: int, supervisor: str) -> list[Call]:
        """Request `count` more transfers."""
        callers = [self._waiting.popleft() for _ in range(count)]
        calls = await asyncio.gather(
            *(self._scenario.driver.begin(caller, supervisor, **LONG_BRIEFING) for caller in callers)
        )
        self.calls += calls
        return calls

    async def receive_phases(self) -> None:
        """Receive phases for `RECEIVE_S`, and keep the last one of each transfer."""
        until = time.monotonic() + RECEIVE_S
        while (left_s := until - time.monotonic()) > 0:
            if message := await self._messages.next(left_s):
                self._last_phase[subjects.parse(message.subject).id] = decode_phase(message.data).phase

    def count_phases(self) -> Counter[str]:
        """Return how many transfers are at which phase."""
        reached = [self._last_phase.get(call.transfer.id) for call in self.calls]
        return Counter(phase.value if phase else "just requested" for phase in reached)

    def _has_reached(self, call: Call, phase: Phase) -> bool:
        last = self._last_phase.get(call.transfer.id)
        return last is not None and ORDER.index(last) >= ORDER.index(phase)


async def f18() -> AsyncIterator[Row]:
    """Send many requests in one second, and an unreadable message among them."""
    row = Row("F18", f"{FLOOD} requests in {FLOOD_S:g} s, one poisoned", cells=1)
    async with _open_large_scenario(FLOOD, TIME_SCALE) as scenario:
        callers = await _many_callers(scenario, FLOOD)
        began = time.monotonic()

        async def request(place: int, caller: PlacedCall) -> Call:
            await asyncio.sleep(place * FLOOD_S / FLOOD)
            return await scenario.driver.begin(caller, READY, **PATIENCE)

        publish_poison = scenario.bus.publish(subjects.event("poisoned", "gateway"), POISON)
        calls, _ = await asyncio.gather(
            asyncio.gather(*(request(place, caller) for place, caller in enumerate(callers))), publish_poison
        )
        row.notes.append(f"requested within {time.monotonic() - began:.1f} s")
        await scenario.check_transfers(row, calls)
        row.notes.append(f"all ended and checked after {time.monotonic() - began:.1f} s")
        dead_letter_message = await scenario.bus.get_last(subjects.dead_letter("poisoned"))
        if dead_letter_message is None or not json.loads(dead_letter_message.data)["cause"]:
            row.problems.append("I22: the poison has no dead letter with its cause")
    yield row


def _all_phases(scenario: Scenario) -> Subscription:
    """Subscribe to the phases of all transfers, with room for more pending messages than usual."""
    with patch.object(subscriptions, "MAX_PENDING", MAX_PENDING_PHASES):
        return scenario.bus.subscribe(PHASES)


def _open_large_scenario(transfers: int, time_scale: float) -> AbstractAsyncContextManager[Scenario]:
    """Open a scenario with two workers of every role; one briefing worker could run all consultations."""
    jobs = {"WARMXFER_BRIEFING_JOBS": str(transfers)}
    return open_scenario(counts=TWO_OF_EACH, time_scale=time_scale, env=jobs)


async def _many_callers(scenario: Scenario, count: int) -> list[PlacedCall]:
    callers: list[PlacedCall] = []
    while len(callers) < count:
        callers += await scenario.driver.callers(min(CALLERS_PER_PRIMARY, count - len(callers)))
    return callers
