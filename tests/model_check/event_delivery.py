"""Which events can be delivered to the coordinator in a world, and what its record does to that world.

A condition that became true stays true. So an event that reports it can be delivered at once, later, twice,
or after later events. Whether a reply is awaited at all is a matter of the state machine (`events.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from warmxfer.actors.coordinator.state_machine import Stage, Transfer

from .abstract_machine import COMPLETE, Step, admitted_effects, has_open_check
from .environment import Environment
from .events import (
    ABSTRACT_EVENTS,
    BRIDGE,
    CALLER_HANG_UPS,
    CALLER_SEEN,
    CHECKED,
    DEAD_LETTERS,
    LOST_DEADLINE,
    SUPERVISOR_LOST,
    SUPERVISOR_SEEN,
)
from .state_reduction import reduce_world
from .world import UNDER_WAY, Change, World

Condition = Callable[[Environment, World], bool]

NEVER: Condition = lambda environment, world: False  # noqa: E731
"""Condition of replies that our gateway does not give to that command."""

CONDITIONS: dict[str, Condition] = {
    "held": lambda environment, world: world.session in ("holding", "lease_expired", "closed"),
    "room created": lambda environment, world: world.room != "none",
    "agent joined": lambda environment, world: world.agent == "in",
    "dialed": lambda environment, world: world.dial in ("executed", "late", "twice"),
    "supervisor audio enabled": lambda environment, world: world.leg in ("up", "down"),
    "supervisor joined the room": lambda environment, world: world.leg in ("up", "down"),
    "supervisor left the room": lambda environment, world: world.leg == "down",
    "supervisor's call ended": lambda environment, world: world.leg_down,
    "supervisor says yes": lambda environment, world: world.answer == "yes",
    "supervisor says no": lambda environment, world: world.answer == "no",
    "answering machine": lambda environment, world: world.answer == "machine",
    "legs checked: caller gone": lambda environment, world: world.caller == "hung_up" or world.check_is_old,
    "legs checked: supervisor gone": lambda environment, world: world.leg_down or world.check_is_old,
    "legs checked: caller in primary room": lambda environment, world: (
        world.caller in ("primary", "returned")
    ),
    "legs checked: caller alone": lambda environment, world: world.switch == "executed" and world.leg_down,
    "legs checked: caller with supervisor": lambda environment, world: (
        world.check == "both_up" if world.stage in CHECKED else world.switch == "executed"
    ),
    "switched": lambda environment, world: world.switch == "executed",
    "caller joined the consultation room": lambda environment, world: world.switch == "executed",
    "caller audio enabled in the consultation room": lambda environment, world: world.switch == "executed",
    "caller left the consultation room": lambda environment, world: (
        world.switch == "executed" and world.caller != "consultation"
    ),
    "caller left the primary room": lambda environment, world: (
        world.caller == "hung_up" or world.switch == "executed"
    ),
    "caller's call ended": lambda environment, world: world.caller == "hung_up",
    "returned": lambda environment, world: environment.caller_is_returned(world),
    "returned: caller gone": lambda environment, world: world.caller == "hung_up",
    "released": lambda environment, world: world.session == "released",
    "released: lease expired": lambda environment, world: world.session == "lease_expired",
    "released: session closed": lambda environment, world: world.session in ("closed", "closed_early"),
    "rescued": lambda environment, world: world.rescue == "claimed",
    "rescue_caller failed: caller_gone": lambda environment, world: world.caller == "hung_up",
    "rescue_caller failed: called_off": lambda environment, world: (
        world.switch == "executed" and world.leg in ("up", "down")
    ),
    "released: new transfer": lambda environment, world: world.session == "taken",
    "call ended": lambda environment, world: world.leg_down,
    "call ended: no call existed": lambda environment, world: (
        world.leg == "none" and world.dial not in ("lost", *UNDER_WAY) and environment.leg_is_down(world)
    ),
    "call ended: outcome unknown": lambda environment, world: (
        world.dial in ("lost", "late") or (world.dial in UNDER_WAY and environment.leg_is_down(world))
    ),
    "agent left": lambda environment, world: world.agent == "left",
    "room closed": lambda environment, world: world.room == "closed",
    "switch_caller failed: refused": lambda environment, world: world.switch == "refused",
    "switch_caller failed: called_off": lambda environment, world: world.switch == "forbidden",
    "switch_caller failed: caller_gone": lambda environment, world: world.caller == "hung_up",
    "switch_caller failed: supervisor_gone": lambda environment, world: (
        world.leg_down
        and (world.switch in ("forbidden", "refused") or not environment.behaviour.refusal_forbids_switch)
    ),
    "return_caller failed: refused": lambda environment, world: (
        world.return_move == "refused" and world.return_retried
    ),
    "return_caller failed: caller_gone": NEVER,
    "return_caller failed: supervisor_gone": NEVER,
    "return_caller failed: called_off": NEVER,
}
"""When an event can be delivered. An event without an entry can come at any time: a cancel, a failure, a
reply to a question."""
assert CONDITIONS.keys() <= {event.name for event in ABSTRACT_EVENTS}

RETURN_SETTLED = frozenset(
    {
        "returned",
        "returned: caller gone",
        "return_caller failed: refused",
        "return_caller failed: unknown",
        "return_caller failed: broken",
    }
)
"""Events that settle a `ReturnCaller`: no further reply to it is due."""
assert {event.name for event in ABSTRACT_EVENTS} > RETURN_SETTLED

NOT_GUARANTEED = frozenset(
    {
        "dialed",
        "rescued",
        "room created",
        "caller joined the consultation room",
        "caller audio enabled in the consultation room",
        *SUPERVISOR_SEEN,
    }
)
"""Replies that a crashed gateway never sends, and events that only a webhook reports."""

WITH_EFFECT = frozenset(
    {
        "hold_caller",
        "release_caller",
        "rescue_caller",
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
"""Commands that change the world; the others only ask."""


class RecordEffect(NamedTuple):
    """What a record changes in the world. Many steps of the state machine have the same effect."""

    sent: frozenset[str]
    stage: Stage
    sets_timer: bool = False
    clears_timer: bool = False
    """The timer fired, or is cancelled."""
    reports_loss: bool = False
    reports_presence: bool = False
    reports_hang_up: bool = False
    settles_return: bool = False
    asks_for_check: bool = False
    leaves_old_check: bool = False
    """A leg was seen, and the leg check that was asked for before may still decide."""
    must_be_checked: bool = False
    """Completes the transfer, and does not admit that the legs were not confirmed."""


class EventDelivery:
    """Worlds by number, and what can happen and be delivered in each. Results are cached."""

    def __init__(self, environment: Environment) -> None:
        self.worlds: list[World] = []
        self._environment = environment
        self._numbers: dict[World, int] = {}
        self._changes: dict[int, list[tuple[Change, int]]] = {}
        self._undeliverable: dict[int, frozenset[str]] = {}
        self._effects: dict[int, RecordEffect] = {}
        self._after: dict[tuple[int, RecordEffect], int] = {}

    def first(self, outbox: tuple[str, ...]) -> int:
        """Return the world after the first record was published."""
        requested = RecordEffect(WITH_EFFECT.intersection(outbox), Stage.PREPARING, sets_timer=True)
        return self._apply(self._number(World()), requested)

    def changes(self, world: int) -> list[tuple[Change, int]]:
        """Return what may happen next outside the coordinator, each with the world after it."""
        if world not in self._changes:
            changes = self._environment.changes(self.worlds[world])
            self._changes[world] = [(change, self._number(change.world)) for change in changes]
        return self._changes[world]

    def deliver(self, world: int, step: Step, after: Transfer) -> tuple[int, ...]:
        """Return the worlds that may follow the record of `step`; none if its event cannot be delivered."""
        if step.event.name in self._undeliverable_in(world):
            return ()
        effect = self._effect(step, after)
        if self._environment.behaviour.outbox_is_sent_again or not step.outbox:
            return (self._apply(world, effect),)
        unpublished = effect._replace(sent=frozenset(), sets_timer=False)
        return self._apply(world, effect), self._apply(world, unpublished)

    def is_guaranteed(self, world: int, step: Step) -> bool:
        """Return True if the event comes sooner or later. An event that came once may never come again."""
        now, name = self.worlds[world], step.event.name
        if name in CALLER_HANG_UPS:
            return not now.hang_up_reported
        if name in RETURN_SETTLED:
            return "return_caller" in now.sent
        return name not in NOT_GUARANTEED and name not in DEAD_LETTERS

    def _undeliverable_in(self, world: int) -> frozenset[str]:
        if world not in self._undeliverable:
            now = self.worlds[world]
            untrue = {name for name, holds in CONDITIONS.items() if not holds(self._environment, now)}
            deadlines = {LOST_DEADLINE, *(each.name for each in ABSTRACT_EVENTS if each.is_deadline)}
            self._undeliverable[world] = frozenset(untrue if now.timer else untrue | deadlines)
        return self._undeliverable[world]

    def _effect(self, step: Step, after: Transfer) -> RecordEffect:
        if id(step) not in self._effects:
            name = step.event.name
            self._effects[id(step)] = RecordEffect(
                sent=WITH_EFFECT.intersection(step.outbox),
                stage=after.stage,
                sets_timer="set_timer" in step.outbox,
                clears_timer=after.timer_due_at is None or step.event.is_deadline or name == LOST_DEADLINE,
                reports_loss=name in SUPERVISOR_LOST,
                reports_presence=name in SUPERVISOR_SEEN,
                reports_hang_up=name in CALLER_HANG_UPS,
                settles_return=name in RETURN_SETTLED,
                asks_for_check="check_legs" in step.outbox,
                leaves_old_check=name in SUPERVISOR_SEEN | CALLER_SEEN and has_open_check(after),
                must_be_checked=_must_be_checked(after),
            )
        return self._effects[id(step)]

    def _apply(self, world: int, effect: RecordEffect) -> int:
        after = self._after.get((world, effect))
        if after is None:
            after = self._after[world, effect] = self._number(self._applied(self.worlds[world], effect))
        return after

    def _applied(self, world: World, effect: RecordEffect) -> World:
        stage = effect.stage
        completes = effect.must_be_checked and not world.stage.ended
        alone = effect.reports_loss and world.stage is Stage.GUARDING
        after = world._replace(
            check="asked" if effect.asks_for_check else world.check,
            check_is_old=not effect.asks_for_check and (effect.leaves_old_check or world.check_is_old),
            unchecked=completes and world.check != "both_up",
            alone_reported=world.alone_reported or alone,
            sent=(world.sent - {"return_caller"} if effect.settles_return else world.sent) | effect.sent,
            timer=effect.sets_timer or (world.timer and not effect.clears_timer),
            stage=stage,
            loss_reported=(
                (world.loss_reported or effect.reports_loss) if stage in BRIDGE else world.loss_reported
            ),
            presence_reported=world.presence_reported or effect.reports_presence,
            hang_up_reported=world.hang_up_reported or effect.reports_hang_up,
        )
        return reduce_world(after, self._environment.behaviour)

    def _number(self, world: World) -> int:
        number = self._numbers.get(world)
        if number is None:
            number = self._numbers[world] = len(self.worlds)
            self.worlds.append(world)
        return number


def _must_be_checked(after: Transfer) -> bool:
    """Return whether this complete transfer claims that both legs were checked.

    A transfer that a version without this check admitted claims nothing.
    """
    assert after.request is not None
    if after.stage not in COMPLETE or after.decision is None or after.request.config.bridge_guard_s is None:
        return False
    return "legs" not in admitted_effects(after.decision)
