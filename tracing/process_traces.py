"""Records the spans of a process, if `WARMXFER_TRACES` says so.

OpenTelemetry is imported only then: with its exporter that takes a fifth of a second.

Several contexts of a process may be open at once, in several event loops: an agent's process has one for each
session. The first one starts the recording, and the last one ends it.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.metadata
import threading
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager

import structlog

from warmxfer.schemas import InvalidRequest

from .settings import TraceSettings

log = structlog.get_logger(__name__)


class _Recording:
    """The recording of this process, and how many contexts share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._contexts = 0
        self._end: Callable[[], None] | None = None

    def enter(self, settings: TraceSettings, role: str) -> bool:
        """Count a context. Starts the recording, and returns True, if it is the first one."""
        from . import sdk

        with self._lock:
            first = self._contexts == 0
            if first:
                self._end = sdk.start(settings, role, importlib.metadata.version("warmxfer"))
            self._contexts += 1
        return first

    def leave(self) -> Callable[[], None] | None:
        """Stop to count a context. Returns the function that ends the recording, if it was the last one."""
        with self._lock:
            self._contexts -= 1
            return self._end if self._contexts == 0 else None


_recording = _Recording()


@asynccontextmanager
async def traces(env: Mapping[str, str], role: str) -> AsyncGenerator[None]:
    """Record spans of this process while the context is open, and send the last ones at its end.

    Inside another open context of this process, which has chosen role and destination, it adds nothing.
    Raises `InvalidRequest` if the variable has no such value, if the extra `otel` is missing, or if the file
    cannot be opened.
    """
    settings = TraceSettings.from_env(env)
    if settings.to == "off":
        yield
        return
    try:
        # A thread imports it: the loop of an agent has audio that cannot wait.
        await asyncio.to_thread(importlib.import_module, "warmxfer.tracing.sdk")
        started = _recording.enter(settings, role)
    except ImportError as error:
        raise InvalidRequest(
            f"WARMXFER_TRACES is set, but {error.name} is not installed; "
            "in the clone, pip install '.[otel]' or uv sync --extra otel",
            field="WARMXFER_TRACES",
        ) from error
    except OSError as error:
        raise InvalidRequest(
            f"WARMXFER_TRACES names {settings.path}, which cannot be opened ({error.strerror}); "
            "give a file in a directory that exists",
            field="WARMXFER_TRACES",
        ) from error
    if started:
        log.info("traces_started", to=settings.to)
    try:
        yield
    finally:
        if (end := _recording.leave()) is not None:
            await asyncio.to_thread(end)
