"""The product beside the fake cloud: nats-server and every actor as processes, on this machine only.

Invariant: no process outlives the benchmark, whatever happens to it (`run_with_parent`), and no variable of
the user's own set-up reaches one.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import pairwise
from pathlib import Path
from types import TracebackType

from msgspec import Struct

from warmxfer.actors.runtime.roles import Role
from warmxfer.bus import Bus, BusSettings, EmbeddedServer
from warmxfer.client import Client

from ..local_stack.managed_process import START_TIMEOUT_S, ManagedProcess
from .broker_cluster import SERVERS, BrokerCluster

ROLES: tuple[str, ...] = ("coordinator", "gateway", "summarizer", "briefing")
PRIMARY, ANSWERS = "primary", "answers"
"""Processes that are started for each run: the AI sessions, or all other actors in one process."""
BROKER = "broker"
SPARE = "spare-"
MIN_ATTACHED_PER_S = 100
"""Sessions that one process attaches in a second, at least."""
_PRIVATE_VARIABLES = ("WARMXFER_", "NATS_", "VIDEOSDK_")


def clean_environment() -> dict[str, str]:
    """Return the environment of a child process: without the user's own set-up."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_PRIVATE_VARIABLES)}


def session_names(sessions: str) -> list[str]:
    """Return the names in `prefix:from:to`."""
    prefix, first, last = sessions.split(":") if sessions else ("", "0", "0")
    return [f"{prefix}{number}" for number in range(int(first), int(last))]


class StackSettings(Struct, frozen=True, kw_only=True):
    """How many processes of each role run, and with which settings."""

    counts: Mapping[str, int] = {}
    """Of the roles that do not have one process."""
    briefing_jobs: int | None = None
    """Consultations of one process; above the limit of the settings if need be."""
    gateway_jobs: int | None = None
    """Commands that one gateway carries out at the same time."""
    hello_after_s: float = 0.0
    """When a supervisor says hello: how long a briefing lasts."""
    ack_wait_s: float | None = None
    archive_after_s: float | None = None
    sync_interval: str = "2m"
    replicated: bool = False
    """Whether the broker is a cluster that keeps each message on three servers."""
    spare_sessions: int = 0
    """Sessions that one process attaches at the start, so that most loads need no process of their own."""
    webhooks: bool = False
    """Whether the gateway receives webhooks. `WebhookSender` sends them."""


ONE_OF_EACH = StackSettings()


