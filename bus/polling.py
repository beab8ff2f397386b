"""When to read a subject again, for code that reads stored messages and subscribes to new ones.

    rereads = Rereads(bus, catch_up, "commands")
    rereads.start()

One read after subscribing is not enough. The broker sends a message to its subscribers before it stores it. A
message in transit while we subscribe is not received, and the first read does not find it yet. Its writer
repeats it until it is stored, so a read a moment later finds it.

- Invariant: the reads end. After `REREAD_PAUSES_S` a subject is read only after a reconnect, after a gap that
  its reader reports, or because the last read failed. So what waits reads nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextvars import Context, copy_context
from types import TracebackType
from typing import Final

import structlog

from warmxfer.schemas import format_traceback

from . import Bus
from .messages import LiveMessage

REREAD_PAUSES_S: Final = (0.5, 2.0, 8.0)
"""Pauses between the reads after a subscription.

A writer sends a message again if it is not acknowledged within 2 s, and the subscription receives that copy.
So only a message that was acknowledged in the first seconds can be missed. The last reads are for a replica
that is behind. Each read costs the broker and this process about as much as a stored message.
"""
GROWING_FROM_S: Final = 0.25
"""First of the pauses of `growing_pauses`."""
FAILED_READ_PAUSE_S: Final = 5.0
"""Pause after a failed read, once `REREAD_PAUSES_S` are over."""

log = structlog.get_logger(__name__)


def growing_pauses(longest_s: float) -> Iterator[float]:
    """Yield the seconds between two reads, without end: the first pause, then doubled up to `longest_s`."""
    pause_s = GROWING_FROM_S
    while True:
        yield pause_s
        pause_s = min(2 * pause_s, longest_s)


class RereadPauses:
    """The pauses until the next read of a subject. Pure."""

    def __init__(self) -> None:
        self._left = iter(REREAD_PAUSES_S)
        self._failed = False

    def restart(self) -> None:
        """Start again with the first pause: a message may have been missed."""
        self._left = iter(REREAD_PAUSES_S)

    def read_failed(self) -> None:
        """Make the next pause end, whether or not the pauses are over."""
        self._failed = True

    def next_s(self) -> float | None:
        """Return the seconds until the next read; None if no read is due."""
        pause_s = next(self._left, FAILED_READ_PAUSE_S if self._failed else None)
        self._failed = False
        return pause_s


class Rereads:
    """Calls `read` now, then after each pause, and again from now on after a reconnect.

    `read` returns whether it succeeded. It runs in a task that ends with the last read, in the context
    (contextvars) in which `start` was called: what waits has no task.
    """

    def __init__(self, bus: Bus, read: Callable[[], Awaitable[bool]], name: str) -> None:
        self._bus = bus
        self._read = read
        self._name = name
        self._pauses = RereadPauses()
        self._context: Context | None = None
        self._task: asyncio.Task[None] | None = None
        self._due = False
        """Whether a read is due before the pause after the one that runs."""
        self._pause: asyncio.Future[None] | None = None
        self._unregister: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Begin to read."""
        self._context = copy_context()
        self._unregister = self._bus.on_reconnect(self._on_reconnect)
        self._run()

    def stop(self) -> None:
        """Read no more. A read that is under way is cancelled. Idempotent."""
        self._unregister()
        self._unregister, self._context = lambda: None, None
        if self._task is not None:
            self._task.cancel()

    def restart(self) -> None:
        """Read now, and again after each pause: a message may have been missed just now."""
        self._pauses.restart()
        self.read_once()

    def read_once(self) -> None:
        """Read now: a message may have been missed some time ago."""
        if self._task is None:
            self._run()
        else:
            self._due = True
            _end(self._pause)

    def _run(self) -> None:
        if self._context is not None:
            self._task = asyncio.create_task(self._read_all(), name=self._name, context=self._context)

    async def _read_all(self) -> None:
        try:
            while True:
                self._due = False
                try:
                    succeeded = await self._read()
                except Exception as error:
                    log.error("reread_failed", reader=self._name, exception=format_traceback(error))
                    succeeded = False
                if not succeeded:
                    self._pauses.read_failed()
                if self._due:
                    continue
                pause_s = self._pauses.next_s()
                if pause_s is None:
                    return
                await self._wait(pause_s)
        finally:
            self._task = None

    async def _wait(self, pause_s: float) -> None:
        """Wait for so long, or until a read is due."""
        loop = asyncio.get_running_loop()
        self._pause = pause = loop.create_future()
        timer = loop.call_later(pause_s, _end, pause)
        try:
            await pause
        finally:
            timer.cancel()
            self._pause = None

    async def _on_reconnect(self) -> None:
        self.restart()


def _end(pause: asyncio.Future[None] | None) -> None:
    if pause is not None and not pause.done():
        pause.set_result(None)


class Follower:
    """A live subscription to one subject, and when to read the stored messages beside it.

    async with Follower(bus, subject) as follower:
        while True:
            handle(await bus.history(subject, ...))
            message = await follower.next()
    """

    def __init__(self, bus: Bus, subject: str) -> None:
        self._bus = bus
        self._subscription = bus.subscribe(subject)
        self._pauses = RereadPauses()
        self._unregister: Callable[[], None] = lambda: None

    async def __aenter__(self) -> Follower:
        await self._subscription.__aenter__()
        self._unregister = self._bus.on_reconnect(self._on_reconnect)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._unregister()
        await self._subscription.__aexit__(kind, error, trace)

    @property
    def ended(self) -> bool:
        """True if no more messages will come: the connection is closed."""
        return self._subscription.ended

    def restart(self) -> None:
        """Start again with the first pause: a message may have been missed."""
        self._pauses.restart()

    def read_failed(self) -> None:
        """Read again after a pause: the last read did not succeed."""
        self._pauses.read_failed()

    async def next(self, within_s: float | None = None) -> LiveMessage | None:
        """Return the next message; None if it is time to read the stored ones, or after `within_s`."""
        return await self._subscription.next(self._pauses.next_s() if within_s is None else within_s)

    async def _on_reconnect(self) -> None:
        self._pauses.restart()
        self._subscription.interrupt()
