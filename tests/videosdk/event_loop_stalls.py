"""Measures how long the event loop is stalled, and by whose code.

A task ticks. While a tick is late, a thread samples the loop's stack. A call into C is seen right after it,
on the stack of its caller. The time between two samples counts as warmxfer's if a frame of warmxfer is on the
stack, so it includes what other code does for warmxfer. Two things do not count: time in which the loop or
the sampling thread had no processor, and automatic garbage collections, which run in whichever code makes the
next object.
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

TICK_S = 0.005
LATE_S = 0.03
"""A loop that returns sooner is not stalled."""

ROOT = Path(warmxfer.actors.__file__).parents[1]
FOLDERS = ("schemas", "bus", "client", "adapters", "actors", "integrations", "cli")
CODE_PREFIXES = tuple(f"{ROOT / folder}{os.sep}" for folder in FOLDERS)


@dataclass(frozen=True)
class Stall:
    """One stall of the loop, in seconds. The other values are parts of `length_s`."""

    length_s: float = 0.0
    waiting_s: float = 0.0
    """Without a processor."""
    collecting_s: float = 0.0
    """In the garbage collector, requested or automatic."""
    warmxfer_s: float = 0.0


class StallWatcher:
    """Watches the loop that it is entered on, until it is left."""

    def __init__(self) -> None:
        self.all: list[Stall] = []
        self.places: defaultdict[str, float] = defaultdict(float)
        """Seconds of warmxfer, by the line of warmxfer and the function that was running."""
        self._ticked_at = self._waiting_s = self._collecting_s = self._warmxfer_s = 0.0
        self._collector = _CollectorClock()
        self._over = threading.Event()

    @property
    def longest(self) -> Stall:
        return max(self.all, key=lambda stall: stall.length_s, default=Stall())

    @property
    def worst_warmxfer(self) -> Stall:
        return max(self.all, key=lambda stall: stall.warmxfer_s, default=Stall())

    async def __aenter__(self) -> StallWatcher:
        self._ticked_at = time.monotonic()
        self._ticking = asyncio.create_task(self._tick())
        loop_thread = threading.get_ident(), threading.get_native_id()
        threading.Thread(target=self._watch, args=loop_thread, daemon=True).start()
        gc.callbacks.append(self._collector)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.sleep(2 * TICK_S)
        gc.callbacks.remove(self._collector)
        self._over.set()
        self._ticking.cancel()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            now = time.monotonic()
            length_s = now - self._ticked_at - TICK_S
            if length_s > LATE_S:
                self.all.append(Stall(length_s, self._waiting_s, self._collecting_s, self._warmxfer_s))
            self._ticked_at, self._waiting_s, self._collecting_s, self._warmxfer_s = now, 0.0, 0.0, 0.0

    def _watch(self, thread: int, native_id: int) -> None:
        loop, watcher = _ThreadClock(native_id), _ThreadClock(threading.get_native_id())
        sampled_at = time.monotonic()
        while not self._over.wait(TICK_S):
            now = time.monotonic()
            (ran_s, waited_s), (_, watcher_waited_s) = loop.since(), watcher.since()
            collected_s, automatic_s = self._collector.take()
            if now - self._ticked_at > LATE_S and (frame := sys._current_frames().get(thread)):
                since_s = now - max(sampled_at, self._ticked_at)
                self._collecting_s += min(since_s, collected_s)
                self._waiting_s += min(since_s, waited_s)
                # While this thread waits for a processor, it holds the interpreter's lock.
                lock_s = max(0.0, since_s - ran_s - waited_s - watcher_waited_s)
                self._count(frame, min(since_s, ran_s) + lock_s - automatic_s)
            sampled_at = now

    def _count(self, frame: FrameType, busy_s: float) -> None:
        if busy_s > 0.0 and (frame_of_warmxfer := warmxfer_frame(frame)):
            self._warmxfer_s += busy_s
            self.places[f"{_place(frame_of_warmxfer)}, in {_place(frame)}"] += busy_s


class _ThreadClock:
    """How long one thread of this process ran, and how long it waited for a processor."""

    def __init__(self, native_id: int) -> None:
        self._path = Path(f"/proc/self/task/{native_id}/schedstat")
        self._last_s = self._read_s()

    def since(self) -> tuple[float, float]:
        """Return the seconds it ran and the seconds it waited since the last call."""
        before_s, self._last_s = self._last_s, self._read_s()
        return self._last_s[0] - before_s[0], self._last_s[1] - before_s[1]

    def _read_s(self) -> tuple[float, float]:
        """Return zeros where the system has no such file; then all of a stall counts."""
        if not self._path.exists():
            return 0.0, 0.0
        ran_ns, waited_ns, _ = self._path.read_text().split()
        return int(ran_ns) / 1e9, int(waited_ns) / 1e9


class _CollectorClock:
    """Measures the garbage collector; one of `gc.callbacks`."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._requested = False
        self._taken_s = self._automatic_s = 0.0

    def __call__(self, moment: str, _: dict[str, Any]) -> None:
        if moment == "start":
            self._requested = _requests_collection(sys._getframe(1))
            self._since = time.monotonic()
        else:
            self._count()
            self._since = None

    def take(self) -> tuple[float, float]:
        """Return the seconds since the last call, and the automatic part of them."""
        self._count()
        taken, self._taken_s, self._automatic_s = (self._taken_s, self._automatic_s), 0.0, 0.0
        return taken

    def _count(self) -> None:
        """Count up to now. A collection may be running, because finalizers may run code."""
        if self._since is not None:
            now = time.monotonic()
            took_s, self._since = now - self._since, now
            self._taken_s += took_s
            self._automatic_s += 0.0 if self._requested else took_s


def warmxfer_frame(frame: FrameType | None) -> FrameType | None:
    """Return the innermost frame of the stack that is code of warmxfer, or None."""
    while frame is not None and not frame.f_code.co_filename.startswith(CODE_PREFIXES):
        frame = frame.f_back
    return frame


def _requests_collection(frame: FrameType) -> bool:
    """Return whether the code of this frame calls `gc.collect`."""
    return {"gc", "collect"} <= {*frame.f_code.co_names}


def _place(frame: FrameType) -> str:
    path = Path(frame.f_code.co_filename)
    return f"{path.parent.name}/{path.name}:{frame.f_lineno} {frame.f_code.co_name}"
