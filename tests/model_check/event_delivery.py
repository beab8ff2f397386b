"""What can be told to the coordinator in a world, and what its decision does to that world.

A fact is true for good once it is true, so it can be told at once, later, twice, or after what came after
it. That an answer is awaited at all is the machine's own affair (`events.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from warmxfer.actors.coordinator.state_machine import Stage, Transfer

from .events import BREAKS, BRIDGE, HANG_UPS, LOSSES, LOST_DEADLINE, SIGHTINGS, SYMBOLS
from .house import House
from .machine import Step
from .state_reduction import tidy
from .world import UNDER_WAY, Move, World

Fact = Callable[[House, World], bool]

ALWAYS: Fact = lambda house, world: True  # noqa: E731
NEVER: Fact = lambda house, world: False  # noqa: E731
"""What our gateway does not answer to that command."""

TRUE_WHEN: dict[str, Fact] = {
    "held": lambda house, world: world.proxy in ("holding", "let_go", "closed"),
    "room created": lambda house, world: world.room != "none",
    "agent joined": lambda house, world: world.agent == "in",
    "dialed": lambda house, world: world.dial in ("made", "late", "twice"),
    "supervisor heard": lambda house, world: world.leg in ("up", "down"),
    "supervisor joined the room": lambda house, world: world.leg in ("up", "down"),
    "supervisor left the room": lambda house, world: world.leg == "down",
    "supervisor's call ended": lambda house, world: world.leg_down,
    "supervisor says yes": lambda house, world: world.said == "yes",
    "supervisor says no": lambda house, world: world.said == "no",
    "answering machine": lambda house, world: world.said == "machine",
    "legs checked: caller gone": lambda house, world: world.caller == "hung_up",
    "legs checked: supervisor gone": lambda house, world: world.leg_down,
    "legs checked: caller at home": lambda house, world: world.caller in ("primary", "home"),
    "legs checked: caller alone": lambda house, world: world.switch == "made" and world.leg_down,
    "legs checked: caller with the supervisor": lambda house, world: world.switch == "made",
    "switched": lambda house, world: world.switch == "made",
    "caller seen with the supervisor": lambda house, world: world.switch == "made",
    "caller heard with the supervisor": lambda house, world: world.switch == "made",
    "caller left the supervisor": lambda house, world: (
        world.switch == "made" and world.caller != "consultation"
    ),
    "caller left the primary room": lambda house, world: world.caller == "hung_up" or world.switch == "made",
    "caller's call ended": lambda house, world: world.caller == "hung_up",
    "returned": lambda house, world: house.caller_is_home(world),
    "returned: caller gone": lambda house, world: world.caller == "hung_up",
    "released": lambda house, world: world.proxy == "released",
    "released by the session itself": lambda house, world: world.proxy == "let_go",
    "session closed": lambda house, world: world.proxy in ("closed", "closed_early"),
    "call ended": lambda house, world: world.leg_down,
    "call ended: there was none": lambda house, world: (
        world.leg == "none" and world.dial not in ("lost", *UNDER_WAY) and house.leg_is_down(world)
    ),
    "call ended: none to be seen": lambda house, world: (
        world.dial in ("lost", "late") or (world.dial in UNDER_WAY and house.leg_is_down(world))
    ),
    "agent left": lambda house, world: world.agent == "left",
    "room closed": lambda house, world: world.room == "closed",
    "switch_caller failed: refused": lambda house, world: world.switch == "refused",
    "switch_caller failed: called_off": lambda house, world: world.switch == "forbidden",
    "switch_caller failed: caller_gone": lambda house, world: world.caller == "hung_up",
    "switch_caller failed: supervisor_gone": lambda house, world: (
        world.leg_down
        and (world.switch in ("forbidden", "refused") or not house.habits.refusal_forbids_switch)
    ),
    "return_caller failed: refused": lambda house, world: world.back == "refused" and world.back_again,
    "return_caller failed: caller_gone": NEVER,
    "return_caller failed: supervisor_gone": NEVER,
    "return_caller failed: called_off": NEVER,
}
"""Every other symbol may be told at any time: a cancel, a failure, a question's answer."""
assert TRUE_WHEN.keys() <= {symbol.name for symbol in SYMBOLS}

RETURN_ANSWERED = frozenset(
    {
        "returned",
        "returned: caller gone",
        "return_caller failed: refused",
        "return_caller failed: unknown",
        "return_caller failed: broken",
    }
)
"""What settles a `ReturnCaller`: nobody owes an answer to it any more."""
assert {symbol.name for symbol in SYMBOLS} > RETURN_ANSWERED

UNSURE = frozenset(
    {
        "dialed",
        "room created",
        "caller seen with the supervisor",
        "caller heard with the supervisor",
        *SIGHTINGS,
    }
)
"""What a gateway that dies never tells, nor anybody for it; and what only a webhook would."""

