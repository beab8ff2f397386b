"""What of a world can still matter. Worlds that differ only in the rest are one.

Each line here is a claim that nothing which may yet happen depends on what it takes away; it is made where
the stage of the transfer, which only goes forward, says so.
"""

from __future__ import annotations

from warmxfer.actors.coordinator.state_machine import Stage

from .events import BRIDGE
from .expected_behaviour import Habits
from .world import NOT_MADE, World

TALK = frozenset({Stage.RINGING, Stage.BRIEFING})
OVER = frozenset({Stage.UNWINDING, Stage.CANCELLED, Stage.FAILED})
NOT_YET_OVER = frozenset(Stage) - OVER


def tidy(world: World, habits: Habits) -> World:
    """`world` without what cannot matter any more."""
    return _spent(_people(_provider(_news(world))), habits)


def _news(world: World) -> World:
    """What was told matters while it is so, and while the machine may have passed over it."""
    stage = world.stage
    was_bridging = world.switch != "idle" or "switch_caller" in world.sent
    homeless = stage in OVER or stage is Stage.RETURNING
    return world._replace(
        said=world.said if stage in TALK else "",
        told_lost=world.told_lost and (stage in BRIDGE or stage is Stage.COMPLETED),
        told_up=world.told_up and stage in OVER and world.leg == "up",
        told_gone=world.told_gone and homeless and was_bridging and world.caller == "hung_up",
    )


def _provider(world: World) -> World:
    """How an effect came not to be made matters while its answer is awaited."""
    stage = world.stage
    dial, switch, back = world.dial, world.switch, world.back
    if dial == "refused":
        dial = "forbidden"
    if dial == "late" and (stage in NOT_YET_OVER or world.leg_down):
        dial = "made"
    if switch in NOT_MADE and stage is not Stage.SWITCHING:
        switch = "lost"
    if back == "refused" and stage is not Stage.RETURNING:
        back = "lost"
    if world.caller == "hung_up" and stage in OVER:
        switch = switch if switch == "idle" else "lost"
        back = "idle"
    return world._replace(dial=dial, switch=switch, back=back)


def _people(world: World) -> World:
    """Once it is over, all that matters of the proxy is whether the caller is muted."""
    let_go = world.proxy in ("let_go", "released", "closed", "closed_early")
    return world._replace(proxy="released") if let_go and world.stage.ended else world


def _spent(world: World, habits: Habits) -> World:
    """Commands that have had their effect, or can have none."""
    spent: set[str] = set()
    if world.stage not in TALK:
        spent.add("brief_supervisor")
    if world.proxy != "talking" and habits.level_is_fenced:
        spent.add("hold_caller")
    if world.proxy in ("released", "left", "closed", "closed_early"):
        spent |= {"release_caller", "leave_call"}
    if world.room != "none":
        spent.add("create_room")
    if world.room == "closed":
        spent.add("close_room")
    if world.agent != "out":
        spent.add("join_consultation")
    if world.agent == "left":
        spent |= {"leave_consultation", "brief_supervisor"}
    if world.dial != "idle" and habits.dial_is_claimed:
        spent.add("dial_supervisor")
    if world.switch != "idle":
        spent.add("switch_caller")
    return world.without(*spent) if spent & world.sent else world
