"""Starts an actor without the imports that only a terminal needs, so that a new worker is ready sooner.

structlog and httpx import `rich` and `pygments` if they are installed, for coloured tracebacks and httpx's
command line. They work without them. These imports are a third of an actor's start-up time.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

TERMINAL_LIBRARIES = ("rich", "pygments")


@contextmanager
def without_rich() -> Iterator[None]:
    """Hide the `TERMINAL_LIBRARIES` that are not loaded yet from imports inside the context."""
    hidden = [name for name in TERMINAL_LIBRARIES if name not in sys.modules]
    # None in sys.modules makes an import fail with ModuleNotFoundError.
    sys.modules.update(dict.fromkeys(hidden))  # pyright: ignore[reportCallIssue, reportArgumentType]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
