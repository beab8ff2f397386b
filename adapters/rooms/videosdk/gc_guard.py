"""Closing one session of VideoSDK's framework without stopping all the others of its process.

The framework collects the garbage of the whole process, on the loop, for every component and every chat
context that it closes. With fifty live sessions each of these takes some 30 ms, a session takes several, and
a crowd that is handed over closes all at once: seconds in which nobody is heard. While we close a session it
does without; Python collects by itself.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_closing_here: ContextVar[bool] = ContextVar("closing_here", default=False)
_collect = gc.collect
_closings = 0


@contextmanager
def without_gc_collect() -> Iterator[None]:
    """In this task, and in those it begins, `gc.collect()` does nothing; everybody else's does as ever."""
    global _closings
    _closings += 1
    gc.collect = _collect_unless_closing
    here = _closing_here.set(True)
    try:
        yield
    finally:
        _closing_here.reset(here)
        _closings -= 1
        if _closings == 0:
            gc.collect = _collect


def _collect_unless_closing(generation: int = 2) -> int:
    return 0 if _closing_here.get() else _collect(generation)
