"""Starts an actor or a command without imports that it does not use, so that it is ready sooner.

structlog and httpx import `rich` and `pygments` if they are installed, for coloured tracebacks and httpx's
command line. nats-py imports `aiohttp` if it is installed, for WebSockets. They work without them. These
imports are a third of the start-up time.

nats-py always imports its own JetStream client, `nats.js`. The package `bus` does not use that client. So it
is loaded only if nats-py uses it after all.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader
from types import ModuleType

UNUSED_LIBRARIES = ("rich", "pygments", "aiohttp")
LOADED_ON_USE = "nats.js"


@contextmanager
def without_unused_libraries() -> Iterator[None]:
    """Hide the `UNUSED_LIBRARIES` that are not loaded yet from imports inside the context."""
    hidden = [name for name in UNUSED_LIBRARIES if name not in sys.modules]
    # None in sys.modules makes an import fail with ModuleNotFoundError.
    sys.modules.update(dict.fromkeys(hidden))  # pyright: ignore[reportCallIssue, reportArgumentType]
    sys.meta_path.insert(0, _LazyFinder)
    try:
        yield
    finally:
        sys.meta_path.remove(_LazyFinder)
        for name in hidden:
            del sys.modules[name]


class _LazyFinder:
    """Finds the module `LOADED_ON_USE`, which then runs when it is used first."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path) if name == LOADED_ON_USE else None
        if spec is not None and spec.loader is not None:
            spec.loader = LazyLoader(spec.loader)
        return spec
