"""The border to somebody else's framework: a deadline around each call, and nothing it raises gets past.

The law of this file: what a framework raises is of a kind we cannot know, and its text may quote what was
said in the call; so it is named by its type in one log line, and the proxy goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog

T = TypeVar("T")
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Done(Generic[T]):
    """It was done in time, with this result."""

    value: T


async def guarded_call(step: str, call: Callable[[], Awaitable[T]], timeout_s: float) -> Done[T] | None:
    """`await call()` within `timeout_s`; None when it was late or raised, which is logged under `step`."""
    try:
        async with asyncio.timeout(timeout_s):
            return Done(await call())
    except TimeoutError:
        log.error("session_step_late", step=step, timeout_s=timeout_s)
    except Exception as error:
        log.error("session_step_failed", step=step, error=type(error).__name__)
    return None