EFFECTIVE = frozenset(
    {
        "hold_caller",
        "release_caller",
        "leave_call",
        "create_room",
        "close_room",
        "dial_supervisor",
        "end_call",
        "switch_caller",
        "return_caller",
        "join_consultation",
        "brief_supervisor",
        "leave_consultation",
    }
)
"""Commands that do something in the world; the others are questions."""


class Effect(NamedTuple):
    """What of a record matters to the world: many steps of the machine have the same effect."""

    sent: frozenset[str]
    stage: Stage
    sets_timer: bool = False
    spends_timer: bool = False
    """It fired, or is cancelled."""
    loss: bool = False
    sighting: bool = False
    hang_up: bool = False
    return_answered: bool = False


class Telling:
    """Worlds by number, what can happen and be told in each, and where it leads. All of it is remembered."""

    def __init__(self, house: House) -> None:
        self.worlds: list[World] = []
        self._house = house
        self._numbers: dict[World, int] = {}
        self._moves: dict[int, list[tuple[Move, int]]] = {}
        self._untold: dict[int, frozenset[str]] = {}
        self._effects: dict[int, Effect] = {}
        self._after: dict[tuple[int, Effect], int] = {}

    def first(self, outbox: tuple[str, ...]) -> int:
        """The world once the first record was sent."""
        begun = Effect(EFFECTIVE.intersection(outbox), Stage.PREPARING, sets_timer=True)
        return self._apply(self._number(World()), begun)

    def moves(self, world: int) -> list[tuple[Move, int]]:
        """What may happen next outside the coordinator, and the world it leads to."""
        if world not in self._moves:
            moves = self._house.moves(self.worlds[world])
            self._moves[world] = [(move, self._number(move.world)) for move in moves]
        return self._moves[world]

    def decided(self, world: int, step: Step, led_to: Transfer) -> tuple[int, ...]:
        """The worlds that may come of a record, written because of something told."""
        if step.symbol.name in self._untellable(world):
            return ()
        effect = self._effect(step, led_to)
        if self._house.habits.outbox_is_sent_again or not step.outbox:
            return (self._apply(world, effect),)
        unsent = effect._replace(sent=frozenset(), sets_timer=False)
        return self._apply(world, effect), self._apply(world, unsent)

    def obliged(self, world: int, step: Step) -> bool:
        """True when this will be told sooner or later; what was told once may never be told again."""
        now, name = self.worlds[world], step.symbol.name
        if name in HANG_UPS:
            return not now.told_gone
        if name in RETURN_ANSWERED:
            return "return_caller" in now.sent
        return name not in UNSURE and name not in BREAKS

    def _untellable(self, world: int) -> frozenset[str]:
        if world not in self._untold:
            now = self.worlds[world]
            untrue = {name for name, true in TRUE_WHEN.items() if not true(self._house, now)}
            timers = {LOST_DEADLINE, *(each.name for each in SYMBOLS if each.is_time)}
            self._untold[world] = frozenset(untrue if now.timer else untrue | timers)
        return self._untold[world]

    def _effect(self, step: Step, led_to: Transfer) -> Effect:
        if id(step) not in self._effects:
            self._effects[id(step)] = Effect(
                sent=EFFECTIVE.intersection(step.outbox),
                stage=led_to.stage,
                sets_timer="set_timer" in step.outbox,
                spends_timer=led_to.timer_due_at is None
                or step.symbol.is_time
                or step.symbol.name == LOST_DEADLINE,
                loss=step.symbol.name in LOSSES,
                sighting=step.symbol.name in SIGHTINGS,
                hang_up=step.symbol.name in HANG_UPS,
                return_answered=step.symbol.name in RETURN_ANSWERED,
            )
        return self._effects[id(step)]

    def _apply(self, world: int, effect: Effect) -> int:
        after = self._after.get((world, effect))
        if after is None:
            after = self._after[world, effect] = self._number(self._applied(self.worlds[world], effect))
        return after

    def _applied(self, world: World, effect: Effect) -> World:
        stage = effect.stage
        after = world._replace(
            sent=(world.sent - {"return_caller"} if effect.return_answered else world.sent) | effect.sent,
            timer=effect.sets_timer or (world.timer and not effect.spends_timer),
            stage=stage,
            told_lost=(world.told_lost or effect.loss) if stage in BRIDGE else world.told_lost,
            told_up=world.told_up or effect.sighting,
            told_gone=world.told_gone or effect.hang_up,
        )
        return tidy(after, self._house.habits)

    def _number(self, world: World) -> int:
        number = self._numbers.get(world)
        if number is None:
            number = self._numbers[world] = len(self.worlds)
            self.worlds.append(world)
        return number
