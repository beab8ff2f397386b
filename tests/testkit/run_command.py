"""Runs a command of the tests that starts stacks of its own: chaos and soak."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Coroutine
from typing import Any

import structlog

STOPPED = 130
"""Exit status after SIGTERM or Ctrl-C."""


def run_command(play: Coroutine[Any, Any, int]) -> int:
    """Run `play` and return its exit status, or `STOPPED`. SIGTERM and Ctrl-C stop its stacks too.

    Log lines of this process are printed only if they are critical.
    """
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    try:
        return asyncio.run(_cancelled_by_sigterm(play))
    except (asyncio.CancelledError, KeyboardInterrupt):
        return STOPPED


async def _cancelled_by_sigterm(play: Coroutine[Any, Any, int]) -> int:
    playing = asyncio.current_task()
    assert playing is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, playing.cancel)
    return await play
