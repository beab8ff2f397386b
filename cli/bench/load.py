"""Transfers requested by the benchmark, and followed to their ends. It plays the user.

Every wait has a limit. A transfer that has not ended by then is a problem of its row, never a hang.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack, aclosing
from types import TracebackType

from warmxfer.client import new_id
from warmxfer.schemas import (
    Outcome,
    PhaseChanged,
    RetryableError,
    SIPDestination,
    WarmTransferConfig,
    WarmTransferPhase,
    WarmTransferRequest,
    WarmxferError,
)

from .audit import check_ledger, undialled
from .cloud.calls import READY_NUMBER
from .cloud.ledger import Entry, Ledger
from .machine import UsageMeter
from .rows import Sample
from .stack import PRIMARY, BenchStack

CALLER_ID = "+14155550100"
TRANSFER_LIMIT_S = 60.0
WAIT_LIMITS = ("supervisor_join_timeout_s", "briefing_timeout_s")
MAX_SHOWN = 5
REQUESTS_AT_ONCE = 200
LOOKED_UP_AT_ONCE = 200
MISSED_CHECK_S = 2.0
"""After so long without any phase, the transfers that have not ended are looked up: a phase may be missed."""

RUNNING = "running"
COMPLETE = WarmTransferPhase.TRANSFER_COMPLETE
ORDER = tuple(WarmTransferPhase)


class _Wait:
    """One call of `Load.wait`: the transfers that it still waits for."""

    def __init__(self, phase: WarmTransferPhase | None) -> None:
        self.phase = phase
        self.ids: set[str] = set()
        self.over = asyncio.Event()


class Load:
    """The transfers of one row: `count` sessions, and one transfer for each at most.

    `async with` attaches the sessions first, so that attaching them is not measured. `wait_limit_s`: how long
    a supervisor may ring or say nothing; None is the default of a request.
    """

    def __init__(
        self,
        stack: BenchStack,
        prefix: str,
        count: int,
        *,
        number: str = READY_NUMBER,
        primaries: int = 1,
        role: str = PRIMARY,
        wait_limit_s: float | None = None,
    ) -> None:
        self._stack = stack
        self._prefix = prefix
        self._count = count
        destination = SIPDestination("bench", number, CALLER_ID)
        limits = {} if wait_limit_s is None else dict.fromkeys(WAIT_LIMITS, wait_limit_s)
        self._config = WarmTransferConfig(destination, bridge_guard_s=0, **limits)
        self._primaries = primaries
        self._role = role
        self._exit_stack = AsyncExitStack()
        self._ledger = Ledger(stack.directory, new_only=True)
        self._entries: list[Entry] = []
        self.sessions: dict[str, str] = {}
        """Every requested transfer, with its session."""
        self.reached: dict[str, WarmTransferPhase] = {}
        """The newest phase of each."""
        self.ended_at: dict[str, float] = {}
        self.began_at: dict[str, float] = {}
        self._waits: dict[str, _Wait] = {}
        """By transfer. Each transfer is waited for at one place at a time."""
        self._received_at = time.perf_counter()
        self._failed_look_ups = 0

    async def __aenter__(self) -> Load:
        sessions = self._stack.sessions(self._role, self._prefix, self._count, self._primaries)
        self._names = await self._exit_stack.enter_async_context(sessions)
        listening = asyncio.Event()
        self._listener = asyncio.create_task(self._listen(listening))
        await listening.wait()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.cancel()
        await asyncio.wait({self._listener})
        self._ledger.close()
        self._stack.ended_transfers += len(self.ended_at)
        await self._exit_stack.aclose()

    async def run(self, in_flight: int, *, may_refuse: bool = False) -> Sample:
        """Run a transfer for each session, `in_flight` at a time, and return what it took."""
        numbers = iter(range(self._count))

        async def work() -> None:
            for number in numbers:
                id = await self.request(number)
                await self.wait([id], TRANSFER_LIMIT_S)

        meter, began_at = UsageMeter(self._stack.pids()), time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(min(in_flight, self._count)):
                tasks.create_task(work())
        return await self.sample(meter, began_at, may_refuse=may_refuse)

    async def request_all(self, numbers: Sequence[int], within_s: float = 0.0) -> list[str]:
        """Request a transfer for each of these sessions, evenly over `within_s`, or as fast as possible."""
        slots, began_at = asyncio.Semaphore(REQUESTS_AT_ONCE), time.perf_counter()

        async def request(index: int, number: int) -> str:
            await asyncio.sleep(began_at + within_s * index / len(numbers) - time.perf_counter())
            async with slots:
                return await self.request(number)

        return await asyncio.gather(*(request(index, number) for index, number in enumerate(numbers)))

    async def request(self, number: int) -> str:
        """Request the transfer of one session and return its id."""
        id, session = new_id(), self._names[number]
        self.sessions[id], self.began_at[id] = session, time.perf_counter()
        await self._stack.client.request(WarmTransferRequest(session, self._config), id)
        return id

    async def wait(self, ids: Iterable[str], limit_s: float, phase: WarmTransferPhase | None = None) -> bool:
        """Wait until each transfer has ended or, if given, has reached `phase`. Returns whether all did."""
        wait, deadline_at = _Wait(phase), time.perf_counter() + limit_s
        wait.ids.update(id for id in ids if not self._has(id, phase))
        self._waits.update(dict.fromkeys(wait.ids, wait))
        while wait.ids and (left_s := deadline_at - time.perf_counter()) > 0:
            try:
                async with asyncio.timeout(min(left_s, MISSED_CHECK_S)):
                    await wait.over.wait()
            except TimeoutError:
                if time.perf_counter() - self._received_at > MISSED_CHECK_S:
                    await self._look_up(tuple(wait.ids))
        for id in wait.ids:
            del self._waits[id]
        return not wait.ids

    def complete(self) -> frozenset[str]:
        """Return the transfers that reported success."""
        return frozenset(id for id, phase in self.reached.items() if phase is COMPLETE)

    async def sample(
        self,
        meter: UsageMeter,
        began_at: float,
        *,
        may_refuse: bool = False,
        may_run: bool = False,
        max_undialled: int = 0,
    ) -> Sample:
        """Return what all requested transfers took, and check them by the ledger.

        With `may_refuse`, a transfer that was refused as too busy is no problem. With `may_run`, neither is
        one that has not ended. Up to `max_undialled` may end as `dial_failed` without a dial: a gateway that
        is killed between claim and dial leaves an outcome that is unknown, and never repeated. The time of
        the run does not include them.
        """
        usage, complete = meter.read(self._stack.pids()), self.complete()
        self._entries += self._ledger.read()
        ends = await self._ends()
        failed = [id for id, end in ends.items() if end == Outcome.DIAL_FAILED]
        lost = undialled(self._entries, failed, max_undialled)
        ended_at = max(
            (at for id, at in self.ended_at.items() if id not in lost), default=time.perf_counter()
        )
        outcomes = Counter(end for id, end in ends.items() if id not in lost)
        refused = outcomes.pop(Outcome.TOO_BUSY, 0) if may_refuse else 0
        if may_run:
            outcomes.pop(RUNNING, None)
        problems = check_ledger(self._entries, self.sessions, complete)
        if outcomes:
            if self._failed_look_ups:
                problems.append(f"the broker did not answer {self._failed_look_ups} look-ups of phases")
            found = ", ".join(f"{count} {word}" for word, count in outcomes.most_common(MAX_SHOWN))
            problems.append(f"{outcomes.total()} of {len(self.sessions)} transfers are not complete: {found}")
        problems += [f"a {role} process has ended by itself" for role in self._stack.ended()]
        if self._listener.done():
            problems.append("the subscription to all phases has ended by itself")
        latencies = [at - self.began_at[id] for id, at in self.ended_at.items() if id in complete]
        return Sample(
            transfers=max(len(complete), 1),
            seconds=max(ended_at - began_at, 1e-9),
            latencies_s=latencies or [0.0],
            usage=usage,
            problems=tuple(problems),
            refused=refused,
            undialled=len(lost),
        )

    async def _ends(self) -> dict[str, str]:
        """Return how each transfer ended that is not complete: its outcome, an error, or `RUNNING`."""
        others = [id for id in self.sessions if self.reached.get(id) is not COMPLETE]
        slots = asyncio.Semaphore(REQUESTS_AT_ONCE)

        async def outcome(id: str) -> str:
            async with slots:
                try:
                    result = await self._stack.client.transfer(id).result(TRANSFER_LIMIT_S)
                except WarmxferError as error:
                    return type(error).__name__
            return result.outcome

        ended = [id for id in others if id in self.ended_at]
        found = dict(zip(ended, await asyncio.gather(*map(outcome, ended)), strict=True))
        return dict.fromkeys(others, RUNNING) | found

    def _has(self, id: str, phase: WarmTransferPhase | None) -> bool:
        reached = self.reached.get(id)
        if reached is None or phase is None:
            return reached is not None and reached.final
        return ORDER.index(reached) >= ORDER.index(phase)

    async def _listen(self, listening: asyncio.Event) -> None:
        async with aclosing(self._stack.client.all_phases()) as phases:
            listening.set()
            async for id, phase in phases:
                self._note(id, phase)

    def _note(self, id: str, phase: PhaseChanged) -> None:
        self._received_at = time.perf_counter()
        reached = self.reached.get(id)
        if id in self.sessions and (reached is None or ORDER.index(reached) < ORDER.index(phase.phase)):
            self.reached[id] = phase.phase
            if phase.phase.final:
                self.ended_at[id] = self._received_at
            self._end_wait(id)

    def _end_wait(self, id: str) -> None:
        """Take a transfer out of its wait if it has what is waited for."""
        wait = self._waits.get(id)
        if wait is not None and self._has(id, wait.phase):
            del self._waits[id]
            wait.ids.discard(id)
            if not wait.ids:
                wait.over.set()

    async def _look_up(self, ids: Sequence[str]) -> None:
        """Note the stored phases of a few of these transfers. Ends at a failure: `wait` looks again."""
        try:
            for id in random.sample(ids, min(len(ids), LOOKED_UP_AT_ONCE)):
                for phase in await self._stack.client.history(id):
                    self._note(id, phase)
        except RetryableError:
            self._failed_look_ups += 1


Progress = Callable[[str], None]
"""Receives what the benchmark is doing now, in a few words."""
