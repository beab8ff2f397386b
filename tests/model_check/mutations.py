"""What an ordinary implementation would do instead, one mistake at a time: the check must find each.

A mistake of an actor is a habit unlearned; a mistake of the machine is a row or a handler replaced in the
product's own code, for as long as the mutation lasts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from warmxfer.actors.coordinator.state_machine import (
    CallerPlace,
    RoomStatus,
    Stage,
    bridge,
    cleanup,
    failures,
    late_events,
    leg_checks,
)
from warmxfer.actors.coordinator.state_machine.command_policy import POLICY
from warmxfer.actors.coordinator.state_machine.step_context import StepContext
from warmxfer.actors.coordinator.state_machine.transitions import TRANSITIONS, Handler, Transition
from warmxfer.schemas import (
    CallerSwitched,
    CloseRoom,
    Command,
    DeadlinePassed,
    Event,
    LeaveCall,
    LeaveConsultation,
    Outcome,
    SupervisorCallEnded,
    SwitchCaller,
    TransferBroken,
)

from .expected_behaviour import Habits

Patch = Callable[[], AbstractContextManager[Any]]


@dataclass(frozen=True)
class Mutation:
    """`promise`: the one that must be found broken."""

    mistake: str
    promise: str
    habits: Habits = field(default_factory=Habits)
    patches: tuple[Patch, ...] = ()

    @contextmanager
    def made(self) -> Iterator[None]:
        """For as long as it lasts, the product's code has the mistake in it."""
        with ExitStack() as patches:
            for make in self.patches:
                patches.enter_context(make())
            yield


def _nothing(*_: Any, **__: Any) -> None:
    """A handler that was forgotten."""


def _replaced(module: Any, name: str, value: Any) -> Patch:
    return lambda: patch.object(module, name, value)


def _both(name: str, value: Any) -> tuple[Patch, ...]:
    """A function of the clean-up, replaced for the late events too."""
    return _replaced(cleanup, name, value), _replaced(late_events, name, value)


def _without(events: tuple[type[Event], ...], *stages: Stage) -> Patch:
    """These rows are missing from the table."""
    kept = {
        stage: {event: row for event, row in rows.items() if stage not in stages or event not in events}
        for stage, rows in TRANSITIONS.items()
    }
    return lambda: patch.dict(TRANSITIONS, kept, clear=True)  # type: ignore[arg-type]


def _handled_by(handler: Handler, event: type[Event], stage: Stage, *more: Stage) -> Patch:
    """One row is handled otherwise, and may lead to `more` stages."""
    to = TRANSITIONS[stage][event].to | set(more)
    return lambda: patch.dict(TRANSITIONS[stage], {event: Transition(handler, to)})  # type: ignore[arg-type]


def _policy(command: type[Command], **changes: Any) -> Patch:
    """The row of this command says something else."""
    return lambda: patch.dict(POLICY, {command: POLICY[command]._replace(**changes)})  # type: ignore[arg-type]


def _give_up_at_once(turn: StepContext, command: type[Command]) -> None:
    cleanup.start_cleanup(turn, Outcome.GATEWAY_ABSENT, "No answer.")


def _close_anyway(turn: StepContext, *, awaited: bool = True) -> bool:
    if turn.state.room_id is None or turn.state.room.close_requested:
        return False
    turn.state.room = RoomStatus.CLOSING
    turn.send(CloseRoom, awaited=awaited, room_id=turn.state.room_id)
    return True


def _close_only_what_is_known(turn: StepContext, *, awaited: bool = True) -> bool:
    return turn.state.room_id is not None and _close_room(turn, awaited=awaited)


def _clear_away_instead(turn: StepContext, *, awaited: bool = True) -> None:
    if turn.state.stage.ended:
        late_events._caller_left_consultation(turn)
    else:
        _bring_back(turn, awaited=awaited)


def _only_when_over(turn: StepContext) -> None:
    if turn.state.stage.ended and not turn.state.caller.may_be_in_consultation:
        cleanup.end_supervisor_leg(turn, awaited=False)


def _look_for_the_leg(turn: StepContext) -> None:
    if turn.state.supervisor_leg.may_be_up:
        cleanup.end_supervisor_leg(turn, awaited=False)
    leg_checks.schedule_cleanup_check(turn)


def _complete_at_once(turn: StepContext, event: CallerSwitched) -> None:
    turn.state.caller = CallerPlace.MOVED
    bridge.complete(turn)


def _agent_is_gone(turn: StepContext) -> None:
    if not turn.state.awaits(LeaveConsultation):
        bridge.complete(turn)


def _forget_the_deadline(turn: StepContext, event: TransferBroken) -> None:
    failures.transfer_broken(
        turn, TransferBroken(transfer_id=event.transfer_id, kind="event", cause=event.cause)
    )


