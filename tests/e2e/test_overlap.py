"""The caller's waiting time is the longest preparation task, not the sum of all tasks."""

from __future__ import annotations

import pytest

from warmxfer.schemas import WarmTransferPhase

from .conftest import TIME_SCALE
from .stack_fixture import READY, TransferDriver

pytestmark = pytest.mark.asyncio(loop_scope="session")

SUMMARY_S, ROOM_S, JOIN_S, RING_S, AUDIO_S = 6.0, 0.3, 3.0, 9.0, 0.2
BUSY_S = 2.8
"""What a busy machine may add: less than the shortest of the long tasks, which must run beside the others."""
LONGEST_LEG_S = ROOM_S + RING_S + AUDIO_S
"""A phone rings only into an existing room, and audio starts a moment after the answer."""


async def test_the_caller_waits_for_the_longest_leg_and_no_more(driver: TransferDriver) -> None:
    await driver.fault("delay", {"path": "/v1/chat/completions"}, times=0, delayS=SUMMARY_S / TIME_SCALE)
    await driver.fault("delay", {"method": "POST", "path": "/v2/rooms"}, times=0, delayS=ROOM_S / TIME_SCALE)
    (caller,) = await driver.callers(1)
    await driver.fault("delay", {"join": True}, times=0, delayS=JOIN_S / TIME_SCALE)
    await driver.person(READY, script="ready", ringS=RING_S / TIME_SCALE, audioS=AUDIO_S / TIME_SCALE)
    call = await driver.begin(caller)
    held = await call.until(WarmTransferPhase.CALLER_ON_HOLD)
    briefed = await call.until(WarmTransferPhase.BRIEFING_STARTED)
    await call.transfer.cancel()
    await call.result()
    waited_s = briefed.timestamp - held.timestamp
    assert RING_S <= waited_s <= LONGEST_LEG_S + BUSY_S
