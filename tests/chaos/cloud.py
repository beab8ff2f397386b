"""F8, F10, F12, F13: a failing provider, lost, repeated and reordered webhooks, a failing model.

A fault of one kind is switched on for all operations at once. Each strikes once, so some transfers meet a
fault and others beside them do not.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

from tests.e2e.stack_fixture import BUSY, DECLINES, GONE_MID_BRIEFING, READY, VOICEMAIL

from .report_row import Row
from .scenario import TIME_SCALE, Scenario, open_scenario

LEAVES_ON_HOLD = "+14155550202"
PATIENT = "+14155550201"
OPERATIONS = {
    "rooms": {"method": "POST", "path": "/v2/rooms"},
    "dial": {"method": "POST", "path": "/v2/sip/call"},
    "switch": {"method": "POST", "path": "/v2/sip/call/switch-room"},
    "end": {"method": "POST", "path": "/v2/sip/call/end"},
    "look-up": {"method": "GET", "path": "/v2/sip/call*"},
}
LATE_S, VERY_LATE_S, HOLD_S, SLOW_S = 50.0, 300.0, 20.0, 10.0
"""Simulated: 5 s, 30 s, 2 s and 1 s."""
MOVED_LATE_S, CLEARED_LATE_S = 80.0, 100.0
CLOSE = {"method": "POST", "path": "/v2/rooms/deactivate"}

PROVIDER: dict[str, tuple[str, dict[str, Any]]] = {
    "429": ("status", {"status": 429, "retryAfterS": 1}),
    "500": ("status", {"status": 500}),
    "503": ("status", {"status": 503}),
    "reset": ("reset", {}),
    "execute_then_reset": ("execute_then_reset", {}),
    "execute_then_timeout": ("execute_then_timeout", {"holdS": HOLD_S}),
    "execute_late by 5 s": ("execute_late", {"delayS": LATE_S, "holdS": HOLD_S}),
    "execute_late by 30 s": ("execute_late", {"delayS": VERY_LATE_S, "holdS": HOLD_S}),
    "execute_twice": ("execute_twice", {}),
    "garbage": ("garbage", {}),
    "wrong_schema": ("wrong_schema", {}),
    "slow_drip": ("slow_drip", {"delayS": SLOW_S}),
}
SUPERVISORS = (READY, READY, READY, DECLINES, GONE_MID_BRIEFING)
MODEL = ("hang", "endless", "refuse", "empty", "500")
CONFIG = {"summary_timeout_s": 2}


async def f12(chance: random.Random) -> AsyncIterator[Row]:
    """Let each operation of the provider fail once in each way."""
    async with open_scenario() as scenario:
        for name, (kind, more) in PROVIDER.items():
            row = Row("F12", f"provider {name}")
            supervisors = list(SUPERVISORS)
            chance.shuffle(supervisors)
            for match in OPERATIONS.values():
                await scenario.driver.fault(kind, match, **more)
            # Wait for the late effect, otherwise there is nothing to check.
            late_s = more.get("delayS", 0.0) * TIME_SCALE if kind == "execute_late" else 0.0
            times = 2 if kind == "execute_twice" else 1
            await _transfers(scenario, row, supervisors, times=times, late_s=late_s)
            left = [fault["match"] for fault in await _faults(scenario)]
            row.cells = len(OPERATIONS) - len(left)
            row.notes += [f"never struck: {match}" for match in left]
            await scenario.reset()
            yield row
        yield await _move_late(scenario)


async def _move_late(scenario: Scenario) -> Row:
    """Move each caller late: the provider replies to look-ups in time and executes orders slowly.

    The gateway has already found that the move was not done, and has not yet ended leg and room.
    """
    row = Row("F12", "provider moves late, clears away later", cells=1)
    supervisors = [READY] * 5
    moves_late = {"delayS": MOVED_LATE_S, "holdS": HOLD_S}
    await scenario.driver.fault("execute_late", OPERATIONS["switch"], times=len(supervisors), **moves_late)
    for match in (OPERATIONS["end"], CLOSE):
        await scenario.driver.fault("delay", match, times=len(supervisors), delayS=CLEARED_LATE_S)
    await _transfers(scenario, row, supervisors, late_s=CLEARED_LATE_S * TIME_SCALE)
    await scenario.reset()
    return row


async def f8() -> AsyncIterator[Row]:
    """Send webhooks twice, or in another order."""
    async with open_scenario() as scenario:
        for kind in ("duplicate", "reorder"):
            yield await _webhooks(scenario, Row("F8", f"webhooks {kind}"), kind)


async def f10() -> AsyncIterator[Row]:
    """Send no webhook."""
    async with open_scenario() as scenario:
        yield await _webhooks(scenario, Row("F10", "webhooks drop"), "drop")


async def _webhooks(scenario: Scenario, row: Row, kind: str) -> Row:
    supervisors = [READY, BUSY, GONE_MID_BRIEFING, READY]
    row.cells = len(supervisors)
    await scenario.driver.fault(kind, {"webhook": "*"}, times=0)
    await _transfers(scenario, row, supervisors, leaves=True)
    if not sum(fault["struck"] for fault in await _faults(scenario)):
        row.problems.append(f"{row.struck}: no webhook was sent")
    await scenario.reset()
    return row


async def f13() -> AsyncIterator[Row]:
    """Let the model fail in each way, for as long as the transfers last."""
    async with open_scenario() as scenario:
        for kind in MODEL:
            row = Row("F13", f"model {kind}", cells=1)
            match = {"path": "/v1/chat/completions"}
            if kind.isdigit():
                await scenario.driver.fault("status", match, times=0, status=int(kind))
            else:
                await scenario.driver.fault(kind, match, times=0)
            await _transfers(scenario, row, [READY, VOICEMAIL])
            if row.outcomes["complete"] != 1:
                row.problems.append(f"I24: {row.struck}: {dict(row.outcomes)}")
            await scenario.reset()
            yield row


async def _transfers(
    scenario: Scenario,
    row: Row,
    supervisors: list[str],
    *,
    times: int = 1,
    leaves: bool = False,
    late_s: float = 0.0,
) -> None:
    """Run one transfer to each of `supervisors`, all at once, and check them `late_s` after their end.

    With `leaves` the last caller hangs up while on hold.
    """
    numbers = [PATIENT] * len(supervisors)
    if leaves:
        numbers[-1] = LEAVES_ON_HOLD
    callers = [await scenario.stack.call(number) for number in numbers]
    await scenario.stack.start("primary", rooms=[caller.room_id for caller in callers])
    calls = await asyncio.gather(
        *(scenario.driver.begin(*pair, **CONFIG) for pair in zip(callers, supervisors, strict=True))
    )
    await scenario.wait_ended(calls)
    await asyncio.sleep(late_s)
    await scenario.check_transfers(row, calls, times=times)


async def _faults(scenario: Scenario) -> list[dict[str, Any]]:
    return (await scenario.stack.get("/sandbox/faults"))["faults"]
