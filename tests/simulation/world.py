"""One run: a time with faults, a time without, and then the checks."""

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

from tests.testkit.transfer_history import TransferHistory
from warmxfer.adapters.rooms import JoinOptions
from warmxfer.bus import Bus, RetryableError, Stored, subjects
from warmxfer.schemas import decode_phase, encode

from . import checks
from .cloud import Cloud
from .fault_schedule import FaultSchedule
from .faults import Faults
from .loop import NothingToRun, Process, SimLoop, spawn
from .model import SimModel
from .partitions import draw_partitions, use_partitions
from .patches import PATCHES
from .people import People
from .plan import Plan, TransferPlan, draw, lose_sessions
from .processes import ACK_WAIT_S, Processes, connect
from .room_presence import SimRoomClient
from .sim_broker import SimBroker
from .sim_client import SimClient
from .streams import Streams, about
from .trace import Trace
from .webhooks import Webhooks

EPOCH_S = 1_800_000_000.0
POLL_S = 1.0
MAX_WAIT_S = 3_600.0


@dataclass(frozen=True, slots=True)
class RunResult:
    """Result of one run. `problems` is empty if no invariant was broken."""

    seed: int
    digest: str
    problems: tuple[str, ...]
    struck: Counter[tuple[str, str]]
    outcomes: tuple[str, ...]
    trace: Trace
    virtual_s: float
    steps: int


