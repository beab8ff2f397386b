"""All invariants over one run, read off the stream, the cloud's ledger and the sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import transfer_history
from .effects import EFFECT_CHECKS, LEFT_OVER_CHECKS
from .promises import STREAM_CHECKS, longest_life_s

if TYPE_CHECKING:
    from .world import World


def patience_s(world: World) -> float:
    """How long after the storm the last transfer may take to end."""
    return max(longest_life_s(transfer_history.Story(plan)) for plan in world.plan.transfers)


def left_over(world: World) -> bool:
    """Whether something still waits for being cleared away, or for being handled."""
    if any(consumer.unsettled for consumer in world.stream.consumers.values()):
        return True
    transfer_history.read_on(world)
    return any(
        next(check(world, each), None) for each in world.stories.values() for check in LEFT_OVER_CHECKS
    )


def broken_promises(world: World) -> list[str]:
    """One sentence for each promise that was not kept."""
    transfer_history.read_on(world)
    broken = [
        f"{each.id}: {sentence}"
        for each in world.stories.values()
        for check in (*STREAM_CHECKS, *EFFECT_CHECKS)
        for sentence in check(world, each)
    ]
    for consumer in world.stream.consumers.values():
        if consumer.unsettled:
            broken.append(f"L3: {consumer.unsettled} messages of {consumer.name} were never settled")
    return broken
