"""When to read a subject again, for code that reads stored messages and subscribes to new ones.

    async with Rereads(bus) as rereads:
        async for _ in rereads:
            await catch_up(await bus.get_last(subject))

One read after subscribing is not enough. The broker sends a message to its subscribers before it stores it. A
message in transit while we subscribe is not received, and the first read does not find it yet. Its writer
repeats it until it is stored, so a read a moment later finds it.

- Invariant: the reads end. After `REREAD_PAUSES_S` a subject is read only after a reconnect, after a gap that
  its reader reports, or because the last read failed. So what waits reads nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Final

from . import Bus
from .messages import LiveMessage

REREAD_PAUSES_S: Final = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Pauses between the reads after a subscription.

A writer sends a message again if it is not acknowledged within 2 s, and the subscription receives that copy.
So only a message that was acknowledged in the first seconds can be missed.
"""
FAILED_READ_PAUSE_S: Final = 5.0
"""Pause after a failed read, once `REREAD_PAUSES_S` are over."""


def growing_pauses(longest_s: float) -> Iterator[float]:
    """Yield the seconds between two reads, without end: the first pause, then doubled up to `longest_s`."""
    pause_s = REREAD_PAUSES_S[0]
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
    """Iterates when it is time to read: now, then after each pause. A reconnect starts again from now."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._pauses = RereadPauses()
        self._due = asyncio.Event()
        self._from_start = False
        self._unregister: Callable[[], None] = lambda: None
        self.restart()

    async def __aenter__(self) -> Rereads:
        self._unregister = self._bus.on_reconnect(self._on_reconnect)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._unregister()

    def restart(self) -> None:
        """Read now, and again after each pause: a message may have been missed just now."""
        self._from_start = True
        self._due.set()

    def read_once(self) -> None:
        """Read now: a message may have been missed some time ago."""
        self._due.set()

    def read_failed(self) -> None:
        """Read again after a pause: the last read did not succeed."""
        self._pauses.read_failed()

    def __aiter__(self) -> Rereads:
        return self

    async def __anext__(self) -> None:
        try:
            async with asyncio.timeout(None if self._due.is_set() else self._pauses.next_s()):
                await self._due.wait()
        except TimeoutError:
            return
        self._due.clear()
        if self._from_start:
            self._from_start = False
            self._pauses.restart()

    async def _on_reconnect(self) -> None:
        self.restart()


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
