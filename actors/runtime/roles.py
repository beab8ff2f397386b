"""The five roles. A process imports only the actor of its own role."""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Any

from .fast_imports import without_unused_libraries


class Role(StrEnum):
    COORDINATOR = "coordinator"
    GATEWAY = "gateway"
    SUMMARIZER = "summarizer"
    BRIEFING = "briefing"
    PRIMARY = "primary"


def run_role(role: Role, env: Mapping[str, str]) -> None:
    """Run one actor until stopped, with settings from `env`. Raises as `run_actor` does."""
    with without_unused_libraries():
        from .log_setup import configure_logs
        from .runner import run_actor

        # First, because settings write log lines too.
        configure_logs(env, role=role.value)
        actor, settings = _load(role)
    run_actor(role.value, actor, settings.from_env(env), env)


def settings_class(role: Role) -> Any:
    """Return the settings class of `role`, which has `from_env`."""
    return _load(role)[1]


def _load(role: Role) -> tuple[Callable[..., Awaitable[None]], Any]:
    """Return the actor of `role` (`run(bus, settings, ready=...)`) and its settings class (`from_env`)."""
    module = importlib.import_module(f"warmxfer.actors.{role}")
    return module.run, getattr(module, f"{role.capitalize()}Settings")
