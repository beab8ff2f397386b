"""Reduction of a world to what can still matter. Worlds that differ only in the rest become one.

Each line here claims that no later event depends on what it removes. The stage of the transfer, which only
goes forward, justifies the claim.
"""

from __future__ import annotations

from warmxfer.actors.coordinator.state_machine import Stage

from .events import BRIDGE, CHECKED
from .expected_behaviour import ExpectedBehaviour
from .world import NOT_EXECUTED, World

CONSULTATION_STAGES = frozenset({Stage.RINGING, Stage.BRIEFING})
AFTER_DECISION = frozenset({Stage.UNWINDING, Stage.CANCELLED, Stage.FAILED})
BEFORE_DECISION = frozenset(Stage) - AFTER_DECISION


def reduce_world(world: World, behaviour: ExpectedBehaviour) -> World:
    """Return `world` without what cannot matter any more."""
    return _reduce_commands(_reduce_session(_reduce_effects(_reduce_reports(world))), behaviour)


def _reduce_reports(world: World) -> World:
    """Keep a report while it is true, and while the state machine may have ignored it."""
    stage = world.stage
    session_gone = world.session in ("taken", "closed", "closed_early")
    was_bridging = world.switch != "idle" or "switch_caller" in world.sent
    returning_or_after = stage in AFTER_DECISION or stage is Stage.RETURNING
    return world._replace(
        answer=world.answer if stage in CONSULTATION_STAGES else "",
        check=world.check if stage in CHECKED else "",
        alone_reported=world.alone_reported and world.caller == "consultation" and not session_gone,
        loss_reported=world.loss_reported and (stage in BRIDGE or stage is Stage.COMPLETED),
        presence_reported=world.presence_reported and stage in AFTER_DECISION and world.leg == "up",
        hang_up_reported=(
            world.hang_up_reported and returning_or_after and was_bridging and world.caller == "hung_up"
        ),
    )


def _reduce_effects(world: World) -> World:
    """Keep the reason why an effect was not executed only while its reply is awaited."""
    stage = world.stage
    dial, switch, return_move = world.dial, world.switch, world.return_move
    if dial == "refused":
        dial = "forbidden"
    if dial == "late" and (stage in BEFORE_DECISION or world.leg_down):
        dial = "executed"
    if switch in NOT_EXECUTED and stage is not Stage.SWITCHING:
        switch = "lost"
    if return_move == "refused" and stage not in (Stage.RETURNING, Stage.GUARDING):
        return_move = "lost"
    if world.caller == "hung_up" and stage in AFTER_DECISION:
        switch = switch if switch == "idle" else "lost"
        return_move = "idle"
    return world._replace(dial=dial, switch=switch, return_move=return_move)


def _reduce_session(world: World) -> World:
    """After the end, and after a guard, only one fact about the session matters: is the caller muted?"""
    unmuted = world.session in ("lease_expired", "released", "closed", "closed_early", "taken")
    over = world.stage.ended and world.stage is not Stage.GUARDING
    return world._replace(session="released") if unmuted and over else world


def _reduce_commands(world: World, behaviour: ExpectedBehaviour) -> World:
    """Remove commands that have had their effect, or can have none."""
    spent: set[str] = set()
    if world.stage not in CONSULTATION_STAGES:
        spent.add("brief_supervisor")
    if world.session != "talking" and behaviour.hold_is_fenced:
        spent.add("hold_caller")
    if world.session in ("released", "left", "closed", "closed_early", "taken", "dead"):
        spent |= {"release_caller", "leave_call"}
    if world.room != "none":
        spent.add("create_room")
    if world.room == "closed":
        spent.add("close_room")
    if world.agent != "out":
        spent.add("join_consultation")
    if world.agent == "left":
        spent |= {"leave_consultation", "brief_supervisor"}
    if world.dial != "idle" and behaviour.dial_is_claimed:
        spent.add("dial_supervisor")
    if world.switch != "idle":
        spent.add("switch_caller")
    if world.rescue != "idle" and behaviour.rescue_is_claimed:
        spent.add("rescue_caller")
    return world.without(*spent) if spent & world.sent else world
