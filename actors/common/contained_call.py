"""A call of code that is not ours, in a task of its own: it can neither end nor stop the task that waits.

A voice-agent framework or a user's model may let the cancellation of one of its own tasks through, and it may
ignore ours. Both would otherwise reach the task that has to answer the supervisor, or to unmute the caller.

Test: `tests/actors/primary/test_guarded_call.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

CANCEL_TIMEOUT_S = 1.0
"""How long a late call may take to end after its cancellation. Then it is left to itself."""

T = TypeVar("T")


class CancelledByItself(Exception):
    """The call was cancelled, and not by us."""


async def contained(call: Callable[[], Awaitable[T]], timeout_s: float) -> T:
    """Return what `call()` returns, or raise what it raises.

    Raises `TimeoutError` after `timeout_s`, and `CancelledByItself`. Cancelling this cancels the call.
    """
    calling = asyncio.create_task(_run(call), name="contained-call")
    calling.add_done_callback(_retrieve)
    try:
        await asyncio.wait((calling,), timeout=timeout_s)
    except asyncio.CancelledError:
        await _cancel(calling)
        raise
    if not calling.done():
        await _cancel(calling)
        raise TimeoutError
    if calling.cancelled():
        raise CancelledByItself
    return calling.result()


async def _run(call: Callable[[], Awaitable[T]]) -> T:
    return await call()


async def _cancel(calling: asyncio.Task[T]) -> None:
    """Cancel a call. One that takes its cancellation has ended before the next call begins."""
    calling.cancel()
    await asyncio.wait((calling,), timeout=CANCEL_TIMEOUT_S)


def _retrieve(task: asyncio.Task[T]) -> None:
    """Take the exception of a call that was given up. Otherwise asyncio would log its text."""
    if not task.cancelled():
        task.exception()
