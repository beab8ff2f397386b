"""The same transfer as one coroutine in memory: no broker, no log, no second process.

It shows what the steps themselves cost. It survives nothing: a crash forgets every transfer, and with it
every caller on hold.
"""

from __future__ import annotations

import asyncio
import time

from msgspec import Struct, field

from warmxfer.schemas import PhaseChanged, WarmTransferPhase, encode

PHASES = (
    WarmTransferPhase.STARTED,
    WarmTransferPhase.SUMMARY_GENERATING,
    WarmTransferPhase.CALLER_ON_HOLD,
    WarmTransferPhase.CONSULTATION_ROOM_CREATED,
    WarmTransferPhase.SUPERVISOR_DIALED,
    WarmTransferPhase.SUMMARY_READY,
    WarmTransferPhase.SUPERVISOR_JOINED,
    WarmTransferPhase.BRIEFING_STARTED,
    WarmTransferPhase.BRIEFING_COMPLETE,
    WarmTransferPhase.CALL_SWITCHED,
    WarmTransferPhase.TRANSFER_COMPLETE,
)


class Steps(Struct):
    """What was done for one transfer."""

    dials: int = 0
    moves: int = 0
    phases: list[bytes] = field(default_factory=list[bytes])


async def transfer() -> Steps:
    """Run one transfer: four preparations at once, a dial, a briefing, a move."""
    steps, yes = Steps(), asyncio.Event()

    def publish(*phases: WarmTransferPhase) -> None:
        for phase in phases:
            seq = len(steps.phases) + 1
            steps.phases.append(encode(PhaseChanged(phase, {}, time.time(), "c-1", seq)))

    async def cloud() -> None:
        await asyncio.sleep(0)

    async def brief() -> None:
        await cloud()
        yes.set()

    publish(*PHASES[:2])
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        for _ in range(4):
            tasks.create_task(cloud())
    publish(*PHASES[2:4])
    steps.dials += 1
    await cloud()
    publish(*PHASES[4:8])
    briefing = asyncio.create_task(brief())
    async with asyncio.timeout(10):
        await yes.wait()
    publish(PHASES[8])
    steps.moves += 1
    await cloud()
    publish(*PHASES[9:])
    await briefing
    return steps
