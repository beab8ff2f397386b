"""Patches that give actor code a simulated clock, random source and outside world during a run.

Invariant: only names in modules of `warmxfer` are replaced, never attributes of a standard module. So pytest
and the standard library keep their own clock. What an actor reads is virtual time, the clock of its process,
or drawn from the seed.
"""

from __future__ import annotations

import random
import secrets
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

from warmxfer.actors.briefing import actor as briefing_actor
from warmxfer.actors.briefing.reply.rules import prepare
from warmxfer.actors.gateway import actor as gateway_actor
from warmxfer.actors.summarizer import actor as summarizer_actor
from warmxfer.adapters import rooms
from warmxfer.bus import BrokerClock, dead_letters, nats_client, pull_watch, worker

from .loop import CURRENT
from .partitions import PARTITIONS, use_partitions
from .sim_client import SimClient

if TYPE_CHECKING:
    from .world import World

WATCH_EVERY_S = 2.0
"""Each pull consumer looks for silence this often. Four times a second, as shipped, would take half of a
run's time.
"""
_loaded = (rooms, briefing_actor, gateway_actor, summarizer_actor, dead_letters, worker)
"""These imports make sure that each module to be patched is loaded."""


class Patches:
    """Replacements for `time`, `random`, `secrets` and `uuid` while `world` runs."""

    def __init__(self) -> None:
        self.world: World | None = None
        self.time = SimpleNamespace(time=self._time, monotonic=self._monotonic, perf_counter=self._monotonic)
        self.random = SimpleNamespace(
            uniform=lambda low, high: self._chance.uniform(low, high),
            random=lambda: self._chance.random(),
            choice=lambda options: self._chance.choice(options),
        )
        self.secrets = SimpleNamespace(token_hex=lambda size=16: self._chance.randbytes(size).hex())
        self.uuid = SimpleNamespace(uuid4=lambda: uuid.UUID(bytes=self._chance.randbytes(16), version=4))

    @property
    def _world(self) -> World:
        if self.world is None:
            raise RuntimeError("the simulated clock was read outside of a run")
        return self.world

    @property
    def _chance(self) -> random.Random:
        return self._world.chance_of_actors

    def _time(self) -> float:
        process = CURRENT.get()
        return self._world.now + (process.skew_s if process else 0.0)

    def _monotonic(self) -> float:
        """Return a reading that differs between processes, as readings of two machines do."""
        process = CURRENT.get()
        return self._world.loop.time() + (1_000.0 * len(process.name) if process else 0.0)


PATCHES = Patches()


@contextmanager
def patched() -> Iterator[Patches]:
    """Install the patches while the context is open, for any number of runs."""
    replacements: dict[object, object] = {
        time: PATCHES.time,
        random: PATCHES.random,
        secrets: PATCHES.secrets,
        uuid: PATCHES.uuid,
        time.monotonic: PATCHES.time.monotonic,
        time.time: PATCHES.time.time,
        nats_client.NatsClient: lambda: SimClient(PATCHES._world),
        rooms.open_room_client: lambda settings, options: PATCHES._world.open_room_client(options),
        gateway_actor.WebhookHealth: lambda: PATCHES._world.webhooks.open_health(),
        summarizer_actor.open_model: lambda settings: PATCHES._world.open_model(),
    }
    prepare()  # a thread would wake the loop at a time of its own
    undo: list[tuple[ModuleType, str, object]] = []
    clock_defaults = BrokerClock.__init__.__defaults__
    for module in _modules():
        for name, value in list(vars(module).items()):
            replacement = _replacement(replacements, value)
            if replacement is not None:
                undo.append((module, name, value))
                setattr(module, name, replacement)
    undo.append((pull_watch, "WATCH_EVERY_S", pull_watch.WATCH_EVERY_S))
    pull_watch.WATCH_EVERY_S = WATCH_EVERY_S
    BrokerClock.__init__.__defaults__ = (PATCHES.time.monotonic,)
    try:
        yield PATCHES
    finally:
        BrokerClock.__init__.__defaults__ = clock_defaults
        for module, name, value in undo:
            setattr(module, name, value)
        PATCHES.world = None
        use_partitions(PARTITIONS)


def _replacement(replacements: dict[object, object], value: object) -> Any:
    if isinstance(value, ModuleType) or callable(value):
        return next(
            (replacement for original, replacement in replacements.items() if original is value), None
        )
    return None


def _modules() -> list[ModuleType]:
    return [module for name, module in sys.modules.items() if name.startswith("warmxfer.") and module]
