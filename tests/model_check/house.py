"""How the actors, the provider and the people behave: from one world, every next one.

The gateway is the one of its specification, and nothing more generous: it claims before it asks, looks up
instead of asking again, and forbids what it ends.
"""

from __future__ import annotations

from collections.abc import Iterator

from .expected_behaviour import Habits
from .state_reduction import TALK, tidy
from .world import NOT_MADE, UNDER_WAY, Move, World


class House:
    """Everybody but the coordinator."""

    def __init__(self, habits: Habits) -> None:
        self.habits = habits

    def moves(self, world: World) -> list[Move]:
        """Everything that may happen next outside the coordinator."""
        parts = (self._proxy, self._agent, self._people, self._room, self._dial, self._switch, self._back)
        return [move._replace(world=tidy(move.world, self.habits)) for part in parts for move in part(world)]

    # ── the actors beside the gateway ────────────────────────────────────────────────────────────

    def _proxy(self, world: World) -> Iterator[Move]:
        again = world.proxy == "released" and not self.habits.level_is_fenced
        if "hold_caller" in world.sent and (world.proxy == "talking" or again):
            yield Move("the proxy holds the caller", world._replace(proxy="holding"))
        if "release_caller" in world.sent and world.proxy in ("talking", "holding", "let_go"):
            yield Move(
                "the proxy releases the caller", world._replace(proxy="released").without("release_caller")
            )
        if "leave_call" in world.sent:
            yield Move("the AI session leaves", world._replace(proxy="left"))
        if world.proxy == "holding":
            yield Move("the proxy's lease runs out", world._replace(proxy="let_go"), people=True)
        if world.proxy == "holding":
            yield Move("the AI session closes", world._replace(proxy="closed"), people=True)
        if world.proxy == "talking":
            yield Move("the AI session closes early", world._replace(proxy="closed_early"), people=True)

    def _agent(self, world: World) -> Iterator[Move]:
        if "join_consultation" in world.sent and world.agent == "out":
            yield Move("the agent joins", world._replace(agent="in"))
        if "leave_consultation" in world.sent:
            how = "leaves" if world.agent == "in" else "stays away"
            yield Move(f"the agent {how}", world._replace(agent="left"))

    def _room(self, world: World) -> Iterator[Move]:
        if "create_room" in world.sent:
            yield Move("the gateway opens the room", world._replace(room="open"))
        if "close_room" in world.sent and world.room != "closed":
            thrown_out = world.caller == "consultation"
            yield Move(
                "the gateway closes the room",
                world._replace(room="closed").without("close_room"),
                broken="the room was closed with the caller in it" if thrown_out else "",
            )
            yield Move("the provider refuses to close the room", world.without("close_room"), people=True)

    def _people(self, world: World) -> Iterator[Move]:
        if world.caller != "hung_up":
            yield Move("the caller hangs up", world._replace(caller="hung_up"), people=True)
        if world.leg == "ringing":
            yield Move("the supervisor answers", world._replace(leg="up"), people=True)
            yield Move("the supervisor does not answer", world._replace(leg="unheard"), people=True)
        if world.leg == "up":
            yield Move("the supervisor hangs up", world._replace(leg="down"), people=True)
        if world.stage in TALK and world.leg == "up" and world.agent == "in" and not world.said:
            yield Move("a machine talks to the agent", world._replace(said="machine"), people=True)
            yield Move("the supervisor says no", world._replace(said="no"), people=True)
            if "brief_supervisor" in world.sent:
                yield Move("the supervisor says yes", world._replace(said="yes"), people=True)

    # ── the gateway and the provider ─────────────────────────────────────────────────────────────

    def _dial(self, world: World) -> Iterator[Move]:
        yield from self._dial_begins(world)
        if world.dial == "claimed":
            yield Move("the gateway asks for the dial", world._replace(dial="asked"))
        if world.dial in UNDER_WAY:
            yield Move("the dial is lost", world._replace(dial="lost"))
        if world.dial == "asked":
            yield Move("the provider dials", world._replace(dial="made", leg="ringing"))
            yield Move("the provider refuses the dial", world._replace(dial="refused"))
        if world.dial == "lost":
            yield Move(
                "the provider dials after all", world._replace(dial="late", leg="ringing"), people=True
            )
        yield from self._end_call(world)

    def _dial_begins(self, world: World) -> Iterator[Move]:
        if "dial_supervisor" in world.sent and world.dial == "idle":
            yield Move("the gateway claims the dial", world._replace(dial="claimed"))
            yield Move("the gateway finds the dial expired", world._replace(dial="forbidden"))
        repeated = "dial_supervisor" in world.sent and not self.habits.dial_is_claimed
        doubted = world.dial == "made" and not self.habits.doubt_is_looked_up
        if (repeated and world.dial == "made") or doubted:
            how = (
                "the dial timed out: the gateway asks again"
                if doubted
                else "a second gateway asks for the dial"
            )
            yield Move(f"{how}, and the provider dials again", world._replace(dial="twice"))

    def _end_call(self, world: World) -> Iterator[Move]:
        if "end_call" not in world.sent:
            return
        if world.dial == "idle" and self.habits.end_forbids_dial:
            yield Move("the gateway forbids the dial", world._replace(dial="forbidden"))
        if world.leg_up:
            alone = world.caller == "consultation"
            yield Move(
                "the gateway ends the supervisor's leg",
                world._replace(leg="down" if world.leg == "up" else "unheard"),
                broken="I4: the supervisor was taken from a caller who is with them" if alone else "",
            )
        if self.leg_is_down(world):
            yield Move("the gateway is done with EndCall", world.without("end_call"))

    def leg_is_down(self, world: World) -> bool:
        """As far as `EndCall` can tell: when it may be answered."""
        if world.dial == "idle":
            return not self.habits.end_forbids_dial
        if world.dial in UNDER_WAY:
            return not self.habits.end_waits_for_dial
        return not world.leg_up

    def _switch(self, world: World) -> Iterator[Move]:
        if "switch_caller" in world.sent and world.switch == "idle":
            yield Move("the gateway claims the switch", world._replace(switch="claimed"))
            yield Move("the gateway forbids the switch", world._replace(switch="forbidden"))
        if world.switch == "claimed":
            yield Move("the gateway asks for the switch", world._replace(switch="asked"))
        if world.switch in UNDER_WAY:
            yield Move("the switch is lost", world._replace(switch="lost"))
        if world.switch == "asked":
            yield Move("the provider refuses the switch", world._replace(switch="refused"))
            if world.caller == "primary":
                moved = world._replace(switch="made", caller="consultation")
                yield Move("the provider moves the caller", moved)

    def _back(self, world: World) -> Iterator[Move]:
        if "return_caller" in world.sent:
            if world.switch == "idle" and self.habits.return_forbids_switch:
                yield Move("the return forbids the switch", world._replace(switch="forbidden"))
            if world.caller == "consultation" and world.back == "idle":
                yield Move("the gateway claims the return", world._replace(back="claimed"))
            yield from self._back_again(world)
        if world.back == "claimed":
            yield Move("the gateway asks for the return", world._replace(back="asked"))
        if world.back in UNDER_WAY:
            yield Move("the return is lost", world._replace(back="lost"))
        if world.back == "asked":
            yield Move("the provider refuses the return", world._replace(back="refused"))
            if world.caller == "consultation":
                moved = world._replace(back="made", caller="home")
                yield Move("the provider moves the caller back", moved)

    def _back_again(self, world: World) -> Iterator[Move]:
        """What came to nothing is tried once more."""
        in_vain = world.back in ("lost", "refused") or (
            world.back in UNDER_WAY and not self.habits.return_is_not_raced
        )
        if world.caller == "consultation" and in_vain and not world.back_again:
            raced = world.back in UNDER_WAY
            yield Move(
                "the gateway claims another return",
                world._replace(back="twice" if raced else "claimed", back_again=True),
            )

    def caller_is_home(self, world: World) -> bool:
        """As far as `ReturnCaller` can tell: when it may be answered with the caller up."""
        if world.back == "made" or world.switch in NOT_MADE:
            return True
        if world.switch == "idle":
            return not self.habits.return_forbids_switch
        return world.switch in UNDER_WAY and not self.habits.return_waits_for_switch
