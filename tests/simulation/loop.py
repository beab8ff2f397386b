"""An event loop whose clock jumps to the next timer, and in which processes can be frozen and killed.

Invariants:
- Nothing is random. Callbacks run in the order in which they became ready. Timers run in the order of their
  times; timers of the same time run in the order in which they were set.
- A callback belongs to the process in whose context it was scheduled. The callbacks of a frozen process wait,
  and those of a dead process never run.
"""

from __future__ import annotations

import asyncio
import warnings
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from heapq import heappop, heappush
from typing import Any

from msgspec import Struct

MAX_STEPS = 2_000_000
"""Maximum callbacks of one run. A run that needs more is in an endless loop."""

MAX_UNWINDING = 100


class NothingToRun(Exception):
    """The run cannot go on: nothing is ready and no timer is set, or it is in an endless loop."""


class Abandoned(BaseException):
    """Thrown into what a run leaves behind. The product cannot take it for a cancellation."""


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
        self.context = Context()
        self.context.run(CURRENT.set, self)

    def __repr__(self) -> str:
        return self.name


CURRENT: ContextVar[Process | None] = ContextVar("simulated_process", default=None)


class Due(Struct, eq=False):
    """A scheduled callback, and a handle for asyncio. A run makes thousands, and a Struct is quick."""

    callback: Callable[..., object] | None
    """None if it was cancelled."""
    args: tuple[Any, ...]
    context: Context
    due_at: float

    def when(self) -> float:
        return self.due_at

    def cancel(self) -> None:
        """Mark the callback as cancelled; the loop drops it when its time comes."""
        self.callback, self.args = None, ()

    def cancelled(self) -> bool:
        return self.callback is None


class SimLoop(asyncio.BaseEventLoop):
    """`time()` is virtual, in seconds from 0. No sockets, no threads, no signals."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0
        self._timers: list[tuple[float, int, Due]] = []
        self._timer_count = 0
        self._ready: deque[Due] = deque()
        self._tasks: list[asyncio.Task[Any]] = []
        self.steps = 0

    def time(self) -> float:
        return self._now

    get_debug = staticmethod(bool)  # type: ignore[assignment]
    """False, for each future that is created, without a call of Python code."""

    def create_task(
        self, coro: Coroutine[Any, Any, Any], *, name: str | None = None, context: Context | None = None
    ) -> asyncio.Task[Any]:
        task = asyncio.Task(coro, loop=self, name=name, context=context)
        self._tasks.append(task)
        return task

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Context | None = None) -> Due:
        due = Due(callback, args, copy_context() if context is None else context, self._now)
        self._ready.append(due)
        return due

    def call_later(
        self, delay: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Due:
        if context is None:
            context = copy_context()
        return self.set_timer(self._now + delay, callback, args, context)

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Due:
        return self.set_timer(when, callback, args, copy_context() if context is None else context)

    def set_timer(
        self, when: float, callback: Callable[..., object], args: tuple[Any, ...], context: Context
    ) -> Due:
        """Call `callback` at `when`: `call_at` for the simulated world, which sets thousands."""
        due = Due(callback, args, context, when)
        self._timer_count += 1
        heappush(self._timers, (when, self._timer_count, due))
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
        """Close every coroutine that is left at the end of a run, even if it awaits again while it closes.

        The `finally` blocks that run meanwhile see this loop and their own task. Without them asyncio would
        raise an error that the product handles, or would start their tasks in a loop that never runs.
        """
        with warnings.catch_warnings():
            # A coroutine that a `finally` block starts now is never awaited.
            warnings.simplefilter("ignore", RuntimeWarning)
            asyncio._set_running_loop(self)
            try:
                while self._tasks:
                    begun, self._tasks = self._tasks, []
                    for task in begun:
                        if not task.done():
                            self._close_coroutine_of(task)
            finally:
                asyncio._set_running_loop(None)
            self._ready.clear()
            self._timers.clear()

    def _close_coroutine_of(self, task: asyncio.Task[Any]) -> None:
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        asyncio.tasks._enter_task(self, task)
        try:
            _unwind(task.get_coro())
        finally:
            asyncio.tasks._leave_task(self, task)

    def _run_once(self) -> None:
        """Run callbacks until the loop is stopped: one call for a run is faster than one for each round."""
        ready, timers, take, current = self._ready, self._timers, self._ready.popleft, CURRENT
        steps = self.steps
        try:
            while not self._stopping:
                if not ready:
                    # Advance the clock to the next timer. All timers of that moment become ready.
                    while timers and timers[0][2].callback is None:
                        heappop(timers)
                    if not timers:
                        raise NothingToRun("nothing is ready and no timer is set")
                    now = self._now = max(self._now, timers[0][0])
                    while timers and timers[0][0] <= now:
                        ready.append(heappop(timers)[2])
                for _ in range(len(ready)):
                    due = take()
                    if due.callback is None:
                        continue
                    process = due.context.get(current)
                    if process is not None and process.frozen:
                        process.waiting.append(due)
                        continue
                    steps += 1
                    try:
                        due.context.run(due.callback, *due.args)
                    except Exception as error:
                        self.call_exception_handler({"message": f"in {due.callback!r}", "exception": error})
                if steps > MAX_STEPS:
                    raise NothingToRun(f"{MAX_STEPS} callbacks by {self._now:.3f} s: endless loop")
        finally:
            self.steps = steps

    def _process_events(self, event_list: object) -> None:
        """There are no sockets."""

    def _write_to_self(self) -> None:
        """There are no threads."""


def _unwind(work: Coroutine[Any, Any, Any]) -> None:
    """End a coroutine that may await again in each of its `finally` blocks.

    `close` is not enough: if an inner coroutine awaits again, it ends the outer ones and leaves the inner
    one to the garbage collector, which prints an error.
    """
    for _ in range(MAX_UNWINDING):
        try:
            work.throw(Abandoned())
        except (Abandoned, StopIteration, asyncio.CancelledError, Exception):
            return
    work.close()


def spawn(loop: SimLoop, process: Process, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
    """Run `work` as a task of `process`."""
    return loop.create_task(work, name=name, context=process.context)
