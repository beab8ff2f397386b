"""How long the loop was away, and whose code it was in meanwhile.

A task beats; when a beat is late, a thread beside the loop looks at the loop's stack again and again. What
one call into C takes is seen right after it, on the stack of whoever made it. The time between two looks
counts as ours when any frame of ours is on the stack: also what others do for us. Two things do not count:
the time in which the machine gave the loop, or the one who looks at it, no processor; and what Python's
collector takes when nobody asked for it, for that comes to whoever makes the next object.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

import warmxfer.actors

BEAT_S = 0.005
LATE_S = 0.03
"""A loop that comes back sooner has not stalled."""

HOUSE = Path(warmxfer.actors.__file__).parents[1]
FOLDERS = ("schemas", "bus", "client", "adapters", "actors", "integrations", "cli")
ROOMS = tuple(f"{HOUSE / folder}{os.sep}" for folder in FOLDERS)


@dataclass(frozen=True)
class Stall:
    """One time the loop was away, in seconds; the others are parts of `long_s`."""

    long_s: float = 0.0
    waiting_s: float = 0.0
    """Without a processor."""
    collecting_s: float = 0.0
    """In the collector, asked or not."""
    ours_s: float = 0.0


class Stalls:
    """Watches the loop it is entered on, until it is left."""

    def __init__(self) -> None:
        self.all: list[Stall] = []
        self.places: defaultdict[str, float] = defaultdict(float)
        """Seconds of ours by the line of ours that was running, and the function it was in."""
        self._beat_at = self._waiting_s = self._collecting_s = self._ours_s = 0.0
        self._collector = _Collector()
        self._over = threading.Event()

    @property
    def longest(self) -> Stall:
        return max(self.all, key=lambda stall: stall.long_s, default=Stall())

    @property
    def worst_of_ours(self) -> Stall:
        return max(self.all, key=lambda stall: stall.ours_s, default=Stall())

    async def __aenter__(self) -> Stalls:
        self._beat_at = time.monotonic()
        self._beating = asyncio.create_task(self._beat())
        loop_thread = threading.get_ident(), threading.get_native_id()
        threading.Thread(target=self._watch, args=loop_thread, daemon=True).start()
        gc.callbacks.append(self._collector)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.sleep(2 * BEAT_S)
        gc.callbacks.remove(self._collector)
        self._over.set()
        self._beating.cancel()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            now = time.monotonic()
            long_s = now - self._beat_at - BEAT_S
            if long_s > LATE_S:
                self.all.append(Stall(long_s, self._waiting_s, self._collecting_s, self._ours_s))
            self._beat_at, self._waiting_s, self._collecting_s, self._ours_s = now, 0.0, 0.0, 0.0

    def _watch(self, thread: int, native: int) -> None:
        loop, me = _Processor(native), _Processor(threading.get_native_id())
        looked_at = time.monotonic()
        while not self._over.wait(BEAT_S):
            now = time.monotonic()
            (ran_s, waited_s), (_, kept_s) = loop.since(), me.since()
            collected_s, unasked_s = self._collector.take()
            if now - self._beat_at > LATE_S and (frame := sys._current_frames().get(thread)):
                since_s = now - max(looked_at, self._beat_at)
                self._collecting_s += min(since_s, collected_s)
                self._waiting_s += min(since_s, waited_s)
                # The interpreter's lock is with us while we are kept waiting: the loop stands still then.
                stood_s = max(0.0, since_s - ran_s - waited_s - kept_s)
                self._count(frame, min(since_s, ran_s) + stood_s - unasked_s)
            looked_at = now

    def _count(self, frame: FrameType, busy_s: float) -> None:
        if busy_s > 0.0 and (own := of_ours(frame)):
            self._ours_s += busy_s
            self.places[f"{_place(own)}, in {_place(frame)}"] += busy_s


class _Processor:
    """What one thread of this process got of the machine's processors, and how long it waited for one."""

    def __init__(self, native: int) -> None:
        self._path = Path(f"/proc/self/task/{native}/schedstat")
        self._last_s = self._read_s()

    def since(self) -> tuple[float, float]:
        """Seconds it ran and seconds it waited since this was asked last."""
        before_s, self._last_s = self._last_s, self._read_s()
        return self._last_s[0] - before_s[0], self._last_s[1] - before_s[1]

    def _read_s(self) -> tuple[float, float]:
        """Both nothing where the system does not tell: then all of a stall counts."""
        if not self._path.exists():
            return 0.0, 0.0
        ran_ns, waited_ns, _ = self._path.read_text().split()
        return int(ran_ns) / 1e9, int(waited_ns) / 1e9


class _Collector:
    """Counts what the collector takes; one of `gc.callbacks`."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._asked = False
        self._taken_s = self._unasked_s = 0.0

    def __call__(self, moment: str, _: dict[str, Any]) -> None:
        if moment == "start":
            self._asked = _asks(sys._getframe(1))
            self._since = time.monotonic()
        else:
            self._count()
            self._since = None

    def take(self) -> tuple[float, float]:
        """Seconds since this was asked last, and how many of them nobody had asked for."""
        self._count()
        taken, self._taken_s, self._unasked_s = (self._taken_s, self._unasked_s), 0.0, 0.0
        return taken

    def _count(self) -> None:
        """Up to now: a collection may be under way, for what is collected may run code."""
        if self._since is not None:
            now = time.monotonic()
            took_s, self._since = now - self._since, now
            self._taken_s += took_s
            self._unasked_s += 0.0 if self._asked else took_s


def of_ours(frame: FrameType | None) -> FrameType | None:
    """The innermost frame of the stack that is code of ours, if there is one."""
    while frame is not None and not frame.f_code.co_filename.startswith(ROOMS):
        frame = frame.f_back
    return frame


def _asks(frame: FrameType) -> bool:
    """Whether this code is of the kind that asks for a collection."""
    return {"gc", "collect"} <= {*frame.f_code.co_names}


def _place(frame: FrameType) -> str:
    path = Path(frame.f_code.co_filename)
    return f"{path.parent.name}/{path.name}:{frame.f_lineno} {frame.f_code.co_name}"
