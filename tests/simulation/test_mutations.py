"""The simulation can fail: what an ordinary implementation does is noticed, by the promise it breaks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from warmxfer.actors.coordinator import Coordinator
from warmxfer.actors.gateway import effects
from warmxfer.actors.machine import Stage, mishaps, policy, unwinding
from warmxfer.actors.primary import keeper
from warmxfer.actors.primary.fence import Fences, Standing
from warmxfer.bus import Claim

from .borrowed import BORROWED, borrowed
from .cloud import Cloud
from .provider import SimProvider
from .world import simulate

MAX_SEEDS = 400
Patch = pytest.MonkeyPatch


def claims_nothing(patch: Patch) -> None:
    """Every gateway that gets the command believes it is the first."""

    async def claim(bus: Any, id: str, effect: str, data: bytes, **_: Any) -> Claim:
        assert BORROWED.world is not None
        return Claim(True, BORROWED.world.now, data)

    patch.setattr(effects, "claim", claim)


def ends_no_leg(patch: Patch) -> None:
    """The transfer is over, and the supervisor's phone goes on ringing: closing a room ends no call here."""
    patch.setattr(unwinding, "end_leg", lambda turn, **_: None)
    patch.setattr(Cloud, "close_room", lambda self, room_id: setattr(self.room(room_id), "open", False))


def closes_once(patch: Patch) -> None:
    """A provider that would not close a room is not asked again."""
    for stage in (Stage.CANCELLED, Stage.FAILED):
        patch.setitem(mishaps.LOOK, stage, policy.schedule_sweep)


def obeys_anything(patch: Patch) -> None:
    """A hold that comes late holds a caller who was released."""
    patch.setattr(Fences, "judge", lambda self, transfer_id, command: Standing.NEW)


def holds_for_ever(patch: Patch) -> None:
    """Nobody is in charge any more, and the session does not mind."""

    async def outlive(*_: object) -> None:
        await asyncio.Event().wait()

    patch.setattr(keeper, "outlive", outlive)


def sends_once(patch: Patch) -> None:
    """What a record sends is lost with the process that wrote it."""
    real = Coordinator._read

    async def read(self: Coordinator, id: str) -> Any:
        known = await real(self, id)
        if known is not None:
            known.sent = True
        return known

    patch.setattr(Coordinator, "_read", read)


def takes_it_for_recorded(patch: Patch) -> None:
    """The provider was asked, and what it answers is not waited for."""

    async def ask(self: SimProvider, room_id: str, participant_id: str, **_: Any) -> None:
        return

    patch.setattr(SimProvider, "record_participant", ask)


@pytest.mark.simulation
@pytest.mark.parametrize(
    ("mutation", "promise"),
    [
        (claims_nothing, "I6"),
        (claims_nothing, "I7"),
        (ends_no_leg, "I16"),
        (closes_once, "I16"),
        (obeys_anything, "I15"),
        (holds_for_ever, "I25"),
        (sends_once, "I14"),
        (takes_it_for_recorded, "I28"),
    ],
)
def test_it_is_noticed(mutation: Callable[[Patch], None], promise: str, monkeypatch: Patch) -> None:
    with borrowed():
        mutation(monkeypatch)
        broken: set[str] = set()
        for seed in range(1, MAX_SEEDS + 1):
            broken |= {problem.partition(": ")[2].partition(":")[0] for problem in simulate(seed).problems}
            if promise in broken:
                return
    pytest.fail(f"{promise} held for {MAX_SEEDS} seeds; broken were {sorted(broken)}")