class World:
    """All parts of one run. `plan` replaces the one that the seed draws."""

    def __init__(
        self,
        seed: int,
        *,
        hang_ups_in_talk: bool = True,
        lost_sessions: bool = True,
        plan: Plan | None = None,
        partitions: int | None = None,
    ) -> None:
        self.seed = seed
        self.partitions = draw_partitions(seed) if partitions is None else partitions
        chance = random.Random(seed)
        if plan is None:
            plan = draw(chance, random.Random(f"{seed} talk") if hang_ups_in_talk else None)
            if lost_sessions:
                plan = lose_sessions(random.Random(f"{seed} rescue"), plan)
        self.plan: Plan = plan
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
        self.clients: list[SimClient] = []
        """Clients that have connected and are not closed."""
        self.room_clients: list[SimRoomClient] = []
        self.streams = Streams(self, ACK_WAIT_S)
        self.streams.on_stored = self._notice
        self.broker = SimBroker(self)
        self.fault_schedule = FaultSchedule(self)
        self.webhooks = Webhooks(self)
        self.cloud = Cloud(self)
        self.people = People(self)
        self.users = Process("user", "user")
        self.processes = Processes(self, self.plan.skews_s)
        self.histories = {id: TransferHistory(id) for id in self.plans}
        self.faults_lasted_s = self.plan.fault_time_s
        """Time during which faults could strike, long outages included."""
        self.read_up_to = 0
        """How many of the stored messages the histories hold."""

    # ── what the parts of a run use ───────────────────────────────────────────────────────

    @property
    def now(self) -> float:
        """Epoch seconds by the broker's clock."""
        return EPOCH_S + self.loop.time()

    @property
    def began_at(self) -> float:
        """Start of the run, by the broker's clock."""
        return EPOCH_S

    @property
    def broker_down(self) -> bool:
        return self.fault_schedule.broker_down

    def later(self, delay_s: float, act: Callable[..., object], *args: object) -> asyncio.TimerHandle:
        """Call `act` after `delay_s`, outside of all processes."""
        return self.loop.set_timer(self.loop.time() + delay_s, act, args, self.context)

    def at(self, when: float, act: Callable[..., object], *args: object) -> asyncio.TimerHandle:
        """Call `act` at a time of the loop's clock, outside of all processes."""
        return self.loop.set_timer(when, act, args, self.context)

    def token(self) -> str:
        return f"{self.chance.getrandbits(64):016x}"

    def open_room_client(self, options: JoinOptions) -> SimRoomClient:
        return SimRoomClient(self, options)

    def open_model(self) -> SimModel | None:
        return SimModel(self) if self.plan.has_model else None

    def running(self) -> list[str]:
        """Return the ids of transfers that were requested and have not ended."""
        return [id for id, phase in self.phases.items() if not phase.startswith("transfer_")]

    def problem(self, what: str, error: BaseException | None = None) -> None:
        """Record a broken invariant or an internal error."""
        trail = "".join(traceback.format_exception(error)) if error is not None else ""
        self.trace.add("PROBLEM", what)
        self.problems.append(f"{what}\n{trail}".strip())

    # ── the run ──────────────────────────────────────────────────────────────────────────────────

    def run(self) -> RunResult:
        """Run to the end and check. Call once, inside `patched()`.

        The garbage collector is off meanwhile: it would close a forgotten task at a time that is not
        repeatable.
        """
        gc.disable()
        try:
            return self._run()
        finally:
            gc.enable()

    def _run(self) -> RunResult:
        PATCHES.world = self
        use_partitions(self.partitions)
        self.loop.set_exception_handler(self._unhandled)
        try:
            self._play_to_the_end()
            return self._result()
        finally:
            # After the checks: what ends now unmutes callers and leaves rooms, which no killed process does.
            self.over = True
            self.trace.end()
            self.loop.abandon()
            self.loop.close()
            PATCHES.world = None

    def _play_to_the_end(self) -> None:
        try:
            self.loop.run_until_complete(self._play())
        except NothingToRun as error:
            self.problem(f"L1: {error}")

    def _result(self) -> RunResult:
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

    async def _play(self) -> None:
        self.context.run(self._begin)
        await asyncio.sleep(self.plan.fault_time_s)
        await self._until(lambda: len(self.phases) == len(self.plans), MAX_WAIT_S)
        await self._until(lambda: not self.fault_schedule.is_long_outage, MAX_WAIT_S)
        self.faults.stopped, self.faults_lasted_s = True, self.loop.time()
        self.trace.add("world", "faults stop")
        self.processes.thaw_all()
        self.fault_schedule.end_outage()
        await self._until(lambda: not self.running(), checks.longest_wait_s(self))
        self.trace.add("world", "all ended" if not self.running() else "time is up")
        await self._until(lambda: not checks.is_anything_left(self), checks.longest_clean_up_s(self))

    async def _until(self, over: Callable[[], bool], timeout_s: float) -> None:
        """Wait until `over()` is true, for `timeout_s` at most."""
        deadline = self.loop.time() + timeout_s
        while not over() and self.loop.time() < deadline:
            await asyncio.sleep(POLL_S)

    def _begin(self) -> None:
        for caller in self.plan.callers:
            call = self.cloud.call_in(caller.session, f"caller-{caller.session}")
            if caller.hangs_up_at_s is not None:
                self.later(caller.hangs_up_at_s, self._caller_hangs_up, caller.session, call)
        self.processes.start_all()
        spawn(self.loop, self.users, self._request_transfers(), "users")
        self.fault_schedule.start()

    async def _request_transfers(self) -> None:
        bus = await connect("users")
        for each in self.plan.transfers:
            spawn(self.loop, self.users, self._request_transfer(bus, each), f"user {each.id}")

    async def _request_transfer(self, bus: Bus, plan: TransferPlan) -> None:
        body = b"{not json" if plan.flaw == "unreadable" else encode(plan.body)
        await asyncio.sleep(plan.asked_at_s)
        await self._publish(bus, subjects.request(plan.id), body, plan.id)
        if plan.cancelled_at_s is not None:
            await asyncio.sleep(plan.cancelled_at_s)
            if not self.faults.stopped and plan.id in self.running():
                self.faults.record("cancelled", plan.id)
                await self._publish(bus, subjects.cancel(plan.id), b"{}", f"cancel-{plan.id}")

    async def _publish(self, bus: Bus, subject: str, data: bytes, msg_id: str) -> None:
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
            self.people.caller_hangs_up(call)

    # ── callbacks ──────────────────────────────────────────────────────────────────────────

    def _notice(self, stored: Stored) -> None:
        id, kind = about(stored.subject), stored.subject.rpartition(".")[2]
        if kind == "request":
            self.phases.setdefault(id, "requested")
        elif kind == "phase":
            phase = decode_phase(stored.data)
            self.phases[id] = phase.phase.value
            if phase.phase.final:
                self.outcomes[id] = str(phase.data.get("reason", "complete"))

    def _unhandled(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if not self.over:
            self.problem(f"unhandled: {context.get('message')}", context.get("exception"))


def simulate(seed: int, *, hang_ups_in_talk: bool = True) -> RunResult:
    """Run one seed. Call it inside `patched()`.

    `hang_ups_in_talk` False: without the hang-ups that depend on the talk of caller and supervisor.
    """
    return World(seed, hang_ups_in_talk=hang_ups_in_talk).run()
