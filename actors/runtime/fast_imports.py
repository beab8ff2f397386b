"""Starting an actor without what only a terminal needs: who waits for a new worker waits for its imports.

structlog and httpx load `rich` and `pygments`, for tracebacks in colour and a command line of their own,
where they find them, and do as well where they do not: a third of what an actor would spend on its start.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

TERMINAL_LIBRARIES = ("rich", "pygments")


@contextmanager
def without_rich() -> Iterator[None]:
    """What is imported inside finds none of `FOR_TERMINALS` that was not there already."""
    hidden = [name for name in TERMINAL_LIBRARIES if name not in sys.modules]
    # Python's own mark for a module that is not to be had.
    sys.modules.update(dict.fromkeys(hidden))  # pyright: ignore[reportCallIssue, reportArgumentType]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
