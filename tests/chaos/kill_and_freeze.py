"""F1, F3, F4: an actor killed or frozen, the broker killed or restarted, with transfers at every phase."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from tests.e2e.stack_fixture import Call
from tests.testkit.nats_server import restart
from warmxfer.bus.consumer_table import CONSUMERS

from .pause import frozen
from .people import hang_up
from .report_row import Row
from .scenario import ACK_WAIT_S, Scenario, open_scenario, rooms
from .stage_barrier import at_every_phase, at_start_and_join

ROLES = ("coordinator", "gateway", "summarizer", "briefing", "primary")
FROZEN_ACK_WAITS, LONG_FROZEN_ACK_WAITS = 2, 10
FROZEN_LONG = ("coordinator", "gateway")
BROKER_DOWN_S = (30.0, 60.0)
"""Longer than a session's lease (20 s by default) and the release together."""
LEASE_S = 4.0
QUEUES_THAT_EMPTY = frozenset(spec.role for spec in CONSUMERS.values()) - {"briefing"}
"""Without briefing: it acknowledges a message only at the end of the consultation."""

FaultAction = Callable[[Scenario, list[Call]], Awaitable[None]]


async def f1() -> AsyncIterator[Row]:
    """Kill each actor with SIGKILL and start a new one."""
    async with open_scenario() as scenario:
        for role in ROLES:

            async def killed(scenario: Scenario, calls: list[Call], role: str = role) -> None:
                await scenario.stack.kill(role)
                await scenario.stack.start(role, rooms=rooms(calls) if role == "primary" else [])

            yield await _run_fault(scenario, Row("F1", f"kill -9 {role}"), killed, role)


async def f3() -> AsyncIterator[Row]:
    """Freeze each actor for two `ack_wait`s, some for ten, while another one works; then continue it."""
    async with open_scenario() as scenario:
        for role in ROLES:
            yield await _run_fault(
                scenario, Row("F3", f"SIGSTOP {role}"), _freeze(role, FROZEN_ACK_WAITS), role
            )
        for role in FROZEN_LONG:
            row = Row("F3", f"SIGSTOP {role} for {LONG_FROZEN_ACK_WAITS} ack_waits")
            yield await _run_fault(scenario, row, _freeze(role, LONG_FROZEN_ACK_WAITS), role)
    async with open_scenario(env={"WARMXFER_HOLD_LEASE_S": f"{LEASE_S:g}"}) as scenario:
        yield await _run_fault(
            scenario,
            Row("F3", "SIGSTOP primary, longer than its lease"),
            _freeze_beyond_the_lease,
            "primary",
        )


def _freeze(role: str, ack_waits: int) -> FaultAction:
    async def act(scenario: Scenario, calls: list[Call]) -> None:
        with frozen(scenario.stack.running(role)):
            if role != "primary":
                await scenario.stack.start(role)
            await asyncio.sleep(ack_waits * ACK_WAIT_S)

    return act


async def _freeze_beyond_the_lease(scenario: Scenario, calls: list[Call]) -> None:
    """Freeze the sessions for longer than their lease, and cancel every other transfer meanwhile.

    Sessions of live transfers must not release their callers. The others find commands of ended transfers.
    """
    with frozen(scenario.stack.running("primary")):
        for call in calls[::2]:
            await call.transfer.cancel("the caller changed their mind")
        await asyncio.sleep(2 * LEASE_S)


async def f4() -> AsyncIterator[Row]:
    """Restart the only broker, kill it, then keep it down for longer than any hold lasts."""
    async with open_scenario() as scenario:
        for how in ("SIGTERM", "kill -9"):

            async def restarted(scenario: Scenario, calls: list[Call], how: str = how) -> None:
                await restart(scenario.stack.nats, kill=how == "kill -9")

            yield await _run_fault(scenario, Row("F4", f"{how} broker"), restarted, "coordinator")
        for down_s in BROKER_DOWN_S:
            yield await _broker_down(scenario, Row("F4", f"broker down for {down_s:g} s"), down_s)
        row = Row("F4", f"broker down for {BROKER_DOWN_S[0]:g} s, and every supervisor hangs up meanwhile")
        yield await _broker_down(scenario, row, BROKER_DOWN_S[0], supervisors_hang_up=True)


async def _broker_down(
    scenario: Scenario, row: Row, down_s: float, *, supervisors_hang_up: bool = False
) -> Row:
    """Keep the broker down for `down_s`.

    With `supervisors_hang_up` each supervisor hangs up halfway, and a caller with them has to come back.
    """
    async with at_every_phase(scenario, row) as calls:
        await scenario.stack.nats.stop(kill=True)
        await asyncio.sleep(down_s / 2)
        if supervisors_hang_up:
            await asyncio.gather(*(hang_up(scenario, "the supervisor", call) for call in calls))
        await asyncio.sleep(down_s / 2)
        await scenario.stack.nats.start()
        row.recovered(await scenario.recovery(time.monotonic(), "coordinator"))
        await scenario.check_transfers(row, calls)
    await scenario.reset()
    return row


async def _run_fault(scenario: Scenario, row: Row, act: FaultAction, role: str) -> Row:
    for moment in (at_every_phase, at_start_and_join):
        async with moment(scenario, row) as calls:
            began = time.monotonic()
            await act(scenario, calls)
            if role in QUEUES_THAT_EMPTY:
                row.recovered(await scenario.recovery(began, role))
            await scenario.check_transfers(row, calls)
        await scenario.reset()
    return row
