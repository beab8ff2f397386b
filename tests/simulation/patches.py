"""Clock, chance and the outside world, as actor code is given them in a run: the one place of patching.

The law of this file: only names in modules of `warmxfer` are replaced, never a module's inside, so that
pytest and the standard library keep their own clock. What an actor reads here is virtual, its process's own,
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
from warmxfer.actors.summarizer import actor as summarizer_actor
from warmxfer.adapters import rooms
from warmxfer.bus import BrokerClock, dead_letters, worker

from .loop import CURRENT

if TYPE_CHECKING:
    from .world import World

_loaded = (rooms, briefing_actor, summarizer_actor, dead_letters, worker)
"""Everything that may be patched has been imported by now."""


class Borrowed:
    """What stands in for `time`, `random`, `secrets` and `uuid` while `world` runs."""

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
            raise RuntimeError("the clock of a run was read outside of any run")
        return self.world

    @property
    def _chance(self) -> random.Random:
        return self._world.chance_of_actors

    def _time(self) -> float:
        process = CURRENT.get()
        return self._world.now + (process.skew_s if process else 0.0)

    def _monotonic(self) -> float:
        """Machines count from their own start: two processes' readings have nothing to do with each other."""
        process = CURRENT.get()
        return self._world.loop.time() + (1_000.0 * len(process.name) if process else 0.0)


BORROWED = Borrowed()


@contextmanager
def borrowed() -> Iterator[Borrowed]:
    """Put the borrowed clock, chance and outside world in place, for any number of runs."""
    given: dict[object, object] = {
        time: BORROWED.time,
        random: BORROWED.random,
        secrets: BORROWED.secrets,
        uuid: BORROWED.uuid,
        time.monotonic: BORROWED.time.monotonic,
        time.time: BORROWED.time.time,
        rooms.open_room_client: lambda settings, seat: BORROWED._world.open_voice(seat),
        summarizer_actor.open_model: lambda settings: BORROWED._world.open_model(),
    }
    undo: list[tuple[ModuleType, str, object]] = []
    clock_defaults = BrokerClock.__init__.__defaults__
    for module in _modules():
        for name, value in list(vars(module).items()):
            stand_in = _stand_in(given, value)
            if stand_in is not None:
                undo.append((module, name, value))
                setattr(module, name, stand_in)
    BrokerClock.__init__.__defaults__ = (BORROWED.time.monotonic,)
    try:
        yield BORROWED
    finally:
        BrokerClock.__init__.__defaults__ = clock_defaults
        for module, name, value in undo:
            setattr(module, name, value)
        BORROWED.world = None


def _stand_in(given: dict[object, object], value: object) -> Any:
    if isinstance(value, ModuleType) or callable(value):
        return next((stand_in for real, stand_in in given.items() if real is value), None)
    return None


def _modules() -> list[ModuleType]:
    return [module for name, module in sys.modules.items() if name.startswith("warmxfer.") and module]
