"""All invariants over one run, checked against the stream, the cloud's ledger and the sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.testkit.transfer_history import transfer_of
from warmxfer.actors.coordinator.state_machine import Stage
from warmxfer.actors.coordinator.state_machine.timeouts import (
    MAX_CALLER_SEARCH_S,
    effect_s,
    guard_return_s,
)
from warmxfer.actors.gateway.handlers.return_caller import REFUSED_AFTER_S
from warmxfer.bus.consumer_table import CONSUMERS

from .provider_checks import LEFT_OVER_CHECKS, PROVIDER_CHECKS
from .stream_checks import STREAM_CHECKS, longest_life_s, waits_for_archive

if TYPE_CHECKING:
    from .world import World


CLEAN_UP_S = 150.0
"""Maximum time for clean-up after the last transfer has ended and faults have stopped. A retry may wait 30 s,
and a session 20 s for its lease. Then the transfer is archived, after two command timeouts."""


def longest_wait_s(world: World) -> float:
    """Return how long after the end of the faults the last transfer may take to end."""
    return max(longest_life_s(plan) for plan in world.plan.transfers)


def longest_clean_up_s(world: World) -> float:
    """Return how long clean-up may take then.

    A guard repeats a return for an hour at most, while the provider refuses it or does not answer in time:
    the AI may come back. A rescue follows. Clean-up checks search for a caller who is alone as long.

    Clean-up checks ask for the return of a caller, which is tried again for a while after its deadline.
    """
    read_stream(world)
    newest = [each.records[-1][1].state for each in world.histories.values() if each.records]
    searches = [each for each in newest if each.stage is Stage.GUARDING or each.caller.may_be_in_consultation]
    search_s = [
        MAX_CALLER_SEARCH_S + 2 * guard_return_s(each.request.config) for each in searches if each.request
    ]
    configs = [each.request.config for each in newest if each.request]
    checks_s = [guard_return_s(each) + 2 * effect_s(each) for each in configs]
    return CLEAN_UP_S + REFUSED_AFTER_S + max(checks_s, default=0.0) + max(search_s, default=0.0)


def read_stream(world: World) -> None:
    """Add to each transfer's history what was stored since the last call."""
    for stored in world.streams.after(world.read_up_to):
        history = world.histories.get(transfer_of(stored))
        if history is not None:
            history.add(stored)
    world.read_up_to = world.streams.count


def is_anything_left(world: World) -> bool:
    """Return whether a message is not yet settled, or something is not yet cleaned up."""
    consumers = world.streams.consumers
    if any(name not in consumers or consumers[name].unsettled for name in CONSUMERS):
        return True
    read_stream(world)
    if any(waits_for_archive(each) for each in world.histories.values()):
        return True
    return any(
        next(check(world, each), None) for each in world.histories.values() for check in LEFT_OVER_CHECKS
    )


def violations(world: World) -> list[str]:
    """Return one sentence for each broken invariant, with the transfer's id in front."""
    read_stream(world)
    found = [
        f"{each.id}: {sentence}"
        for each in world.histories.values()
        for check in (*STREAM_CHECKS, *PROVIDER_CHECKS)
        for sentence in check(world, each)
    ]
    for name in CONSUMERS:
        consumer = world.streams.consumers.get(name)
        if consumer is None:
            found.append(f"{name}: L3: the consumer does not exist")
        elif consumer.unsettled:
            found.append(f"{name}: L3: {consumer.unsettled} messages were never settled")
    return found
