"""Reads the product's log lines during a run: a line that reports an internal error is a violation.

No person reads the logs of ten thousand runs.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

from .patches import PATCHES

INTERNAL_ERRORS = frozenset(
    {
        "actor_failed",
        "reply_failed",
        "background_task_failed",
        "bus_reconnect_hook_failed",
        "handler_failed",
        "liveness_check_failed",
        "room_client_failed",
    }
)
"""Events logged where the product catches an unexpected exception and goes on."""


def read_logs(*, for_process: bool = False) -> None:
    """Configure structlog: print nothing, and record an internal error as a problem of the current run.

    `for_process`: the process only simulates. Loggers then keep this configuration, which is faster. Tests
    must not set it: other tests of their process capture the product's log lines.
    """
    structlog.configure(
        processors=[_read],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        cache_logger_on_first_use=for_process,
    )


def _read(logger: Any, level: str, line: MutableMapping[str, Any]) -> Mapping[str, Any]:
    world = PATCHES.world
    if line["event"] in INTERNAL_ERRORS and world is not None and not world.over:
        error = line.pop("exc_info", None)
        fields = ", ".join(f"{name}={value}" for name, value in line.items() if name != "event")
        world.problem(f"{line['event']}: {fields}", error if isinstance(error, BaseException) else None)
    raise structlog.DropEvent
