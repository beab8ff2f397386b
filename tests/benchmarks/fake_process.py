"""One actor as a process beside the cloud in `fake_cloud.py`: `python -m tests.benchmarks.fake_process ...`.

It prints `ready` when it serves. For each line on its standard input it prints, as one line of JSON, how
often it has read from the broker, and asked others, so far.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import structlog
import uvloop

from tests.benchmarks.fake_cloud import FakeProvider, FakeRoomClient
from warmxfer.actors.briefing import BriefingSettings
from warmxfer.actors.briefing import run as run_briefing
from warmxfer.actors.coordinator import CoordinatorSettings
from warmxfer.actors.coordinator import run as run_coordinator
from warmxfer.actors.gateway import GatewaySettings
from warmxfer.actors.gateway import run as run_gateway
from warmxfer.actors.primary import attach
from warmxfer.actors.summarizer import SummarizerSettings
from warmxfer.actors.summarizer import run as run_summarizer
from warmxfer.adapters import rooms
from warmxfer.adapters.telephony import ProviderConfig
from warmxfer.bus import Bus, BusSettings, request_reply, stream_reader, worker
from warmxfer.schemas import PhaseChanged, TranscriptTurn

READS = ("get_last", "get_last_from_leader", "get_first_after", "get_by_number", "history")
MAX_JOBS = 100_000
"""Consultations of one process: above the limit of the settings, so that one process holds them all."""
counted: Counter[str] = Counter()


class FakeSession:
    """`Session` that speaks at once. Its caller is on the phone."""

    def __init__(self, room_id: str) -> None:
        self.room_id = room_id
        self.caller_participant_id: str | None = f"sip-{room_id}"

    async def mute(self) -> None: ...

    async def unmute(self) -> None: ...

    async def suspend_auto_end(self) -> None: ...

    async def restore_auto_end(self) -> None: ...

    async def say(self, text: str, *, interruptible: bool) -> None: ...

    async def history(self) -> list[TranscriptTurn]:
        return [TranscriptTurn("caller", "I was charged twice for order 4417, and I want the money back.")]

    async def summarize(self, prompt: str) -> str | None: ...

    async def leave(self) -> None: ...

    async def on_phase(self, phase: PhaseChanged) -> None: ...


async def serve_sessions(bus: Bus, names: list[str], ready: Callable[[], None]) -> None:
    """Attach a session for each name until cancelled."""
    async with AsyncExitStack() as stack:
        for start in range(0, len(names), 50):
            await asyncio.gather(
                *(
                    stack.enter_async_context(attach(bus, FakeSession(name), name))
                    for name in names[start : start + 50]
                )
            )
        ready()
        await asyncio.Event().wait()


def actor(
    role: str, names: list[str], *, webhooks: bool
) -> Callable[[Bus, Callable[..., None]], Awaitable[None]]:
    """Return what runs the actor of `role`."""
    provider = ProviderConfig("fake", FakeProvider, local=True, timeout_s=1.0)
    gateway = GatewaySettings(provider, webhook_port=0 if webhooks else None)
    actors: dict[str, Callable[[Bus, Callable[..., None]], Awaitable[None]]] = {
        "coordinator": lambda bus, ready: run_coordinator(
            bus, CoordinatorSettings(max_transfers=MAX_JOBS), ready=ready
        ),
        "gateway": lambda bus, ready: run_gateway(bus, gateway, ready=ready),
        "summarizer": lambda bus, ready: run_summarizer(bus, SummarizerSettings(), ready=ready),
        "briefing": lambda bus, ready: run_briefing(bus, BriefingSettings(jobs=MAX_JOBS), ready=ready),
        "primary": lambda bus, ready: serve_sessions(bus, names, ready),
    }
    return actors[role]


def count_requests() -> None:
    """Count the reads of the stream and the questions of this process from now on."""
    for name in READS:
        setattr(stream_reader, name, _counting(name, getattr(stream_reader, name)))
    request_reply.request = _counting("ask", request_reply.request)


def _counting(name: str, call: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def counting(*arguments: Any, **named: Any) -> Any:
        counted[name] += 1
        return await call(*arguments, **named)

    return counting


def print_line(text: str) -> None:
    print(text, flush=True)


async def main(options: argparse.Namespace) -> None:
    """Run the actor until standard input is closed."""
    FakeRoomClient.answered = options.answered
    rooms.open_room_client = lambda settings, options: FakeRoomClient(options)
    worker.MAX_JOBS = MAX_JOBS
    count_requests()
    names = [f"s{n}" for n in range(*options.sessions)]
    run = actor(options.role, names, webhooks=options.webhooks)
    async with await Bus.connect(BusSettings(url=options.url), name=options.role) as bus:
        await bus.ensure()
        serving = asyncio.ensure_future(run(bus, lambda *_: print_line("ready")))
        lines = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(lines), sys.stdin
        )
        asked = asyncio.ensure_future(lines.readline())
        while True:
            await asyncio.wait({serving, asked}, return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                serving.result()
            if not asked.result():
                break
            print_line(json.dumps(counted))
            asked = asyncio.ensure_future(lines.readline())
        serving.cancel()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("role")
    parser.add_argument("url")
    parser.add_argument("--answered", action="store_true", help="the supervisor answers, and says nothing")
    parser.add_argument("--webhooks", action="store_true", help="the provider sends webhooks")
    parser.add_argument("--sessions", type=int, nargs=2, default=(0, 0), metavar=("FROM", "TO"))
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    uvloop.run(main(parser.parse_args()))
