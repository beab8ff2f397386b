"""What the logs of a run are read for: a line that says that something of ours broke is a broken promise.

Nobody else reads the logs of ten thousand runs.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

from .patches import BORROWED

BROKE = frozenset(
    {
        "actor_failed",
        "reply_failed",
        "background_task_failed",
        "bus_reconnect_hook_failed",
        "handler_failed",
        "liveness_check_failed",
        "voice_broke",
    }
)
"""Each is logged where an exception that nobody expected is kept from doing harm."""


def read_logs() -> None:
    """From now on nothing is printed, and what broke is a problem of the run in which it did."""
    structlog.configure(
        processors=[_read],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        cache_logger_on_first_use=True,
    )


def _read(logger: Any, level: str, line: MutableMapping[str, Any]) -> Mapping[str, Any]:
    world = BORROWED.world
    if line["event"] in BROKE and world is not None and not world.over:
        error = line.pop("exc_info", None)
        said = ", ".join(f"{name}={value}" for name, value in line.items() if name != "event")
        world.problem(f"{line['event']}: {said}", error if isinstance(error, BaseException) else None)
    raise structlog.DropEvent
