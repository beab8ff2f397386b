"""One run, from its first second to its verdict: a storm, then calm, then everything must come to its end."""

from __future__ import annotations

import asyncio
import gc
import random
import traceback
from collections import Counter
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass
from typing import Any

from warmxfer.adapters.rooms import JoinOptions
from warmxfer.bus import RetryableError, Stored, subjects
from warmxfer.schemas import CallCause, decode_phase, encode

from ..testkit.transfer_history import TransferHistory
from . import checks
from .cloud import Cloud
from .fault_schedule import FaultSchedule
from .faults import Faults
from .loop import NothingToRun, Process, SimLoop, spawn
from .model import SimModel
from .patches import PATCHES
from .people import People
from .plan import Plan, TransferPlan, draw
from .processes import ACK_WAIT_S, SETTINGS, Processes
from .room_presence import SimRoomClient
from .simbus import SimBus
from .stream import Stream
from .trace import Trace
from .webhooks import Webhooks

EPOCH_S = 1_800_000_000.0
POLL_S = 1.0
MAX_WAIT_S = 3_600.0
CLEAN_UP_S = 75.0
"""After the last transfer has ended in calm: what is left over is cleared away by then. A `Retry` may wait
30 s, and a session 20 s for its lease."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """What became of a run. `problems` is empty when every promise was kept."""

    seed: int
    digest: str
    problems: tuple[str, ...]
    struck: Counter[tuple[str, str]]
    outcomes: tuple[str, ...]
    trace: Trace
    virtual_s: float
    steps: int


class World:
    """Everything there is in one run."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        chance = random.Random(seed)
        self.plan: Plan = draw(chance)
        self.plans: dict[str, TransferPlan] = {each.id: each for each in self.plan.transfers}
        self.chance = random.Random(chance.getrandbits(64))
        self.chance_of_actors = random.Random(chance.getrandbits(64))
        self.loop = SimLoop()
        self.context = Context()
        self.trace = Trace(self.loop.time)
        self.problems: list[str] = []
        self.over = False
        self.phases: dict[str, str] = {}
        self.outcomes: dict[str, str] = {}
        self.faults = Faults(
            random.Random(chance.getrandbits(64)),
            self.trace,
            self.running,
            lambda id: self.phases.get(id, "unasked"),
        )
        self.buses: list[SimBus] = []
        self.room_clients: list[SimRoomClient] = []
        self.stream = Stream(self, ACK_WAIT_S)
        self.stream.on_stored = self._notice
        self.fault_schedule = FaultSchedule(self)
        self.webhooks = Webhooks(self)
        self.cloud = Cloud(self)
        self.people = People(self)
        self.users = Process("user", "user")
        self.processes = Processes(self, self.plan.skews_s)
        self.histories = {id: TransferHistory(id) for id in self.plans}
        self.faults_lasted_s = self.plan.fault_time_s
        """How long faults could strike: until what lasts long was over, too."""
        self.read_up_to = 0
        """The newest message that the histories hold."""

    # ── what everything in it may ask for ───────────────────────────────────────────────────────

    @property
    def now(self) -> float:
        """Epoch seconds by the broker's clock."""
        return EPOCH_S + self.loop.time()

    @property
    def began_at(self) -> float:
        """When the run began, by the broker's clock."""
        return EPOCH_S

    @property
    def broker_down(self) -> bool:
        return self.fault_schedule.broker_down

    def later(self, delay_s: float, act: Callable[..., object], *args: object) -> asyncio.TimerHandle:
        """Have `act` happen in `delay_s`, in no process."""
        return self.loop.call_at(self.loop.time() + delay_s, act, *args, context=self.context)

    def at(self, when: float, act: Callable[..., object], *args: object) -> asyncio.TimerHandle:
        """Have `act` happen at a moment of the loop's clock, in no process."""
        return self.loop.call_at(when, act, *args, context=self.context)

    def token(self) -> str:
        return f"{self.chance.getrandbits(64):016x}"

    def open_room_client(self, seat: JoinOptions) -> SimRoomClient:
        return SimRoomClient(self, seat)

    def open_model(self) -> SimModel | None:
        return SimModel(self) if self.plan.has_model else None

    def running(self) -> list[str]:
        """The transfers that were asked for and have not ended."""
        return [id for id, phase in self.phases.items() if not phase.startswith("transfer_")]

    def problem(self, what: str, error: BaseException | None = None) -> None:
        """A promise was broken."""
        trail = "".join(traceback.format_exception(error)) if error is not None else ""
        self.trace.add("PROBLEM", what)
        self.problems.append(f"{what}\n{trail}".strip())

    # ── the run ──────────────────────────────────────────────────────────────────────────────────

    def run(self) -> RunResult:
        """Let it happen. Call once, while the clock is borrowed."""
        PATCHES.world = self
        self.loop.set_exception_handler(self._unhandled)
        try:
            self.loop.run_until_complete(self._direct())
        except NothingToRun as error:
            self.problem(f"L1: {error}")
        finally:
            self.over = True
            self.loop.abandon()
            self.loop.close()
            PATCHES.world = None
        for problem in checks.violations(self):
            self.problem(problem)
        return RunResult(
            self.seed,
            self.trace.digest(),
            tuple(self.problems),
            self.faults.struck,
            tuple(self.outcomes.get(id, "none") for id in self.plans),
            self.trace,
            self.loop.time(),
            self.loop.steps,
        )

    async def _direct(self) -> None:
        self.context.run(self._begin)
        await asyncio.sleep(self.plan.fault_time_s)
        await self._until(lambda: len(self.phases) == len(self.plans), MAX_WAIT_S)
        await self._until(lambda: not self.fault_schedule.lasting, MAX_WAIT_S)
        self.faults.stopped, self.faults_lasted_s = True, self.loop.time()
        self.trace.add("director", "calm")
        self.processes.calm()
        self.fault_schedule.outage_ends()
        await self._until(lambda: not self.running(), checks.longest_wait_s(self))
        self.trace.add("director", "all ended" if not self.running() else "out of patience")
        await self._until(lambda: not checks.is_anything_left(self), CLEAN_UP_S)

    async def _until(self, over: Callable[[], bool], patience_s: float) -> None:
        """Let time pass until it is `over`, or for `patience_s`."""
        deadline = self.loop.time() + patience_s
        while not over() and self.loop.time() < deadline:
            await asyncio.sleep(POLL_S)

    def _begin(self) -> None:
        for caller in self.plan.callers:
            call = self.cloud.call_in(caller.session, f"caller-{caller.session}")
            if caller.hangs_up_at_s is not None:
                self.later(caller.hangs_up_at_s, self._caller_hangs_up, caller.session, call)
        self.processes.open()
        bus = SimBus(self, self.users, SETTINGS)
        for each in self.plan.transfers:
            spawn(self.loop, self.users, self._ask_for(bus, each), f"user {each.id}")
        self.fault_schedule.begin()

    async def _ask_for(self, bus: SimBus, plan: TransferPlan) -> None:
        body = b"{not json" if plan.flaw == "unreadable" else encode(plan.body)
        await asyncio.sleep(plan.asked_at_s)
        await self._publish(bus, subjects.request(plan.id), body, plan.id)
        if plan.cancelled_at_s is not None:
            await asyncio.sleep(plan.cancelled_at_s)
            if not self.faults.stopped and plan.id in self.running():
                self.faults.record("cancelled", plan.id)
                await self._publish(bus, subjects.cancel(plan.id), b"{}", f"cancel-{plan.id}")

    async def _publish(self, bus: SimBus, subject: str, data: bytes, msg_id: str) -> None:
        while True:
            try:
                await bus.publish(subject, data, msg_id=msg_id)
                return
            except RetryableError:
                await asyncio.sleep(1.0)

    def _caller_hangs_up(self, session: str, call: Any) -> None:
        if call.record.up:
            for each in self.plan.transfers:
                if each.session == session and each.id in self.running():
                    self.faults.record("caller_hangs_up", each.id)
            self.cloud.hang_up(call, CallCause.HUNG_UP)

    # ── what is noticed ──────────────────────────────────────────────────────────────────────────

    def _notice(self, stored: Stored) -> None:
        words = stored.subject.split(".")
        if words[2] == "request":
            self.phases.setdefault(words[1], "requested")
        elif words[2] == "phase":
            phase = decode_phase(stored.data)
            self.phases[words[1]] = phase.phase.value
            if phase.phase.final:
                self.outcomes[words[1]] = str(phase.data.get("reason", "complete"))

    def _unhandled(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if not self.over:
            self.problem(f"unhandled: {context.get('message')}", context.get("exception"))


def simulate(seed: int) -> RunResult:
    """One run. Call it while the clock is borrowed (`borrowed.borrowed`).

    Garbage is not collected meanwhile: that would unwind a forgotten task at a moment nobody can repeat.
    """
    gc.disable()
    try:
        return World(seed).run()
    finally:
        gc.enable()
