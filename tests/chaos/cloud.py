"""F8, F10, F12, F13: a provider that fails in every way, webhooks that lie, a model that is no help.

The faults of one kind are switched on for every operation at once; each strikes once, and a transfer that
meets one goes on beside others that do not.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

from tests.e2e.stack_fixture import BUSY, DECLINES, GONE_MID_BRIEFING, READY, VOICEMAIL

from .report_row import Row
from .scenario import TIME_SCALE, Scene, scene

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
    """Each way to fail, once for each operation of the provider."""
    async with scene() as here:
        for name, (kind, more) in PROVIDER.items():
            row = Row("F12", f"provider {name}")
            supervisors = list(SUPERVISORS)
            chance.shuffle(supervisors)
            for match in OPERATIONS.values():
                await here.stage.fault(kind, match, **more)
            # What comes late is waited for: there must be something to look at.
            late_s = more.get("delayS", 0.0) * TIME_SCALE if kind == "execute_late" else 0.0
            times = 2 if kind == "execute_twice" else 1
            await _transfers(here, row, supervisors, times=times, late_s=late_s)
            left = [fault["match"] for fault in await _faults(here)]
            row.cells = len(OPERATIONS) - len(left)
            row.notes += [f"never struck: {match}" for match in left]
            await here.calm()
            yield row
        yield await _moved_too_late(here)


async def _moved_too_late(here: Scene) -> Row:
    """Each caller is moved after the gateway has looked and taken the move for not done, and before it has
    cleared away the supervisor and the room: a provider that answers questions and is slow to act."""
    row = Row("F12", "provider moves late, clears away later", cells=1)
    supervisors = [READY] * 5
    moves_late = {"delayS": MOVED_LATE_S, "holdS": HOLD_S}
    await here.stage.fault("execute_late", OPERATIONS["switch"], times=len(supervisors), **moves_late)
    for match in (OPERATIONS["end"], CLOSE):
        await here.stage.fault("delay", match, times=len(supervisors), delayS=CLEARED_LATE_S)
    await _transfers(here, row, supervisors, late_s=CLEARED_LATE_S * TIME_SCALE)
    await here.calm()
    return row


async def f8() -> AsyncIterator[Row]:
    """Webhooks that come twice, or in another order."""
    async with scene() as here:
        for kind in ("duplicate", "reorder"):
            yield await _webhooks(here, Row("F8", f"webhooks {kind}"), kind)


async def f10() -> AsyncIterator[Row]:
    """Webhooks that never come."""
    async with scene() as here:
        yield await _webhooks(here, Row("F10", "webhooks drop"), "drop")


async def _webhooks(here: Scene, row: Row, kind: str) -> Row:
    supervisors = [READY, BUSY, GONE_MID_BRIEFING, READY]
    row.cells = len(supervisors)
    await here.stage.fault(kind, {"webhook": "*"}, times=0)
    await _transfers(here, row, supervisors, leaves=True)
    if not sum(fault["struck"] for fault in await _faults(here)):
        row.problems.append(f"{row.struck}: no webhook was sent")
    await here.calm()
    return row


async def f13() -> AsyncIterator[Row]:
    """A model that is no help, for as long as the transfers last."""
    async with scene() as here:
        for kind in MODEL:
            row = Row("F13", f"model {kind}", cells=1)
            match = {"path": "/v1/chat/completions"}
            if kind.isdigit():
                await here.stage.fault("status", match, times=0, status=int(kind))
            else:
                await here.stage.fault(kind, match, times=0)
            await _transfers(here, row, [READY, VOICEMAIL])
            if row.outcomes["complete"] != 1:
                row.problems.append(f"I24: {row.struck}: {dict(row.outcomes)}")
            await here.calm()
            yield row


async def _transfers(
    here: Scene,
    row: Row,
    supervisors: list[str],
    *,
    times: int = 1,
    leaves: bool = False,
    late_s: float = 0.0,
) -> None:
    """One transfer to each of `supervisors`, all at once; with `leaves` the last caller does. Judged when
    they have ended, and `late_s` more have passed."""
    numbers = [PATIENT] * len(supervisors)
    if leaves:
        numbers[-1] = LEAVES_ON_HOLD
    callers = [await here.house.call(number) for number in numbers]
    await here.house.start("primary", rooms=[caller.room_id for caller in callers])
    calls = await asyncio.gather(
        *(here.stage.begin(*pair, **CONFIG) for pair in zip(callers, supervisors, strict=True))
    )
    await here.ended(calls)
    await asyncio.sleep(late_s)
    await here.judge(row, calls, times=times)


async def _faults(here: Scene) -> list[dict[str, Any]]:
    return (await here.house.get("/sandbox/faults"))["faults"]
