"""What must hold: in every state, in every settled state, and of the graph as a whole.

The numbers are those of the project's invariants. What the machine promises of one step alone (I11, I17,
I18) is checked in `machine.py`; what a move itself breaks (the caller thrown out, I4) in `house.py`.
"""

from __future__ import annotations

from warmxfer.actors.coordinator.state_machine import CallerPlace, Stage, Transfer

from .machine import admits
from .world import UNDER_WAY, World

GIVEN_BACK = frozenset({Stage.UNWINDING, Stage.CANCELLED, Stage.FAILED})
NOT_DONE = frozenset({Stage.CANCELLED, Stage.FAILED})


def broken(transfer: Transfer, world: World) -> str:
    """The promise that this state breaks, or nothing."""
    stage = transfer.stage
    admitted = admits(transfer.decision) if transfer.decision else set[str]()
    if world.dial == "twice":
        return "I6: the provider dialled twice"
    if "twice" in (world.switch, world.back):
        return "I7: the provider moved the caller twice"
    if transfer.timer_due_at is not None and not world.timer:
        return "I14, L1: committed, and no timer was set: nothing will ever wake it"
    if stage is Stage.COMPLETED:
        return _not_complete(transfer, world)
    if stage in GIVEN_BACK and (world.proxy == "left" or "leave_call" in world.sent):
        return "I1: the caller was given back to an AI that was told to leave"
    if stage in GIVEN_BACK and "return_fault" not in admitted and world.caller != "hung_up":
        if world.switch in UNDER_WAY or (world.switch == "idle" and "switch_caller" in world.sent):
            return "I8: the caller may still be moved although it was decided otherwise"
        if world.caller == "consultation":
            return "I2: the caller was given back and is with the supervisor"
    may_dial = world.dial in UNDER_WAY or (world.dial == "idle" and "dial_supervisor" in world.sent)
    if (
        stage in NOT_DONE
        and may_dial
        and "end_call" not in admitted
        and not transfer.caller.may_be_in_consultation
    ):
        return "I8: it is over, and the supervisor may still be dialled"
    if stage.ended and world.proxy == "holding" and "release_caller" not in world.sent:
        return "I2: it is over, the caller is muted, and no release is on its way"
    return ""


def _not_complete(transfer: Transfer, world: World) -> str:
    if world.switch != "made" or world.leg not in ("up", "down"):
        return "I3: complete, and caller and supervisor were never together"
    if world.told_lost:
        return "I3: complete, although it was told that the supervisor is gone"
    if transfer.caller is not CallerPlace.ARRIVED:
        return "I3: complete, and the caller was never seen to arrive"
    return ""


def unclean(transfer: Transfer, world: World) -> str:
    """What is left lying about at the end. A phone that rings is not: it stops by itself.

    As long as nobody can say where the caller is, leg and room are theirs; the evidence admits it.
    """
    if world.agent == "in":
        return "I16: the briefing agent is left in the room"
    if transfer.stage is Stage.COMPLETED:
        return ""
    if world.proxy == "holding" and world.caller != "hung_up":
        return "I2: the caller is left on hold"
    if (
        transfer.caller.may_be_in_consultation
        and world.caller == "consultation"
        and world.leg_down
        and not world.back_again
    ):
        return "I2: the caller is alone, and nobody brings them back"
    nobody_can_say = "return_caller" not in world.sent and not world.told_gone
    if transfer.caller.may_be_in_consultation and (world.caller == "consultation" or nobody_can_say):
        return ""
    if world.leg == "up":
        return "I16: the supervisor's leg is left up"
    if world.room == "open":
        return "I16: the consultation room is left open"
    return ""
