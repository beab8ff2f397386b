"""The roles, and where each is: found by name, so that starting one imports that one alone."""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Any


class Role(StrEnum):
    COORDINATOR = "coordinator"
    GATEWAY = "gateway"
    SUMMARIZER = "summarizer"
    BRIEFING = "briefing"
    PRIMARY = "primary"


def load(role: Role) -> tuple[Callable[..., Awaitable[None]], Any]:
    """The actor of `role` (`run(bus, settings, ready=...)`) and its settings' class (`from_env`)."""
    module = importlib.import_module(f"warmxfer.actors.{role}")
    return module.run, getattr(module, f"{role.capitalize()}Settings")
