"""`step`: the one function through which a transfer changes.

Pure: no await, no clock, no ids, no randomness, no I/O. The same state, event and time give the same
outcome, so a log of records replays to the same state in this and every later version.
"""

from __future__ import annotations

from msgspec import Struct

from warmxfer.schemas import AnyEvent, CallerReleased, CommandReply, DeadlinePassed
from warmxfer.schemas.errors import InternalError
from warmxfer.schemas.events import TransferBroken, TransferRefused, TransferRequested

from .record import Output, SetTimer
from .state import Stage, Transfer
from .step_context import StepContext
from .transitions import ACCEPTED_WHEN_LATE, TRANSITIONS

TIMER_SLACK_S = 0.05
"""A timer that is set to fire this little later than needed is left as it is."""

TIMER_LOST_AFTER_S = 10.0
"""A timer of which nobody heard so long after its time is lost: what happens next sets it again. Should it
come after all, as it may after an outage, the other one finds nothing left to do."""


class Applied(Struct, frozen=True):
    """The event took effect: the new state, and what goes out because of it."""

    state: Transfer
    outbox: list[Output]


class Ignored(Struct, frozen=True):
    """The event changes nothing: it is late, repeated, or not about this stage."""

    why: str


def step(state: Transfer | None, event: AnyEvent, now: float) -> Applied | Ignored:
    """What `event`, stored by the broker at `now`, makes of `state` (None: no record yet).

    Raises `Broken` when a handler leads where the table does not say: a bug, never a user's doing.
    """
    stage = state.stage if state else Stage.NEW
    rule = TRANSITIONS.get((stage, type(event)))
    if rule is None:
        return Ignored(f"{type(event).__name__} has no effect in {stage.value}")
    turn = StepContext(state or _blank(event, now), now)
    if isinstance(event, DeadlinePassed):
        turn.now = max(now, event.due_at)
        _clear_timer(turn, event)
    elif isinstance(event, CommandReply | CallerReleased) and event.command_id is not None:
        turn.replied_to = turn.state.pending.pop(event.command_id, None)
        if turn.replied_to is None and type(event) not in ACCEPTED_WHEN_LATE:
            return Ignored(f"nobody awaits {type(event).__name__} in {stage.value}")
        if turn.replied_to is None and not (stage.ended or stage is Stage.UNWINDING):
            return Ignored(f"{type(event).__name__} was answered before")
    rule.handler(turn, event)
    if turn.state.stage not in rule.to:
        raise InternalError(f"{type(event).__name__} led from {stage.value} to {turn.state.stage.value}")
    _schedule_timer(turn)
    if turn.state == state and not turn.outbox:
        return Ignored(f"{type(event).__name__} says nothing new in {stage.value}")
    turn.state.seq += 1
    return Applied(turn.state, turn.outbox)


def _blank(event: AnyEvent, now: float) -> Transfer:
    if not isinstance(event, TransferRequested | TransferRefused | TransferBroken):
        raise InternalError(f"{type(event).__name__} cannot begin a transfer")
    return Transfer(id=event.transfer_id, stage=Stage.NEW, started_at=now)


def _clear_timer(turn: StepContext, event: DeadlinePassed) -> None:
    armed_at = turn.state.timer_due_at
    if armed_at is not None and event.due_at >= armed_at - TIMER_SLACK_S:
        turn.state.timer_due_at = None


def _schedule_timer(turn: StepContext) -> None:
    """Keep the one durable timer set to the earliest of all waits; a later one is left to fire early."""
    state = turn.state
    waits = [each.due_at for each in state.pending.values()]
    waits += [due for due in (state.stage_due_at, state.check_due_at) if due is not None]
    if not waits:
        state.timer_due_at = None
        return
    due_at, armed_at = min(waits), state.timer_due_at
    if armed_at is not None and turn.now > armed_at + TIMER_LOST_AFTER_S:
        # As of now, though it may be long due: or each event until it fires would set it once more.
        armed_at, due_at = None, max(due_at, turn.now)
    if armed_at is None or (turn.now < armed_at and due_at < armed_at - TIMER_SLACK_S):
        state.timer_due_at = due_at
        turn.outbox.append(SetTimer(due_at))
