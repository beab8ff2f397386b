"""The provider's rate limit: requests of one gateway take turns, the most urgent first.

    with request_turns(rate, transfer_id, Urgency.NEW) as turns:
        await turns.reserve(until)
        ...   # requests to the provider

Each request to a provider awaits `next_turn` right before it is sent. The turn belongs to the command in
whose context it is sent: the more urgent command first, and transfers of the same urgency one after the
other. A reserved turn lets the first request of a command go at once, so that no wait comes between the claim
on an effect and its request.

Invariants (`tests/adapters/telephony/test_request_rate.py`):

- In any time, no more requests are sent than the rate allows, plus what it allows in `BURST_S`.
- A request whose turn does not come in time is not sent.
- A handler that waits for its turn has given its job back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import IntEnum

import structlog

from warmxfer.bus import job_given_back

from .errors import NotSent
from .fair_queue import FairQueue

BURST_S = 0.25
MAX_QUEUED = 10_000
MAX_PAUSE_S = 5.0
"""Longest pause after the provider refused a request for its rate. Each refusal begins a new one."""
NOTED_WAIT_S = 1.0
LOG_EVERY_S = 10.0
"""Shortest time between two log lines about requests that wait."""

log = structlog.get_logger(__name__)


class Urgency(IntEnum):
    """Which requests come first."""

    CALLER = 0
    """A caller is moved back, or is alone."""
    CLEAN_UP = 1
    """Legs and rooms are ended, and the move of a caller whose supervisor waits."""
    RUNNING = 2
    """Running transfers are checked and recorded."""
    NEW = 3
    """A transfer begins."""
    BACKGROUND = 4


class RequestRate:
    """The turns of one gateway. `limit_per_s` is what all gateways together may send; 0: no limit."""

    def __init__(self, limit_per_s: float) -> None:
        self._limit_per_s = limit_per_s
        self._per_s = limit_per_s
        self._queue: FairQueue[asyncio.Future[None]] = FairQueue()
        self._tokens = 0.0
        self._counted_at = float("-inf")
        self._not_before = float("-inf")
        self._timer: asyncio.TimerHandle | None = None
        self._logged_at = float("-inf")
        self.on_change: Callable[[], None] = lambda: None
        """Called when `per_s` or the requests that wait have changed."""

    @property
    def per_s(self) -> float:
        """Requests a second of this gateway; 0: no limit."""
        return self._per_s

    def share_with(self, gateways: int) -> None:
        """Take an equal part of the limit: so many gateways are live, this one among them."""
        per_s, self._per_s = self._per_s, self._limit_per_s / max(1, gateways)
        if per_s != self._per_s:
            self.on_change()

    def wait_s(self, urgency: Urgency) -> float:
        """Return how long a new request waits for its turn, as things are now."""
        if not self._per_s:
            return 0.0
        now = _now()
        self._count(now)
        ahead_s = (self._queue.before(urgency) + 1 - self._tokens) / self._per_s
        return max(0.0, ahead_s, self._not_before - now)

    def pause(self, after_s: float) -> None:
        """Send nothing for `after_s`: the provider has refused a request for its rate."""
        if self._per_s:
            self._not_before = max(self._not_before, _now() + min(after_s, MAX_PAUSE_S))
            self.on_change()

    def why_slow(self) -> str | None:
        """Return a sentence if requests wait noticeably, or None."""
        wait_s = self.wait_s(Urgency.NEW)
        if wait_s < NOTED_WAIT_S:
            return None
        return (
            f"a new request waits {wait_s:.0f} s for the provider's rate limit "
            f"({len(self._queue)} wait, this gateway sends {self._per_s:g} a second)"
        )

    async def turn(self, urgency: Urgency, key: str, until: float) -> None:
        """Wait for the turn of one request. Raises `NotSent` if it does not come by `until`."""
        if not self._per_s:
            return
        now = _now()
        self._count(now)
        if not self._queue and self._tokens >= 1 and now >= self._not_before:
            self._tokens -= 1
            return
        if len(self._queue) >= MAX_QUEUED:
            raise NotSent(self._too_late())
        self._log_wait(now)
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.put(urgency, key, granted)
        self.on_change()
        self._plan(now)
        try:
            with job_given_back():
                async with asyncio.timeout_at(until):
                    await granted
        except TimeoutError as error:
            raise NotSent(self._too_late()) from error
        finally:
            self._queue.remove(urgency, key, granted)
            self.on_change()

    def _count(self, now: float) -> None:
        """Add the tokens of the time since the last count."""
        most = max(1.0, self._per_s * BURST_S)
        self._tokens = min(most, self._tokens + max(0.0, now - self._counted_at) * self._per_s)
        self._counted_at = now

    def _plan(self, now: float) -> None:
        """Set the timer for the next turn."""
        if self._timer is None and self._queue:
            due_at = max(now + (1.0 - self._tokens) / self._per_s, self._not_before)
            self._timer = asyncio.get_running_loop().call_at(due_at, self._grant)

    def _grant(self) -> None:
        self._timer = None
        now = _now()
        self._count(now)
        # A timer may fire a moment early by the resolution of the clock.
        while self._queue and self._tokens >= 1 - 1e-6 and now >= self._not_before:
            granted = self._queue.take()
            if not granted.done():
                granted.set_result(None)
                self._tokens -= 1
        self._plan(now)

    def _too_late(self) -> str:
        return (
            f"The request was not sent: the provider's rate limit of {self._limit_per_s:g} requests a second "
            "(WARMXFER_PROVIDER_RATE) left no time for it"
        )

    def _log_wait(self, now: float) -> None:
        wait_s = self.wait_s(Urgency.NEW)
        if wait_s >= NOTED_WAIT_S and now - self._logged_at >= LOG_EVERY_S:
            self._logged_at = now
            log.warning(
                "provider_requests_wait",
                waiting=len(self._queue),
                new_request_s=round(wait_s, 1),
                per_s=round(self._per_s, 3),
                remedy="raise WARMXFER_PROVIDER_RATE if the provider allows more",
            )


class Turns:
    """The turns of one command's requests."""

    def __init__(self, rate: RequestRate, key: str, urgency: Urgency) -> None:
        self._rate = rate
        self._key = key
        self._urgency = urgency
        self._reserved = 0
        self._waiting = 0
        self._began_at = 0.0
        self.waited_s = 0.0
        """How long requests of this command have waited. Those that wait at the same time count once."""

    async def reserve(self, until: float) -> None:
        """Wait for the turn of the command's next request. Raises `NotSent` if it does not come in time."""
        await self._wait(until)
        self._reserved += 1

    async def next(self, until: float) -> None:
        """Wait for the turn of one request, unless one is reserved. Raises `NotSent`."""
        if self._reserved:
            self._reserved -= 1
            return
        await self._wait(until)

    def refused(self, after_s: float) -> None:
        """Note that the provider refused a request for its rate."""
        self._rate.pause(after_s)

    async def _wait(self, until: float) -> None:
        self._began_at = self._began_at if self._waiting else _now()
        self._waiting += 1
        try:
            await self._rate.turn(self._urgency, self._key, until)
        finally:
            self._waiting -= 1
            if not self._waiting:
                self.waited_s += _now() - self._began_at


_current: ContextVar[Turns | None] = ContextVar("request_turns", default=None)


@contextmanager
def request_turns(rate: RequestRate, key: str, urgency: Urgency) -> Generator[Turns]:
    """Let requests of this context and of tasks that it starts wait for their turns."""
    before, turns = _current.get(), Turns(rate, key, urgency)
    _current.set(turns)
    try:
        yield turns
    finally:
        # Not `ContextVar.reset`: it raises in an abandoned task, which is closed in another context.
        _current.set(before)


async def next_turn(until: float) -> None:
    """Wait for the turn of a request that is sent next. Raises `NotSent` if it does not come in time."""
    turns = _current.get()
    if turns is not None:
        await turns.next(until)


def rate_refused(after_s: float) -> None:
    """Note that the provider refused a request of this context for its rate."""
    turns = _current.get()
    if turns is not None:
        turns.refused(after_s)


def _now() -> float:
    return asyncio.get_running_loop().time()
