"""Many live sessions in one process, all asking for their transfer at once, and what that did to their loop.

    python -m tests.videosdk.crowd --sessions 200
    python -m tests.videosdk.crowd --sessions 20 --original

Sessions, pipelines, jobs and rooms are the real framework's; our actors run as processes, against the
sandbox. Exits 1 when a transfer did not complete, when the loop was kept away for longer than
`MAX_OF_OURS_S` by code of ours, or when we took a thread.
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

from warmxfer.bus import Bus, BusSettings
from warmxfer.cli.local_stack.stack import LocalStack

from .event_loop_stalls import Stall, Stalls, of_ours
from .framework_fixture import Asking, Seats, close, framework_offline, open_asking, original_cloud, sandbox
from .offline import Call

MAX_OF_OURS_S = 0.1
LIMIT_S = 150.0
TIME_SCALE = 0.1
ROOM_FOR_ALL = {"WARMXFER_BRIEFING_JOBS": "512"}
PATIENCE_S = 60.0
"""Everything here shares two cores: an actor with two hundred things to do is late, not missing."""

PLACES_SHOWN = 5
WHO = {True: "warmxfer", False: "the original"}


@dataclass
class Crowding:
    """What became of a crowd."""

    ours: bool
    sessions: int
    completed: int = 0
    took_s: float = 0.0
    longest: Stall = field(default_factory=Stall)
    worst_of_ours: Stall = field(default_factory=Stall)
    threads: list[str] = field(default_factory=list)
    """The threads that were started meanwhile by code of ours."""
    pool: bool = False
    """Whether the loop has a pool of threads now that it had not before."""
    places: list[tuple[str, float]] = field(default_factory=list)
    troubles: set[str] = field(default_factory=set)

    @property
    def well(self) -> bool:
        """Whether all is as it is promised."""
        kept = self.worst_of_ours.ours_s <= MAX_OF_OURS_S and not self.threads and not self.pool
        return self.completed == self.sessions and kept

    def row(self) -> str:
        longest = self.longest
        parts_s = (longest.long_s, longest.waiting_s, longest.collecting_s, self.worst_of_ours.ours_s)
        ms = [f"{1000 * part_s:.0f}" for part_s in parts_s]
        if not self.ours:
            ms[-1] = "-"  # what there is of us then are the sandbox's sockets
        cells = [WHO[self.ours], self.sessions, self.completed, f"{self.took_s:.1f}", *ms]
        pool = "yes" if self.pool else "no"
        return f"| {' | '.join(map(str, cells))} | {len(self.threads)} | {pool} |"


HEAD = (
    "| | sessions | complete | seconds | longest stall, ms | of it without a processor "
    "| of it collecting garbage | longest by warmxfer | its threads | thread pool |\n" + 10 * "|---" + "|"
)


async def crowd(sessions: int, *, ours: bool = True) -> Crowding:
    """Open `sessions` calls, have all of them ask at once, and watch until each is over and left."""
    seen = Crowding(ours, sessions)
    async with (
        LocalStack(time_scale=TIME_SCALE, env=ROOM_FOR_ALL) as house,
        _calls(house, sessions, ours) as calls,
    ):
        loop: Any = asyncio.get_running_loop()
        had_pool, began = loop._default_executor is not None, time.monotonic()
        with _threads_of_ours() as seen.threads:
            async with Stalls() as stalls:
                await asyncio.gather(*(live.ear.hears("Get me a supervisor.") for live, _ in calls))
                await _end(seen, calls)
        seen.took_s = time.monotonic() - began
        seen.pool = not had_pool and loop._default_executor is not None
        seen.longest, seen.worst_of_ours = stalls.longest, stalls.worst_of_ours
        seen.places = sorted(stalls.places.items(), key=lambda place: -place[1])[:PLACES_SHOWN]
    return seen


async def _end(seen: Crowding, calls: list[tuple[Call, Asking]]) -> None:
    """Wait until every tool knows how it ended, and every AI that is not needed any more has left."""
    await asyncio.wait([agent.ending for _, agent in calls], timeout=LIMIT_S)
    over: list[Call] = []
    for live, agent in calls:
        result = agent.ending.result() if agent.ending.done() else f"nothing within {LIMIT_S:g} s"
        if getattr(result, "success", False):
            over.append(live)
        else:
            seen.troubles.add(str(getattr(result, "error", None) or result))
    try:
        async with asyncio.timeout(LIMIT_S):
            while not all(live.meeting.left for live in over):
                await asyncio.sleep(0.05)
    except TimeoutError:
        seen.troubles.add("the AI has not left every call")
    seen.completed = sum(live.meeting.left for live in over)


@asynccontextmanager
async def _calls(house: LocalStack, sessions: int, ours: bool) -> AsyncIterator[list[tuple[Call, Asking]]]:
    async with AsyncExitStack() as stack:
        stack.enter_context(framework_offline())
        stack.enter_context(original_cloud(house))
        bus = await stack.enter_async_context(
            await Bus.connect(BusSettings(url=house.nats_url), name="crowd")
        )
        calls: list[tuple[Call, Asking]] = []
        callers = [await house.call() for _ in range(sessions)]
        known = (await sandbox(house, "GET", "/sandbox/state"))["calls"]
        session_ids = {each["callId"]: each["sessionId"] for each in known}
        for caller in callers:
            seats, agent = Seats(bus, caller, session_ids[caller.call_id]), Asking(_config())
            live = await open_asking(house, agent, seats, ours=ours, command_timeout_s=PATIENCE_S)
            stack.push_async_callback(close, live, seats)
            _put_in_the_room(live, caller.participant_id)
            calls.append((live, agent))
        yield calls


def _put_in_the_room(live: Call, caller: str) -> None:
    """The caller is in the AI's room until they are moved, as its cloud would tell."""
    live.meeting.joins(caller)
    live.session.on_warm_transfer("call_switched", lambda _: live.meeting.leaves(caller))


def _config() -> WarmTransferConfig:
    return WarmTransferConfig(SIPDestination("rr_1", "+14155550101", "+14155550100"))


@contextmanager
def _threads_of_ours() -> Iterator[list[str]]:
    """Gathers the names of the threads that are started from code of ours."""
    started: list[str] = []
    start = threading.Thread.start

    def note(thread: threading.Thread) -> None:
        if of_ours(sys._getframe()):
            started.append(thread.name)
        start(thread)

    with patch.object(threading.Thread, "start", note):
        yield started


def main() -> int:
    """One crowd, its row, and where our own time went."""
    said = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    said.add_argument("--sessions", type=int, default=200)
    said.add_argument("--original", action="store_true", help="let the original do it instead")
    asked = said.parse_args()
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    seen = asyncio.run(crowd(asked.sessions, ours=not asked.original))
    print(HEAD, seen.row(), sep="\n")
    for place, seconds in seen.places:
        print(f"  {1000 * seconds:5.0f} ms of stalls in {place}")
    for trouble in sorted(seen.troubles):
        print(f"  {trouble}")
    return 0 if seen.well else 1


if __name__ == "__main__":
    sys.exit(main())
