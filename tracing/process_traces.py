"""Records the spans of a process, if `WARMXFER_TRACES` says so.

OpenTelemetry is imported only then: with its exporter that takes a fifth of a second.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

import structlog

from warmxfer.schemas import InvalidRequest

from .settings import TraceSettings

log = structlog.get_logger(__name__)


@asynccontextmanager
async def traces(env: Mapping[str, str], role: str) -> AsyncGenerator[None]:
    """Record spans of this process while the context is open, and send the last ones at its end.

    Raises `InvalidRequest` if the variable has no such value, if the extra `otel` is missing, or if the file
    cannot be opened.
    """
    settings = TraceSettings.from_env(env)
    if settings.to == "off":
        yield
        return
    try:
        from . import sdk

        end = sdk.start(settings, role, importlib.metadata.version("warmxfer"))
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
    log.info("traces_started", to=settings.to)
    try:
        yield
    finally:
        await asyncio.to_thread(end)
