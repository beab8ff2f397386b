"""Requests that wait until their transfer may start. A caller who waits here is with the AI, not on hold.

A request starts when nothing hinders it (`admission_limits.py`), in the order of arrival. It is refused as
soon as it cannot start within `max_wait_s` of its storing by the rate at which others start, and at that time
at the latest. What waits takes no job of the worker.

- Invariant: each request that waits is started or refused within `max_wait_s`, whatever is announced or lost.
  The hindrance's `least_wait_s` counts instead of a shorter `max_wait_s`.
- Invariant: at most `MAX_WAITING` requests wait in one process. Further ones are refused at once.

Test: `tests/actors/coordinator/test_start_queue.py`.
"""

from __future__ import annotations

import asyncio
import math
from typing import NamedTuple

from warmxfer.bus import RetryableError, job_given_back

from .admission_limits import Hindrance, StartLimits, StartRate

MAX_WAITING = 2_000
TICK_S = 0.1
MIN_RETRY_AFTER_S, MAX_RETRY_AFTER_S = 5.0, 60.0
HOPELESS_FACTOR = 2.0
"""The rate is an estimate. A request is refused early only if it would wait this many times as long as it
may."""


class Refusal(NamedTuple):
    """Why a request was refused, and when its author may ask again."""

    hindrance: Hindrance
    retry_after_s: float


class _Waiting:
    """One request that waits."""

    def __init__(self, id: str, since: float, refuse_at: float, *, needs_briefing: bool) -> None:
        self.id = id
        self.since = since
        self.refuse_at = refuse_at
        self.needs_briefing = needs_briefing
        self.decided: asyncio.Future[Refusal | None] = asyncio.get_running_loop().create_future()

    def decide(self, refusal: Refusal | None) -> None:
        if not self.decided.done():
            self.decided.set_result(refusal)


class StartQueue:
    """The requests of one coordinator that wait for their start."""

    def __init__(self, limits: StartLimits, max_wait_s: float) -> None:
        self._limits = limits
        self._max_wait_s = max_wait_s
        self._waiting: list[_Waiting] = []
        self._rate = StartRate()
        self._asks_again_at = 0.0
        """When the author of the last refused request is told to ask again."""
        self._ticker: asyncio.Task[None] | None = None
        self._closed = False

    def __len__(self) -> int:
        """Number of requests that wait."""
        return len(self._waiting)

    async def wait(self, id: str, age_s: float, *, needs_briefing: bool) -> Refusal | None:
        """Block until transfer `id` may start; return why it is refused, or None.

        `age_s` is how long its request was stored before. Raises `RetryableError` once the queue is closed.
        """
        now = asyncio.get_running_loop().time()
        if self._limits.is_starting(id):
            return None
        hindrance = self._limits.hindrance(needs_briefing=needs_briefing, now=now)
        if hindrance is None and not self._waiting:
            self._limits.start(id, needs_briefing=needs_briefing, now=now)
            return None
        if self._closed:
            raise RetryableError("This coordinator stops")
        if not self._waiting:
            self._rate.begin(now)
        refuse_at = now + self._max_wait_s - age_s
        request = _Waiting(id, now, refuse_at, needs_briefing=needs_briefing)
        if hindrance is not None and (refusal := self._refusal(request, len(self._waiting), hindrance, now)):
            return refusal
        self._waiting.append(request)
        self.start_ready()
        if self._ticker is None:
            self._ticker = asyncio.create_task(self._tick(), name="start-queue")
        try:
            with job_given_back():
                return await request.decided
        finally:
            request.decided.cancel()

    def start_ready(self) -> None:
        """Start what may start now, in order. A request that needs no briefing passes those that do."""
        if self._waiting:
            self._start_ready()

    def close(self) -> None:
        """Let no request wait: the broker gives them to another coordinator."""
        self._closed = True
        waiting, self._waiting = self._waiting, []
        for request in waiting:
            if not request.decided.done():
                request.decided.set_exception(RetryableError("This coordinator stops"))

    def _start_ready(self) -> dict[bool, Hindrance]:
        """Start what may start now; return what hinders the rest, with and without a briefing."""
        now = asyncio.get_running_loop().time()
        blocked: dict[bool, Hindrance] = {}
        for request in self._waiting:
            if len(blocked) == 2:
                break
            if request.decided.done() or request.needs_briefing in blocked:
                continue
            hindrance = self._limits.hindrance(needs_briefing=request.needs_briefing, now=now)
            if hindrance is not None:
                blocked[request.needs_briefing] = hindrance
                continue
            self._limits.start(request.id, needs_briefing=request.needs_briefing, now=now)
            self._rate.note(now)
            request.decide(None)
        return blocked

    def _refusal(self, request: _Waiting, ahead: int, hindrance: Hindrance, now: float) -> Refusal | None:
        """Return the refusal of a request that has waited for too long, or would; `ahead` wait before it."""
        expected_s = (ahead + 1) / self._rate.per_s(now)
        refuse_at = max(request.refuse_at, request.since + hindrance.least_wait_s)
        hopeless = (
            not hindrance.is_brief and now + expected_s > refuse_at + (HOPELESS_FACTOR - 1) * self._max_wait_s
        )
        if now < refuse_at and not hopeless and ahead < MAX_WAITING:
            return None
        return Refusal(hindrance, self._retry_after_s(expected_s, now))

    def _retry_after_s(self, expected_s: float, now: float) -> float:
        """Return when to ask again: refused requests come back one after the other, not as another burst."""
        in_turn_at = max(self._asks_again_at + 1 / self._rate.per_s(now), now + expected_s)
        self._asks_again_at = min(in_turn_at, now + MAX_RETRY_AFTER_S)
        return max(MIN_RETRY_AFTER_S, float(math.ceil(self._asks_again_at - now)))

    async def _tick(self) -> None:
        """Look while requests wait: an estimate may expire, and time passes."""
        while self._waiting:
            await asyncio.sleep(TICK_S)
            blocked, now = self._start_ready(), asyncio.get_running_loop().time()
            if any(each.is_brief for each in blocked.values()):
                self._rate.begin(now)
            waiting, self._waiting = self._waiting, []
            for request in waiting:
                if request.decided.done():
                    continue
                hindrance = blocked.get(request.needs_briefing)
                refusal = hindrance and self._refusal(request, len(self._waiting), hindrance, now)
                if refusal:
                    request.decide(refusal)
                else:
                    self._waiting.append(request)
        self._ticker = None
