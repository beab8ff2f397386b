"""Holds processes to a share of one core each, so that they are what limits the rate.

Each process may run in one slice of every period and is stopped (SIGSTOP) for the rest. The slices of several
processes follow each other, so they do not compete for a core.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

PERIOD_S = 0.05


@asynccontextmanager
async def throttled(pids: Sequence[int], share: float) -> AsyncIterator[None]:
    """Hold each process to `share` of a core. On exit every one runs freely."""
    tasks = [
        asyncio.create_task(_throttle(pid, share * PERIOD_S, PERIOD_S * number / len(pids)))
        for number, pid in enumerate(pids)
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        for pid in pids:
            _signal(pid, signal.SIGCONT)


async def _throttle(pid: int, slice_s: float, offset_s: float) -> None:
    now = asyncio.get_running_loop().time
    _signal(pid, signal.SIGSTOP)
    began_at = now() + offset_s
    while True:
        await asyncio.sleep(max(began_at - now(), 0))
        _signal(pid, signal.SIGCONT)
        await asyncio.sleep(slice_s)
        _signal(pid, signal.SIGSTOP)
        began_at = max(began_at + PERIOD_S, now())


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return  # it has ended; the row names it
