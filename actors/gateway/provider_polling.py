"""Repeated reads of the provider's call records, until one shows what a handler waits for.

Between two reads the handler's job is given back, so that the gateway executes other commands meanwhile.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from warmxfer.adapters.telephony import Rejected
from warmxfer.bus import job_given_back
from warmxfer.schemas import RetryableError

POLL_PAUSES_S = (0.2, 0.5)
POLL_PAUSE_S = 1.0
"""Pause between reads after the first pauses."""
MIN_READ_S, FIRST_READ_S, MAX_READ_S = 0.3, 3.0, 12.0
"""Timeout of one read: minimum, first, maximum. It doubles after each read without a reply, because a slow
reply may be on its way.
"""

T = TypeVar("T")
log = structlog.get_logger(__name__)


async def poll_until(read: Callable[[float], Awaitable[T | None]], until: float) -> T | None:
    """Call `read(within_s)` until it returns a value; call it for the last time at `until`, by the loop's
    clock.

    A read that fails counts as a read without a value. Returns None if no read returned a value.
    """
    loop = asyncio.get_running_loop()
    pauses = itertools.chain(POLL_PAUSES_S, itertools.repeat(POLL_PAUSE_S))
    read_timeout_s = FIRST_READ_S
    while True:
        left_s = until - loop.time()
        try:
            found = await read(max(MIN_READ_S, min(read_timeout_s, left_s)))
        except (RetryableError, Rejected) as error:
            log.info("call_lookup_failed", cause=type(error).__name__)
            read_timeout_s = min(2 * read_timeout_s, MAX_READ_S)
            found = None
        if found is not None:
            return found
        left_s = until - loop.time()
        if left_s <= 0:
            return None
        with job_given_back():
            await asyncio.sleep(min(next(pauses), left_s))