class BenchStack:
    """`async with BenchStack() as stack` runs nats-server and the actors. Each load starts its sessions."""

    def __init__(self, settings: StackSettings = ONE_OF_EACH) -> None:
        self._settings = settings
        self._counts = dict.fromkeys(ROLES, 1) | dict(settings.counts)
        self.nats = (
            BrokerCluster(sync_interval=settings.sync_interval)
            if settings.replicated
            else EmbeddedServer(sync_interval=settings.sync_interval, monitored=True)
        )
        self.processes: dict[str, list[ManagedProcess]] = {}
        self.ended_transfers = 0
        """Of all loads so far."""
        self._exit_stack = AsyncExitStack()
        self._spare_sessions = deque[str]()
        self._started = 0

    async def __aenter__(self) -> BenchStack:
        try:
            self.directory = Path(tempfile.mkdtemp(prefix="warmxfer-bench-"))
            self._exit_stack.callback(shutil.rmtree, self.directory, ignore_errors=True)
            await self._exit_stack.enter_async_context(self.nats)
            self._exit_stack.push_async_callback(self._stop_all)
            await self.start_all()
            if spare := self._settings.spare_sessions:
                await self.start(PRIMARY, sessions=f"{SPARE}:0:{spare}")
                self._spare_sessions.extend(session_names(f"{SPARE}:0:{spare}"))
            self.bus = await self._exit_stack.enter_async_context(
                await Bus.connect(BusSettings(url=self.nats.url), name="bench")
            )
            self.client = Client(self.bus)
        except BaseException:
            await self._exit_stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._exit_stack.aclose()

    async def start_all(self) -> None:
        """Start the actors, as many of each role as `counts` says; the primary is not among them."""
        roles = [role for role, count in self._counts.items() for _ in range(count)]
        await asyncio.gather(*(self.start(role) for role in roles))

    async def start(
        self, role: str, *, sessions: str = "", timeout_s: float = START_TIMEOUT_S
    ) -> ManagedProcess:
        """Start one process of `role` and return it once it serves."""
        self._started += 1
        command = [sys.executable, "-m", "warmxfer.cli.bench.actor_process", role]
        command += ["--cloud", str(self.directory)]
        settings = self._settings
        jobs = {"briefing": settings.briefing_jobs, "gateway": settings.gateway_jobs}.get(role)
        if jobs is not None:
            command += ["--jobs", str(jobs)]
        if settings.briefing_jobs is not None:
            command += ["--consultations", str(settings.briefing_jobs)]
        if role == Role.BRIEFING:
            command += ["--hello-after", f"{settings.hello_after_s:g}"]
        if role == Role.GATEWAY and settings.webhooks:
            command += ["--webhooks"]
        if sessions:
            command += ["--sessions", sessions]
        env = clean_environment() | {"NATS_URL": self.nats.url, "WARMXFER_LOG": "json"}
        if settings.replicated:
            env["WARMXFER_REPLICAS"] = str(SERVERS)
        if settings.archive_after_s is not None:
            env["WARMXFER_ARCHIVE_AFTER_S"] = f"{settings.archive_after_s:g}"
        if settings.ack_wait_s is not None:
            env["WARMXFER_ACK_WAIT_S"] = f"{settings.ack_wait_s:g}"
        log_path = self.directory / f"{role}-{self._started}.log"
        process = await ManagedProcess.spawn(role, command, env, log_path, timeout_s=timeout_s)
        self.processes.setdefault(role, []).append(process)
        return process

    @asynccontextmanager
    async def sessions(
        self, role: str, prefix: str, count: int, processes: int = 1
    ) -> AsyncIterator[list[str]]:
        """Yield the names of so many attached sessions.

        They are spare ones, or else `<prefix>0` and so on in as many new processes of `role`: `PRIMARY` or
        `ANSWERS`. New processes end with the block.
        """
        if role == PRIMARY and processes == 1 and len(self._spare_sessions) >= count:
            yield [self._spare_sessions.popleft() for _ in range(count)]
            return
        bounds = [count * number // processes for number in range(processes + 1)]
        ranges = [f"{prefix}:{first}:{last}" for first, last in pairwise(bounds)]
        timeout_s = START_TIMEOUT_S + count / MIN_ATTACHED_PER_S
        started = await asyncio.gather(
            *(self.start(role, sessions=names, timeout_s=timeout_s) for names in ranges)
        )
        try:
            yield session_names(f"{prefix}:0:{count}")
        finally:
            await asyncio.gather(*(self.stop(process) for process in started))

    async def stop(self, process: ManagedProcess) -> None:
        """Stop one process."""
        self.processes[process.name].remove(process)
        await process.stop()

    async def kill_all(self) -> None:
        """Kill every actor but the AI sessions by SIGKILL, at the same time."""
        roles = [role for role in self.processes if role != PRIMARY]
        killed = [process for role in roles for process in self.processes.pop(role)]
        await asyncio.gather(*(process.kill() for process in killed))

    def pids(self) -> dict[str, list[int]]:
        """Return the processes to measure, by role: the actors and the broker."""
        found = {role: [process.pid for process in group] for role, group in self.processes.items()}
        return found | {BROKER: self.nats.pids}

    def logged(self, event: str) -> int:
        """Return how often the actors have logged `event` so far."""
        mark = f'"event":"{event}"'.encode()
        return sum(path.read_bytes().count(mark) for path in self.directory.glob("*.log"))

    def ended(self) -> list[str]:
        """Return the actors that have ended by themselves."""
        return [each.name for group in self.processes.values() for each in group if not each.running]

    async def _stop_all(self) -> None:
        processes = [process for group in self.processes.values() for process in group]
        await asyncio.gather(*(self.stop(process) for process in processes))
