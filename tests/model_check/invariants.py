"""Invariants of every state of transfer and world, and of every end.

The numbers are those of the project's invariants. `abstract_machine.py` checks the invariants of a single
step (I11, I17, I18, I28). `environment.py` checks what a change outside the coordinator breaks: I4, I30, and
a room that is closed while the caller is in it.
"""

from __future__ import annotations

from warmxfer.actors.coordinator.state_machine import CallerPlace, Stage, Transfer

from .abstract_machine import COMPLETE, DECIDED_AGAINST, admitted_effects
from .world import UNDER_WAY, World

ENDED_WITHOUT_BRIDGE = frozenset({Stage.CANCELLED, Stage.FAILED})


def violation(transfer: Transfer, world: World) -> str:
    """Return the invariant that this state breaks, or an empty string."""
    stage = transfer.stage
    admitted = admitted_effects(transfer.decision) if transfer.decision else set[str]()
    if world.dial == "twice":
        return "I6: the provider dialled twice"
    if "twice" in (world.switch, world.return_move):
        return "I7: the provider moved the caller twice"
    if transfer.timer_due_at is not None and not world.timer:
        return "I14, L1: the record was committed without a timer: no event will wake the transfer"
    if lost := _lost_session_violation(transfer, world):
        return lost
    if stage in COMPLETE:
        return _completion_violation(world) or _guard_violation(transfer, world)
    if stage in DECIDED_AGAINST and (world.session == "left" or "leave_call" in world.sent):
        return "I1: the caller was given back to an AI session that must leave"
    if stage in DECIDED_AGAINST and "return_fault" not in admitted and world.caller != "hung_up":
        if world.switch in UNDER_WAY or (world.switch == "idle" and "switch_caller" in world.sent):
            return "I8: the caller may still be moved after the decision against it"
        if world.caller == "consultation":
            return "I2: the caller was given back and is with the supervisor"
    may_dial = world.dial in UNDER_WAY or (world.dial == "idle" and "dial_supervisor" in world.sent)
    if (
        stage in ENDED_WITHOUT_BRIDGE
        and may_dial
        and "end_call" not in admitted
        and not transfer.caller.may_be_in_consultation
    ):
        return "I8: the transfer has ended and the supervisor may still be dialled"
    if stage.ended and world.session == "holding" and "release_caller" not in world.sent:
        return "I2: the transfer has ended, the caller is muted, and no release was sent"
    return ""


def _lost_session_violation(transfer: Transfer, world: World) -> str:
    """I29, I30: that a session is dead is noticed, and its caller is rescued at most once."""
    if world.rescue == "twice":
        return "I30: the caller was rescued twice"
    returned = transfer.stage is Stage.COMPLETED and transfer.caller is CallerPlace.WITH_AI
    ended = transfer.stage in ENDED_WITHOUT_BRIDGE or returned
    if not ended or world.session != "dead" or world.caller == "hung_up":
        return ""
    if not transfer.session_lost:
        return "I29: the transfer has ended, and it was not noticed that the session is lost"
    assert transfer.request is not None
    rescued = world.rescue != "idle" or "rescue_caller" in world.sent
    if transfer.request.config.rescue and not rescued:
        return "I29: the session is lost, and no rescue was sent"
    return ""


def _completion_violation(world: World) -> str:
    if world.switch != "executed" or world.leg not in ("up", "down"):
        return "I3: complete, and caller and supervisor were never together"
    if world.loss_reported:
        return "I3: complete, although an event reported that the supervisor is gone"
    if world.unchecked:
        return "I3: complete, and no leg check since the handover found both legs up"
    return ""


def _guard_violation(transfer: Transfer, world: World) -> str:
    """A caller of whom the guard knows that they are alone is returned, or a notice says so."""
    given_up = transfer.caller is CallerPlace.IN_TRANSIT
    if transfer.stage is Stage.COMPLETED and world.alone_reported and not given_up:
        return "I4: the guard received that the supervisor is gone, and left the caller alone"
    if world.caller == "returned" and (world.session == "left" or "leave_call" in world.sent):
        return "I1: the caller was given back to an AI session that must leave"
    return ""


def leftover(transfer: Transfer, world: World) -> str:
    """Return what an ended transfer has not cleaned up, or an empty string.

    A phone that rings is no leftover: it stops by itself. While the caller's place is unknown, leg and room
    stay up for the caller, and the evidence admits it.
    """
    if transfer.stage is Stage.GUARDING:
        return "L3: the guard does not end"
    if world.agent == "in":
        return "I16: the briefing agent is left in the room"
    if transfer.stage is Stage.COMPLETED:
        on_hold = world.session == "holding" and world.caller == "returned"
        return "I2: the guard left the caller on hold" if on_hold else ""
    if world.session == "holding" and world.caller != "hung_up":
        return "I2: the caller is left on hold"
    if (
        transfer.caller.may_be_in_consultation
        and world.caller == "consultation"
        and world.leg_down
        and not world.return_retried
    ):
        return "I2: the caller is alone and is not returned"
    place_unknown = "return_caller" not in world.sent and not world.hang_up_reported
    if transfer.caller.may_be_in_consultation and (world.caller == "consultation" or place_unknown):
        return ""
    if world.leg == "up":
        return "I16: the supervisor's leg is left up"
    if world.room == "open":
        return "I16: the consultation room is left open"
    return ""
