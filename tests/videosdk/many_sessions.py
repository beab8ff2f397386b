"""Transfers many live sessions of one process at once, and measures how long their loop stalls.

    python -m tests.videosdk.many_sessions --sessions 200
    python -m tests.videosdk.many_sessions --sessions 20 --upstream

Sessions, pipelines, jobs and rooms are the real framework's. The actors run as processes, against the
sandbox. Exits 1 if a transfer does not complete, if warmxfer's code stalls the loop for longer than
`MAX_WARMXFER_S`, or if warmxfer uses a thread.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import structlog
from videosdk.agents.warm_transfer import SIPDestination, WarmTransferConfig

from warmxfer.cli.local_stack.stack import LocalStack

from .event_loop_stalls import Stall, StallWatcher, warmxfer_frame
from .offline import Call
from .upstream_fixture import (
    AgentConnections,
    EscalatingAgent,
    close,
    framework_offline,
    open_escalating,
    sandbox,
    upstream_cloud,
)

MAX_WARMXFER_S = 0.1
LIMIT_S = 150.0
TIME_SCALE = 0.1
BRIEFING_ENV = {"WARMXFER_BRIEFING_JOBS": "512"}
COMMAND_TIMEOUT_S = 60.0
"""All processes share two cores, so an actor with two hundred commands is late, not missing."""

PLACES_SHOWN = 5
NAMES = {True: "warmxfer", False: "upstream"}


@dataclass
class SessionsReport:
    """The result of many transfers."""

    with_warmxfer: bool
    sessions: int
    completed: int = 0
    took_s: float = 0.0
    longest: Stall = field(default_factory=Stall)
    worst_warmxfer: Stall = field(default_factory=Stall)
    threads: list[str] = field(default_factory=list)
    """The threads that warmxfer's code started."""
    pool: bool = False
    """Whether the loop has got a thread pool."""
    places: list[tuple[str, float]] = field(default_factory=list)
    failures: set[str] = field(default_factory=set)

    @property
    def passed(self) -> bool:
        """Whether all transfers completed within the limits."""
        kept = self.worst_warmxfer.warmxfer_s <= MAX_WARMXFER_S and not self.threads and not self.pool
        return self.completed == self.sessions and kept

    def row(self) -> str:
        longest = self.longest
        parts_s = (longest.length_s, longest.waiting_s, longest.collecting_s, self.worst_warmxfer.warmxfer_s)
        ms = [f"{1000 * part_s:.0f}" for part_s in parts_s]
        if not self.with_warmxfer:
            ms[-1] = "-"  # with upstream, the only code of warmxfer is the sandbox's client
        cells = [NAMES[self.with_warmxfer], self.sessions, self.completed, f"{self.took_s:.1f}", *ms]
        pool = "yes" if self.pool else "no"
        return f"| {' | '.join(map(str, cells))} | {len(self.threads)} | {pool} |"


HEAD = (
    "| | sessions | complete | seconds | longest stall, ms | of it without a processor "
    "| of it collecting garbage | longest by warmxfer | its threads | thread pool |\n" + 10 * "|---" + "|"
)


async def transfer_many(sessions: int, *, with_warmxfer: bool = True) -> SessionsReport:
    """Open `sessions` calls, request all transfers at once, and watch until each AI has left."""
    report = SessionsReport(with_warmxfer, sessions)
    async with (
        LocalStack(time_scale=TIME_SCALE, env=BRIEFING_ENV) as local_stack,
        open_calls(local_stack, sessions, with_warmxfer) as calls,
    ):
        loop: Any = asyncio.get_running_loop()
        had_pool, began = loop._default_executor is not None, time.monotonic()
        with _warmxfer_threads() as report.threads:
            async with StallWatcher() as stalls:
                await asyncio.gather(*(live.stt.transcribe("Get me a supervisor.") for live, _ in calls))
                await _end(report, calls)
        report.took_s = time.monotonic() - began
        report.pool = not had_pool and loop._default_executor is not None
        report.longest, report.worst_warmxfer = stalls.longest, stalls.worst_warmxfer
        report.places = sorted(stalls.places.items(), key=lambda place: -place[1])[:PLACES_SHOWN]
    return report


async def _end(report: SessionsReport, calls: list[tuple[Call, EscalatingAgent]]) -> None:
    """Wait until each tool has its result, and until each AI whose transfer succeeded has left."""
    await asyncio.wait([agent.ending for _, agent in calls], timeout=LIMIT_S)
    completed: list[Call] = []
    for live, agent in calls:
        result = agent.ending.result() if agent.ending.done() else f"nothing within {LIMIT_S:g} s"
        if getattr(result, "success", False):
            completed.append(live)
        else:
            report.failures.add(str(getattr(result, "error", None) or result))
    try:
        async with asyncio.timeout(LIMIT_S):
            while not all(live.meeting.left for live in completed):
                await asyncio.sleep(0.05)
    except TimeoutError:
        report.failures.add("an AI has not left its call")
    report.completed = sum(live.meeting.left for live in completed)


@asynccontextmanager
async def open_calls(
    local_stack: LocalStack, sessions: int, with_warmxfer: bool
) -> AsyncIterator[list[tuple[Call, EscalatingAgent]]]:
    """Open a call for each session. Its AI transfers the caller once the caller asks for a supervisor."""
    async with AsyncExitStack() as stack:
        stack.enter_context(framework_offline())
        stack.enter_context(upstream_cloud(local_stack))
        calls: list[tuple[Call, EscalatingAgent]] = []
        callers = [await local_stack.call() for _ in range(sessions)]
        records = (await sandbox(local_stack, "GET", "/sandbox/state"))["calls"]
        session_ids = {each["callId"]: each["sessionId"] for each in records}
        for caller in callers:
            connections, agent = (
                AgentConnections(local_stack, caller, session_ids[caller.call_id]),
                EscalatingAgent(_config()),
            )
            live = await open_escalating(
                local_stack,
                agent,
                connections,
                with_warmxfer=with_warmxfer,
                command_timeout_s=COMMAND_TIMEOUT_S,
            )
            stack.push_async_callback(close, live, connections)
            _add_caller(live, caller.participant_id)
            calls.append((live, agent))
        yield calls


def _add_caller(live: Call, caller: str) -> None:
    """Put the caller into the AI's room until they are switched, as the cloud reports it."""
    live.meeting.joins(caller)
    live.session.on_warm_transfer("call_switched", lambda _: live.meeting.leaves(caller))


def _config() -> WarmTransferConfig:
    return WarmTransferConfig(SIPDestination("rr_1", "+14155550101", "+14155550100"))


@contextmanager
def _warmxfer_threads() -> Iterator[list[str]]:
    """Collect the names of threads that warmxfer's code starts."""
    started: list[str] = []
    start = threading.Thread.start

    def start_and_note(thread: threading.Thread) -> None:
        if warmxfer_frame(sys._getframe()):
            started.append(thread.name)
        start(thread)

    with patch.object(threading.Thread, "start", start_and_note):
        yield started


def main() -> int:
    """Run the transfers; print the row of the table and where warmxfer's time went."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sessions", type=int, default=200)
    parser.add_argument("--upstream", action="store_true", help="use upstream instead of warmxfer")
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    report = asyncio.run(transfer_many(arguments.sessions, with_warmxfer=not arguments.upstream))
    print(HEAD, report.row(), sep="\n")
    for place, seconds in report.places:
        print(f"  {1000 * seconds:5.0f} ms of stalls in {place}")
    for failure in sorted(report.failures):
        print(f"  {failure}")
    return 0 if report.passed else 1


if __name__ == "__main__":
    sys.exit(main())
