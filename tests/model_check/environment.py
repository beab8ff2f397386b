"""How actors, provider and people behave: every world that can follow a world.

The gateway does what its specification says, and no more. It claims an effect before it sends the request. It
looks up an unknown outcome instead of repeating the request. It forbids what it ends.
"""

from __future__ import annotations

from collections.abc import Iterator

from warmxfer.actors.coordinator.state_machine import Stage

from .expected_behaviour import ExpectedBehaviour
from .state_reduction import CONSULTATION_STAGES, reduce_world
from .world import NOT_EXECUTED, UNDER_WAY, Change, World


class Environment:
    """Every actor but the coordinator, the provider, and the people."""

    def __init__(self, behaviour: ExpectedBehaviour) -> None:
        self.behaviour = behaviour

    def changes(self, world: World) -> list[Change]:
        """Return everything that may happen next outside the coordinator."""
        parts = (
            self._session,
            self._agent,
            self._people,
            self._room,
            self._dial,
            self._switch,
            self._return,
            self._rescue,
            self._check,
        )
        return [
            change._replace(world=reduce_world(change.world, self.behaviour))
            for part in parts
            for change in part(world)
        ]

    # ── the actors beside the gateway ────────────────────────────────────────────────────────────

    def _session(self, world: World) -> Iterator[Change]:
        held_again = world.session == "released" and not self.behaviour.hold_is_fenced
        if "hold_caller" in world.sent and (world.session == "talking" or held_again):
            yield Change("the session holds the caller", world._replace(session="holding"))
        if "release_caller" in world.sent and world.session in ("talking", "holding", "lease_expired"):
            yield Change(
                "the session releases the caller",
                world._replace(session="released").without("release_caller"),
            )
        if "leave_call" in world.sent:
            yield Change("the session leaves", world._replace(session="left"))
        # A lease that expires, and a session that closes early, are covered where no session may die.
        releases_itself = not self.behaviour.session_may_die
        if releases_itself and world.session == "holding":
            yield Change("the hold's lease expires", world._replace(session="lease_expired"), optional=True)
        if world.session == "holding":
            yield Change(
                "the session closes during the hold", world._replace(session="closed"), optional=True
            )
        dies = self.behaviour.session_may_die and (not world.stage.ended or world.stage is Stage.GUARDING)
        if dies and world.session == "holding" and "release_caller" in world.sent:
            # A process that was killed earlier is one that has done nothing since.
            yield Change("the session's process is killed", world._replace(session="dead"), optional=True)
        if world.session == "holding" and world.stage is Stage.GUARDING:
            yield Change("a new transfer holds the caller", world._replace(session="taken"), optional=True)
        if releases_itself and world.session == "talking":
            yield Change(
                "the session closes before the hold", world._replace(session="closed_early"), optional=True
            )

    def _agent(self, world: World) -> Iterator[Change]:
        if "join_consultation" in world.sent and world.agent == "out":
            yield Change("the briefing agent joins", world._replace(agent="in"))
        if "leave_consultation" in world.sent:
            action = "leaves" if world.agent == "in" else "never joins"
            yield Change(f"the briefing agent {action}", world._replace(agent="left"))

    def _room(self, world: World) -> Iterator[Change]:
        if "create_room" in world.sent:
            yield Change("the gateway creates the room", world._replace(room="open"))
        if "close_room" in world.sent and world.room != "closed":
            caller_inside = world.caller == "consultation"
            yield Change(
                "the gateway closes the room",
                world._replace(room="closed").without("close_room"),
                violation="the room was closed while the caller was in it" if caller_inside else "",
            )
            yield Change("the provider refuses to close the room", world.without("close_room"), optional=True)

    def _people(self, world: World) -> Iterator[Change]:
        if world.caller != "hung_up":
            yield Change("the caller hangs up", world._replace(caller="hung_up"), optional=True)
        if world.leg == "ringing":
            yield Change("the supervisor answers", world._replace(leg="up"), optional=True)
            yield Change("the supervisor does not answer", world._replace(leg="unanswered"), optional=True)
        if world.leg == "up":
            yield Change("the supervisor hangs up", world._replace(leg="down"), optional=True)
        in_consultation = world.stage in CONSULTATION_STAGES and world.leg == "up" and world.agent == "in"
        if in_consultation and not world.answer:
            yield Change("a machine answers the agent", world._replace(answer="machine"), optional=True)
            yield Change("the supervisor says no", world._replace(answer="no"), optional=True)
            if "brief_supervisor" in world.sent:
                yield Change("the supervisor says yes", world._replace(answer="yes"), optional=True)

    # ── the gateway and the provider ─────────────────────────────────────────────────────────────

    def _dial(self, world: World) -> Iterator[Change]:
        yield from self._dial_begins(world)
        if world.dial == "claimed":
            yield Change("the gateway requests the dial", world._replace(dial="requested"))
        # Where a session may die, each dial is executed: the other outcomes are covered elsewhere.
        may_fail = not self.behaviour.session_may_die
        if may_fail and world.dial in UNDER_WAY:
            yield Change("the dial is lost", world._replace(dial="lost"))
        if world.dial == "requested":
            yield Change("the provider dials", world._replace(dial="executed", leg="ringing"))
        if may_fail and world.dial == "requested":
            yield Change("the provider refuses the dial", world._replace(dial="refused"))
        if world.dial == "lost":
            yield Change("the provider dials late", world._replace(dial="late", leg="ringing"), optional=True)
        yield from self._end_call(world)

    def _dial_begins(self, world: World) -> Iterator[Change]:
        if "dial_supervisor" in world.sent and world.dial == "idle":
            yield Change("the gateway claims the dial", world._replace(dial="claimed"))
            yield Change("the gateway finds the dial expired", world._replace(dial="forbidden"))
        delivered_again = "dial_supervisor" in world.sent and not self.behaviour.dial_is_claimed
        timed_out = world.dial == "executed" and not self.behaviour.unknown_dial_is_looked_up
        if (delivered_again and world.dial == "executed") or timed_out:
            reason = (
                "the dial timed out: the gateway requests it again"
                if timed_out
                else "a second gateway requests the dial"
            )
            yield Change(f"{reason}, and the provider dials again", world._replace(dial="twice"))

    def _end_call(self, world: World) -> Iterator[Change]:
        if "end_call" not in world.sent:
            return
        if world.dial == "idle" and self.behaviour.end_forbids_dial:
            yield Change("the gateway forbids the dial", world._replace(dial="forbidden"))
        if world.leg_up:
            with_caller = world.caller == "consultation"
            yield Change(
                "the gateway ends the supervisor's leg",
                world._replace(leg="down" if world.leg == "up" else "unanswered"),
                violation="I4: the supervisor's leg was ended while the caller was with them"
                if with_caller
                else "",
            )
        if self.leg_is_down(world):
            yield Change("the gateway completes EndCall", world.without("end_call"))

    def leg_is_down(self, world: World) -> bool:
        """Return True if the leg is down as far as `EndCall` can tell: then the gateway may reply."""
        if world.dial == "idle":
            return not self.behaviour.end_forbids_dial
        if world.dial in UNDER_WAY:
            return not self.behaviour.end_waits_for_dial
        return not world.leg_up

    def _check(self, world: World) -> Iterator[Change]:
        """Read both legs at any moment between the command and its reply."""
        if world.check == "asked":
            both_up = world.caller != "hung_up" and world.leg == "up"
            read = world._replace(check="both_up" if both_up else "leg_down")
            yield Change("the gateway reads both legs", read)

    def _switch(self, world: World) -> Iterator[Change]:
        if "switch_caller" in world.sent and world.switch == "idle":
            yield Change("the gateway claims the switch", world._replace(switch="claimed"))
            yield Change("the gateway forbids the switch", world._replace(switch="forbidden"))
        if world.switch == "claimed":
            yield Change("the gateway requests the switch", world._replace(switch="requested"))
        if world.switch in UNDER_WAY:
            yield Change("the switch is lost", world._replace(switch="lost"))
        if world.switch == "requested":
            yield Change("the provider refuses the switch", world._replace(switch="refused"))
            if world.caller == "primary":
                moved = world._replace(switch="executed", caller="consultation")
                yield Change("the provider moves the caller", moved)

    def _return(self, world: World) -> Iterator[Change]:
        if "return_caller" in world.sent:
            if world.switch == "idle" and self.behaviour.return_forbids_switch:
                yield Change("the return forbids the switch", world._replace(switch="forbidden"))
            if world.caller == "consultation" and world.return_move == "idle":
                yield Change("the gateway claims the return", world._replace(return_move="claimed"))
            yield from self._retry_return(world)
        if world.return_move == "claimed":
            yield Change("the gateway requests the return", world._replace(return_move="requested"))
        if world.return_move in UNDER_WAY:
            yield Change("the return is lost", world._replace(return_move="lost"))
        if world.return_move == "requested":
            yield Change("the provider refuses the return", world._replace(return_move="refused"))
            if world.caller == "consultation":
                moved = world._replace(return_move="executed", caller="returned")
                yield Change("the provider moves the caller back", moved)

    def _retry_return(self, world: World) -> Iterator[Change]:
        """Try a return that was not executed a second time."""
        may_retry = world.return_move in ("lost", "refused") or (
            world.return_move in UNDER_WAY and not self.behaviour.return_is_not_raced
        )
        if world.caller == "consultation" and may_retry and not world.return_retried:
            raced = world.return_move in UNDER_WAY
            yield Change(
                "the gateway claims another return",
                world._replace(return_move="twice" if raced else "claimed", return_retried=True),
            )

    def _rescue(self, world: World) -> Iterator[Change]:
        """Rescue a caller whose leg is up and who is not with the supervisor."""
        if "rescue_caller" in world.sent and world.rescue == "idle" and self.needs_rescue(world):
            hung_up = world.caller == "hung_up"
            yield Change(
                "the gateway requests the rescue",
                world._replace(rescue="claimed"),
                violation="I30: a caller who hung up was rescued" if hung_up else "",
            )
        if "rescue_caller" in world.sent and world.rescue == "claimed":
            # Only without a claim is the command not spent.
            yield Change("the gateway requests another rescue", world._replace(rescue="twice"))

    def needs_rescue(self, world: World) -> bool:
        if not self.behaviour.rescue_checks_legs:
            return True
        if world.caller == "consultation":
            return world.leg_down
        return world.caller != "hung_up"

    def caller_is_returned(self, world: World) -> bool:
        """Return True if the caller is in the primary room as far as `ReturnCaller` can tell.

        Then the gateway may reply that the caller is up.
        """
        if world.return_move == "executed" or world.switch in NOT_EXECUTED:
            return True
        if world.switch == "idle":
            return not self.behaviour.return_forbids_switch
        return world.switch in UNDER_WAY and not self.behaviour.return_waits_for_switch
