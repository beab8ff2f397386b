"""An event loop whose clock jumps to the next timer, and in which processes can be frozen and killed.

Invariants:
- Nothing is random. Callbacks run in the order in which they became ready. Timers run in the order of their
  times; timers of the same time run in the order in which they were set.
- A callback belongs to the process in whose context it was scheduled. The callbacks of a frozen process wait,
  and those of a dead process never run.
"""

from __future__ import annotations

import asyncio
import heapq
import warnings
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from typing import Any

MAX_STEPS = 2_000_000
"""Maximum callbacks of one run. A run that needs more is in an endless loop."""

MAX_UNWINDING = 100


class NothingToRun(Exception):
    """The run cannot go on: nothing is ready and no timer is set, or it is in an endless loop."""


class Process:
    """A simulated operating system process. It can be frozen and killed."""

    def __init__(self, name: str, role: str) -> None:
        self.name = name
        self.role = role
        self.frozen = False
        self.dead = False
        self.skew_s = 0.0
        """How far its wall clock is ahead of the broker's."""
        self.waiting: deque[Due] = deque()
        self.tasks: list[asyncio.Task[Any]] = []
        self.context = Context()
        self.context.run(CURRENT.set, self)

    def __repr__(self) -> str:
        return self.name


CURRENT: ContextVar[Process | None] = ContextVar("simulated_process", default=None)


class Due(events.TimerHandle):
    """A scheduled callback. asyncio's own handle is slower, and a run makes thousands."""

    __slots__ = ()

    def __init__(
        self, when: float, callback: Callable[..., object], args: tuple[Any, ...], context: Context | None
    ) -> None:
        self._when = when
        self._callback = callback
        self._args = args
        self._context = copy_context() if context is None else context
        self._cancelled = False

    def cancel(self) -> None:
        """Mark the callback as cancelled; the loop drops it when its time comes."""
        self._cancelled = True
        self._callback, self._args = None, ()


class SimLoop(asyncio.BaseEventLoop):
    """`time()` is virtual, in seconds from 0. No sockets, no threads, no signals."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._timers: list[tuple[float, int, Due]] = []
        self._timer_count = 0
        self._ready: deque[Due] = deque()
        self.steps = 0

    def time(self) -> float:
        return self._now

    def call_soon(
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> events.Handle:
        due = Due(self._now, callback, args, context)
        self._ready.append(due)
        return due

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> events.TimerHandle:
        return self._set(Due(self._now + delay, callback, args, context))

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> events.TimerHandle:
        return self._set(Due(when, callback, args, context))

    def _set(self, due: Due) -> events.TimerHandle:
        self._timer_count += 1
        heapq.heappush(self._timers, (due._when, self._timer_count, due))
        return due

    def freeze(self, process: Process) -> None:
        """Freeze the process, as SIGSTOP does."""
        process.frozen = True

    def thaw(self, process: Process) -> None:
        """Continue the process, as SIGCONT does. Its waiting callbacks run now, in their order."""
        if not process.dead:
            process.frozen = False
            self._ready.extend(process.waiting)
            process.waiting.clear()

    def kill(self, process: Process) -> None:
        """Kill the process, as SIGKILL does: none of its code runs any more, `finally` blocks included."""
        process.frozen = process.dead = True

    def abandon(self) -> None:
        """Close every coroutine that is left at the end of a run, even if it awaits again while it closes."""
        unwound: set[asyncio.Task[Any]] = set()
        with warnings.catch_warnings():
            # A coroutine that a `finally` block starts now is never awaited.
            warnings.simplefilter("ignore", RuntimeWarning)
            while begun := asyncio.all_tasks(self) - unwound:
                for task in begun:
                    task._log_destroy_pending = False  # type: ignore[attr-defined]
                    _unwind(task.get_coro())
                unwound |= begun
            self._ready.clear()
            self._timers.clear()

    def _run_once(self) -> None:
        if not self._ready:
            self._jump()
        ready = self._ready
        for _ in range(len(ready)):
            due = ready.popleft()
            if due._cancelled:
                continue
            process = due._context.get(CURRENT)
            if process is not None and process.frozen:
                process.waiting.append(due)
                continue
            self.steps += 1
            try:
                due._context.run(due._callback, *due._args)  # type: ignore[arg-type]
            except Exception as error:
                self.call_exception_handler({"message": f"in {due._callback!r}", "exception": error})
        if self.steps > MAX_STEPS:
            raise NothingToRun(f"{MAX_STEPS} callbacks by {self._now:.3f} s: endless loop")

    def _jump(self) -> None:
        """Advance the clock to the next timer. All timers of that moment become ready."""
        timers = self._timers
        while timers and timers[0][2]._cancelled:
            heapq.heappop(timers)
        if not timers:
            raise NothingToRun("nothing is ready and no timer is set")
        self._now = max(self._now, timers[0][0])
        while timers and timers[0][0] <= self._now:
            self._ready.append(heapq.heappop(timers)[2])

    def _process_events(self, event_list: object) -> None:
        """There are no sockets."""

    def _write_to_self(self) -> None:
        """There are no threads."""


def _unwind(work: Any) -> None:
    """Close a coroutine that may await again in each of its `finally` blocks."""
    for _ in range(MAX_UNWINDING):
        try:
            work.close()
        except RuntimeError:
            continue
        return


def spawn(
    loop: asyncio.AbstractEventLoop, process: Process, work: Coroutine[Any, Any, Any], name: str
) -> asyncio.Task[Any]:
    """Run `work` as a task of `process`. The process keeps a reference, so the task is not collected."""
    task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, name=name, context=process.context)
    process.tasks.append(task)
    return task