def _leave_at_once(turn: StepContext, event: CallerSwitched) -> None:
    bridge.caller_switched(turn, event)
    turn.send(LeaveCall, awaited=False)


_bring_back = cleanup.send_return
_close_room = cleanup.close_room
NOT_DONE = (Stage.CANCELLED, Stage.FAILED)

MUTATIONS = [
    # of the gateway
    Mutation("the dial is asked for without a claim", "I6", Habits(dial_is_claimed=False)),
    Mutation("a dial that timed out is asked for again", "I6", Habits(doubt_is_looked_up=False)),
    Mutation("EndCall does not forbid the dial", "I8", Habits(end_forbids_dial=False)),
    Mutation("EndCall does not wait for the dial", "I8", Habits(end_waits_for_dial=False)),
    Mutation("ReturnCaller does not forbid the switch", "I8", Habits(return_forbids_switch=False)),
    Mutation("ReturnCaller does not wait for the switch", "I8", Habits(return_waits_for_switch=False)),
    Mutation("two ways back are under way at once", "I7", Habits(return_is_not_raced=False)),
    Mutation("'supervisor gone' is answered unclaimed", "I8", Habits(refusal_forbids_switch=False)),
    # of the proxy and the coordinator
    Mutation("hold and release are not fenced", "I2", Habits(level_is_fenced=False)),
    Mutation("the state is written, then published", "I14", Habits(outbox_is_sent_again=False)),
    # of the machine
    Mutation(
        "unwinding does not end the supervisor's leg",
        "I8",
        patches=(
            _replaced(cleanup, "end_supervisor_leg", _nothing),
            _replaced(late_events, "end_supervisor_leg", _nothing),
        ),
    ),
    Mutation(
        "a switch nobody answered is given up at once",
        "I8",
        patches=(
            _policy(SwitchCaller, on_timeout=_give_up_at_once),
            _handled_by(failures.deadline_passed, DeadlinePassed, Stage.SWITCHING, Stage.UNWINDING),
        ),
    ),
    Mutation(
        "a move that was accepted is a success",
        "I3",
        patches=(_handled_by(_complete_at_once, CallerSwitched, Stage.SWITCHING, Stage.COMPLETED),),
    ),
    Mutation(
        "the AI leaves although nobody has told whether the caller is recorded",
        "I28",
        patches=(_replaced(bridge, "complete_if_handed_over", _agent_is_gone),),
    ),
    Mutation(
        "a supervisor who hangs up during the switch is not noticed",
        "I3",
        patches=(_without((SupervisorCallEnded,), Stage.SWITCHING),),
    ),
    Mutation(
        "the AI leaves as soon as the caller is moved",
        "I1",
        patches=(_handled_by(_leave_at_once, CallerSwitched, Stage.SWITCHING),),
    ),
    Mutation(
        "the room is closed wherever the caller is",
        "the room was closed",
        patches=_both("close_room", _close_anyway),
    ),
    Mutation(
        "a room that nobody told of is nobody's",
        "I16",
        patches=_both("close_room", _close_only_what_is_known),
    ),
    Mutation(
        "the supervisor is hung up on wherever the caller is",
        "I4",
        patches=(_replaced(CallerPlace, "may_be_in_consultation", property(lambda _: False)),),
    ),
    Mutation(
        "a deadline that nobody could handle is not set again",
        "I14",
        patches=(_handled_by(_forget_the_deadline, TransferBroken, Stage.UNWINDING),),
    ),
    Mutation("the caller is not released", "I2", patches=(_replaced(cleanup, "_release_caller", _nothing),)),
    Mutation(
        "nobody looks for a leg in doubt once it is over",
        "I16",
        patches=_both("schedule_cleanup_check", _nothing),
    ),
    Mutation(
        "nobody looks again for a caller who could not be brought back",
        "I2",
        patches=(
            _replaced(cleanup, "check_legs_after_end", _nothing),
            _without((SupervisorCallEnded,), *NOT_DONE),
        ),
    ),
    Mutation(
        "a caller who was at home is taken for one who stays there",
        "the room was closed",
        patches=(_replaced(late_events, "send_return", _clear_away_instead),),
    ),
    Mutation(
        "a room that could not be closed is closed by nobody",
        "I16",
        patches=(lambda: patch.dict(failures.ON_CHECK_DUE, dict.fromkeys(NOT_DONE, _look_for_the_leg)),),
    ),
    Mutation(
        "a leg seen while it is being ended is thought to be ended",
        "I16",
        patches=(_replaced(late_events, "_end_leg_again", _only_when_over),),
    ),
    Mutation(
        "what could not be confirmed is not admitted",
        "I8",
        patches=(_replaced(StepContext, "add_evidence", _nothing),),
    ),
]
