"""What waiting transfers cost: stored messages, reads, CPU and memory, beside the cloud in `fake_cloud.py`.

    python -m tests.benchmarks.waiting [--count 300] [--stage ringing|briefing] [--seconds 20] [--no-webhooks]

Starts a broker and one process of each actor, begins `count` transfers, and measures once all of them wait.
Memory is the proportional set size (PSS) that the transfers add. A session that is attached and has no
transfer is counted apart: it is the voice agent's.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from warmxfer.bus import Bus, BusSettings, EmbeddedServer, Outgoing, subjects
from warmxfer.client.phase_stream import phase_of
from warmxfer.schemas import (
    SIPDestination,
    WarmTransferConfig,
    WarmTransferPhase,
    WarmTransferRequest,
    encode,
)

Stage = Literal["ringing", "briefing"]
WAITS_AFTER = {
    "ringing": WarmTransferPhase.SUPERVISOR_DIALED,
    "briefing": WarmTransferPhase.BRIEFING_STARTED,
}
WARM_UP = 20
"""Transfers before the first sample, so that no memory of a first use is counted."""
FILLERS, FILLER_BYTES = 800, 50_000
AT_ONCE = 64
BEGIN_S = 300.0
ACTORS = ("coordinator", "gateway", "summarizer", "briefing", "primary")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Cost:
    """What one process spends on waiting transfers."""

    name: str
    cpu: float
    """Share of a core."""
    reads_per_s: float
    asks_per_s: float
    kb_each: float


@dataclass(frozen=True, slots=True)
class WaitingCost:
    """The measurement: all processes, and the messages that they stored."""

    count: int
    stored_per_s: float
    stored_each: float
    """Messages that the stream holds of one transfer."""
    kb_per_session: float
    processes: tuple[Cost, ...]

    @property
    def cpu(self) -> float:
        return sum(each.cpu for each in self.processes)

    @property
    def kb_each(self) -> float:
        return sum(each.kb_each for each in self.processes)

    def lines(self) -> list[str]:
        """Return the measurement as text."""
        return [
            f"{'process':<12} {'CPU %':>7} {'reads/s':>8} {'asks/s':>7} {'KB each':>8}",
            *(
                f"{each.name:<12} {100 * each.cpu:>7.2f} {each.reads_per_s:>8.1f} {each.asks_per_s:>7.1f} "
                f"{each.kb_each:>8.1f}"
                for each in self.processes
            ),
            f"{'all':<12} {100 * self.cpu:>7.2f} {sum(each.reads_per_s for each in self.processes):>8.1f} "
            f"{sum(each.asks_per_s for each in self.processes):>7.1f} {self.kb_each:>8.1f}",
            f"{self.stored_per_s:.1f} messages stored a second, {self.stored_each:.1f} a transfer so far; "
            f"{self.kb_per_session:.1f} KB an attached session",
        ]


class _Process:
    """An actor process of the measurement."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self._process = process
        self.pid = process.pid

    @classmethod
    async def start(cls, role: str, *arguments: str) -> _Process:
        """Start the process and return when it serves."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "tests.benchmarks.fake_process", role, *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        started = cls(role, process)
        await started._line()
        return started

    async def stop(self) -> None:
        """End the process at once: it has nothing to finish."""
        self._process.kill()
        await self._process.wait()

    async def requests(self) -> dict[str, int]:
        """Return how often the process has read and asked so far."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")
        return json.loads(await self._line())

    async def _line(self) -> bytes:
        assert self._process.stdout is not None
        async with asyncio.timeout(60):
            line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the {self.name} process ended")
        return line


