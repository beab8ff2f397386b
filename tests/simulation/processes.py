"""All processes of a run: started, frozen, killed and started again. They run the real actors."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from warmxfer.actors.briefing import BriefingSettings, brief_here
from warmxfer.actors.briefing import run as run_briefing
from warmxfer.actors.coordinator import CoordinatorSettings
from warmxfer.actors.coordinator import run as run_coordinator
from warmxfer.actors.gateway import GatewaySettings
from warmxfer.actors.gateway import run as run_gateway
from warmxfer.actors.primary import attach
from warmxfer.actors.summarizer import SummarizerSettings
from warmxfer.actors.summarizer import run as run_summarizer
from warmxfer.adapters.rooms import RoomSettings
from warmxfer.adapters.telephony import ProviderConfig
from warmxfer.bus import Bus, BusSettings, RetryableError

from .loop import Process, spawn
from .provider import SETTLE_S, TIMEOUT_S, SimProvider
from .session import SimSession

if TYPE_CHECKING:
    from .world import World

COUNTS = {"coordinator": 2, "gateway": 2, "summarizer": 2, "briefing": 2}
ACK_WAIT_S = 5.0
SETTINGS = BusSettings(ack_wait_s=ACK_WAIT_S)
DOWN_S = (0.3, 8.0)
STALL_S = (0.5, 2.5 * ACK_WAIT_S)
DISCONNECTED_AFTER_S = 4.0
ARCHIVE_AFTER_S = 1.0
"""Added to two command timeouts. Short, so that late messages reach transfers that are archived."""
COORDINATOR_SETTINGS = (
    CoordinatorSettings(archive_after_s=ARCHIVE_AFTER_S),
    CoordinatorSettings(archive_after_s=ARCHIVE_AFTER_S, archive_overwrites=True),
)
"""Every second seed overwrites what it archives, message by message."""
RESTART_S = 0.5
"""A process that finds no broker ends, and its supervisor starts it again."""
RECONCILE_S = 20.0
"""Short enough to run in each stage of a transfer: it must never end the leg of a live transfer."""


class Processes:
    """The processes of a run, by name."""

    def __init__(self, world: World, skews_s: tuple[float, ...]) -> None:
        self._world = world
        self._skews_s = skews_s
        self._running: dict[str, Process] = {}
        self.buses: dict[Process, Bus] = {}
        """The buses of the processes that have connected."""
        self._down: set[str] = set()
        """Names of processes that were killed and are not started again yet."""
        self.sessions: dict[str, SimSession] = {}

    def start_all(self) -> None:
        for role, count in COUNTS.items():
            for index in range(count):
                self.start(f"{role}-{index + 1}")
        for caller in self._world.plan.callers:
            self.start(f"primary-{caller.session}")

    def start(self, name: str) -> None:
        role = name.partition("-")[0]
        process = Process(name, role)
        process.skew_s = self._skews_s[len(self._running) % len(self._skews_s)]
        self._running[name] = process
        self._down.discard(name)
        self._world.trace.add(name, "starts")
        task = spawn(self._world.loop, process, self._serve(process, self._actor(role, name)), name)
        task.add_done_callback(lambda done: self._ended(process, done), context=self._world.context)

    def crash_or_stall(self, what: str) -> None:
        """Crash or stall one process of a role. `what` is `crash_<role>` or `stall_<role>`."""
        verb, _, role = what.partition("_")
        able = [each for each in self._running.values() if each.role == role and not each.frozen]
        if not able:
            return
        process = self._world.chance.choice(able)
        if role == "primary" and not self._is_live(process.name.partition("-")[2]):
            return
        self._world.faults.record(what)
        self._world.trace.add("fault", f"{what}: {process.name}")
        if verb == "crash":
            self.kill(process)
        else:
            self._world.loop.freeze(process)
            stall_s = self._world.faults.between(*STALL_S)
            if stall_s > DISCONNECTED_AFTER_S:
                self._world.later(DISCONNECTED_AFTER_S, self._disconnect_room_client, process)
            self._world.later(stall_s, self._world.loop.thaw, process)

    def kill(self, process: Process) -> None:
        self._world.loop.kill(process)
        self._drop(process)
        self._down.add(process.name)
        self._world.later(
            self._world.faults.between(0.5, DISCONNECTED_AFTER_S), self._disconnect_room_client, process
        )
        if process.role == "primary":
            room_id = process.name.partition("-")[2]
            self._world.later(0.5, self._leave_room, room_id, self.sessions[room_id])
            # No process mutes the caller any more, whether or not a new one starts.
            self.sessions[room_id].end_hold()
        again_s = self._world.faults.between(*DOWN_S)
        if not self._stays_dead(process.name):
            self._world.later(again_s, self._start_again, process.name)

    def _stays_dead(self, name: str) -> bool:
        """Return whether a crash of this process is for good: an AI of whose callers the plan says so."""
        callers = self._world.plan.callers
        return any(name == f"primary-{each.session}" and each.ai_stays_dead for each in callers)

    def thaw_all(self) -> None:
        """Continue frozen processes. Killed ones start again at their own time."""
        for process in self._running.values():
            self._world.loop.thaw(process)

    def _drop(self, process: Process) -> None:
        """Forget a process that has ended, and break its connection."""
        for client in [each for each in self._world.clients if each.process is process]:
            client.die()
        self.buses.pop(process, None)
        del self._running[process.name]

    def _is_live(self, room_id: str) -> bool:
        return room_id in self.sessions and self.sessions[room_id].live

    def _start_again(self, name: str) -> None:
        room_id = name.partition("-")[2]
        if name in self._down and (room_id not in self.sessions or self._needs_ai(room_id)):
            self.start(name)

    def _needs_ai(self, room_id: str) -> bool:
        """Return whether the caller is, or may come back, in the room of this AI."""
        caller = self._world.cloud.calls[f"in-{room_id}"]
        return caller.record.up and not self.sessions[room_id].over

    def _leave_room(self, room_id: str, session: SimSession) -> None:
        if self.sessions[room_id] is session:
            self._world.cloud.leave(self._world.cloud.rooms[room_id], f"ai-{room_id}", "connection lost")

    def _disconnect_room_client(self, process: Process) -> None:
        if process.frozen:
            for voice in [each for each in self._world.room_clients if each.process is process]:
                voice.lose()

    def _ended(self, process: Process, task: asyncio.Task[None]) -> None:
        if process.dead or self._world.over:
            return
        error = None if task.cancelled() else task.exception()
        if error is not None or process.role != "primary":
            self._world.problem(f"{process.name} ended by itself: {error!r}", error)
        self._drop(process)

    async def _serve(self, process: Process, actor: Callable[[Bus], Awaitable[None]]) -> None:
        """Connect, create what is missing, and run the actor, as a supervised process does.

        A live session begins without a bus.
        """
        if process.role == "primary":
            self._begin_session(process.name.partition("-")[2])
        bus = await connect(process.name)
        self.buses[process] = bus
        async with bus:
            await ensure(bus)
            await actor(bus)

    def _actor(self, role: str, name: str) -> Callable[[Bus], Awaitable[None]]:
        actors: dict[str, Callable[[Bus], Awaitable[None]]] = {
            "coordinator": lambda bus: run_coordinator(bus, COORDINATOR_SETTINGS[self._world.seed % 2]),
            "gateway": self._gateway,
            "summarizer": lambda bus: run_summarizer(bus, SummarizerSettings()),
            "briefing": lambda bus: run_briefing(bus, BriefingSettings()),
            "primary": lambda bus: self._primary(bus, name.partition("-")[2]),
        }
        return actors[role]

    async def _gateway(self, bus: Bus) -> None:
        provider = ProviderConfig("simulated", lambda url, key: SimProvider(self._world), True, TIMEOUT_S)
        settings = GatewaySettings(
            provider, settle_s=SETTLE_S, deployment="simulated", reconcile_s=RECONCILE_S
        )
        await run_gateway(bus, settings)

    def _begin_session(self, room_id: str) -> None:
        before = self.sessions.get(room_id)
        session = self.sessions[room_id] = SimSession(self._world, room_id)
        if before is not None:
            before.end_hold()
            session.holds = before.holds

    async def _primary(self, bus: Bus, room_id: str) -> None:
        session = self.sessions[room_id]
        lease_s = self._world.plan.lease_s
        async with (
            brief_here(bus, room_id, RoomSettings()),
            attach(bus, session, room_id, lease_s=lease_s) as attachment,
        ):
            session.attachment = attachment
            await attachment.detached()


async def connect(name: str) -> Bus:
    """Connect as the product does, again and again while the broker is unreachable."""
    while True:
        try:
            return await Bus.connect(SETTINGS, name=name)
        except RetryableError:
            await asyncio.sleep(RESTART_S)


async def ensure(bus: Bus) -> None:
    """Create the stream and its consumers, again and again while the broker is unreachable."""
    while True:
        try:
            await bus.ensure()
        except RetryableError:
            await asyncio.sleep(RESTART_S)
        else:
            return
