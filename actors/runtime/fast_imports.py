"""Starts an actor or a command without imports that it does not use, so that it is ready sooner.

structlog and httpx import `rich` and `pygments` if they are installed, for coloured tracebacks and httpx's
command line. nats-py imports `aiohttp` if it is installed, for WebSockets. They work without them. These
imports are a third of the start-up time.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

UNUSED_LIBRARIES = ("rich", "pygments", "aiohttp")


@contextmanager
def without_unused_libraries() -> Iterator[None]:
    """Hide the `UNUSED_LIBRARIES` that are not loaded yet from imports inside the context."""
    hidden = [name for name in UNUSED_LIBRARIES if name not in sys.modules]
    # None in sys.modules makes an import fail with ModuleNotFoundError.
    sys.modules.update(dict.fromkeys(hidden))  # pyright: ignore[reportCallIssue, reportArgumentType]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
