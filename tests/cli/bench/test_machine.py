"""CPU and memory of processes, what others used, and holding a process to a share of a core."""

from __future__ import annotations

import asyncio
import mmap
import os
import sys
import time
from collections.abc import AsyncIterator

import pytest

from warmxfer.cli.bench.machine import UsageMeter, cpu_s, free_share, memory_bytes
from warmxfer.cli.bench.throttle import throttled

SPIN = [sys.executable, "-c", "while True: pass"]
NO_PID = 2**22 + 1
"""Above the highest process id that Linux allows."""
MEASURED_CPU_S = 0.5
LIMIT_S = 60.0


@pytest.fixture
async def spinning() -> AsyncIterator[int]:
    """A process that uses all the CPU that it gets."""
    process = await asyncio.create_subprocess_exec(*SPIN)
    yield process.pid
    process.kill()
    await process.wait()


async def until_used(pid: int, used_s: float) -> None:
    async with asyncio.timeout(LIMIT_S):
        while cpu_s(pid) < used_s:
            await asyncio.sleep(0.01)


async def test_a_meter_separates_measured_processes_from_others(spinning: int) -> None:
    ours, theirs = UsageMeter({"spin": [spinning]}), UsageMeter({})
    await until_used(spinning, cpu_s(spinning) + MEASURED_CPU_S)
    measured, unmeasured = ours.read(), theirs.read()
    assert measured.by_role["spin"] >= MEASURED_CPU_S
    assert measured.cpu_s == measured.by_role["spin"]
    # Both saw the same others, and one of them also the spinning process.
    assert unmeasured.others_cpu > measured.others_cpu
    assert unmeasured.by_role == {}


def test_a_process_that_has_ended_uses_nothing() -> None:
    assert (cpu_s(NO_PID), memory_bytes(NO_PID)) == (0.0, 0)
    assert UsageMeter({"gone": [NO_PID]}).read().by_role == {"gone": 0.0}


def test_memory_grows_with_what_a_process_keeps() -> None:
    """The pages are mapped for this test alone: a list or a bytes object may reuse memory that is free."""
    before = memory_bytes(os.getpid())
    with mmap.mmap(-1, 32_000_000) as kept:
        kept.write(b"x" * len(kept))
        assert memory_bytes(os.getpid()) - before > 0.9 * len(kept)


def test_part_of_the_memory_is_free() -> None:
    assert 0 < free_share() < 1


async def test_a_throttled_process_gets_no_more_than_its_share(spinning: int) -> None:
    await until_used(spinning, 0.05)
    async with throttled([spinning], 0.2):
        before_s, began_at = cpu_s(spinning), time.monotonic()
        async with asyncio.timeout(LIMIT_S):
            while cpu_s(spinning) - before_s < 0.1:
                await asyncio.sleep(0.01)
        took_s = time.monotonic() - began_at
    # Other work can only make it slower.
    assert took_s > 0.1 / 0.2 * 0.6
    await until_used(spinning, cpu_s(spinning) + 0.05)  # it runs freely again