async def measure(
    count: int, stage: Stage, seconds: float, *, webhooks: bool = True, settle_s: float = 40.0
) -> WaitingCost:
    """Begin `count` transfers that wait in `stage`, and return what they cost during `seconds`.

    `settle_s`: pause before the measurement, in which the reads after the subscriptions end.
    """
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(EmbeddedServer(sync_interval="2m"))
        bus = await stack.enter_async_context(await Bus.connect(BusSettings(url=server.url), name="waiting"))
        options = [*(["--answered"] if stage == "briefing" else []), *(["--webhooks"] if webhooks else [])]
        processes: list[_Process] = []
        for role in ACTORS:
            sessions = ("--sessions", "0", str(WARM_UP)) if role == "primary" else ()
            processes.append(await _Process.start(role, server.url, *options, *sessions))
            stack.push_async_callback(processes[-1].stop)
        await _fill_caches(bus)
        await _begin(bus, range(WARM_UP), stage)
        bare_bytes = await _settled_pss(server.pid)
        sessions = ("--sessions", str(WARM_UP), str(WARM_UP + count))
        more = await _Process.start("primary", server.url, *options, *sessions)
        stack.push_async_callback(more.stop)
        attached_bytes = await _settled_pss(server.pid, more.pid)
        empty_bytes = _pss_bytes(processes[-1].pid)
        processes[-1] = more
        pids = {"nats-server": server.pid, **{each.name: each.pid for each in processes}}
        before = {name: _pss_bytes(pid) for name, pid in pids.items()}
        stored_before = await _stored(bus)
        await _begin(bus, range(WARM_UP, WARM_UP + count), stage)
        stored_each = (await _stored(bus) - stored_before) / count
        await asyncio.sleep(settle_s)
        after = {name: _pss_bytes(pid) for name, pid in pids.items()}
        cpu_before, requests_before = (
            {name: _cpu_s(pid) for name, pid in pids.items()},
            await _requests(processes),
        )
        stored_before, started_at = await _stored(bus), asyncio.get_running_loop().time()
        await asyncio.sleep(seconds)
        measured_s = asyncio.get_running_loop().time() - started_at
        cpu_after, requests_after = (
            {name: _cpu_s(pid) for name, pid in pids.items()},
            await _requests(processes),
        )
        stored_per_s = (await _stored(bus) - stored_before) / measured_s
        costs: list[Cost] = []
        for name in pids:
            asked_before, asked = requests_before.get(name, {}), requests_after.get(name, {})
            rates = {each: (asked[each] - asked_before.get(each, 0)) / measured_s for each in asked}
            asks_per_s = rates.pop("ask", 0.0)
            cpu = (cpu_after[name] - cpu_before[name]) / measured_s
            kb_each = (after[name] - before[name]) / count / 1024
            costs.append(Cost(name, cpu, sum(rates.values()), asks_per_s, kb_each))
        kb_per_session = (attached_bytes - bare_bytes - empty_bytes) / count / 1024
        return WaitingCost(count, stored_per_s, stored_each, kb_per_session, tuple(costs))


async def _fill_caches(bus: Bus) -> None:
    """Store as many bytes as the broker keeps of its newest blocks in memory, whatever is in them."""
    for _ in range(FILLERS // 100):
        await bus.publish_all([Outgoing(subjects.dead_letter("probe"), b"x" * FILLER_BYTES)] * 100)


async def _begin(bus: Bus, numbers: range, stage: Stage) -> None:
    """Request a transfer of each session, and return when all of them wait."""
    waiting = {f"w{n}" for n in numbers}
    limit = asyncio.Semaphore(AT_ONCE)
    destination = SIPDestination("rule", "+14155550101", "+14155550199")
    config = WarmTransferConfig(destination, supervisor_join_timeout_s=3_600.0, briefing_timeout_s=3_600.0)
    async with bus.subscribe(subjects.ANY_PHASE) as phases:

        async def begin() -> None:
            for n in numbers:
                await limit.acquire()
                request = WarmTransferRequest(room_id=f"s{n}", config=config)
                await bus.publish(subjects.request(f"w{n}"), encode(request))

        beginning = asyncio.ensure_future(begin())
        async with asyncio.timeout(BEGIN_S):
            while waiting:
                message = await anext(phases)
                phase = phase_of(message)
                if phase is None or phase.phase.final or message.lost:
                    raise RuntimeError(f"{message.subject} does not wait: {phase}")
                if phase.phase is WAITS_AFTER[stage]:
                    waiting.discard(subjects.parse(message.subject).id)
                    limit.release()
        await beginning


async def _stored(bus: Bus) -> int:
    """Return the number of the newest message, by storing one that no actor reads."""
    return await bus.publish(subjects.dead_letter("probe"), b"")


async def _requests(processes: list[_Process]) -> dict[str, dict[str, int]]:
    return {each.name: await each.requests() for each in processes}


async def _settled_pss(*pids: int) -> int:
    await asyncio.sleep(2.0)
    return sum(_pss_bytes(pid) for pid in pids)


def _pss_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"process {pid} shows no memory")


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--stage", choices=("ringing", "briefing"), default="ringing")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--settle", type=float, default=40.0)
    parser.add_argument("--no-webhooks", action="store_true")
    options = parser.parse_args()
    cost = asyncio.run(
        measure(
            options.count,
            options.stage,
            options.seconds,
            webhooks=not options.no_webhooks,
            settle_s=options.settle,
        )
    )
    print(f"{options.count} transfers in {options.stage}, webhooks {'off' if options.no_webhooks else 'on'}")
    print("\n".join(cost.lines()))
