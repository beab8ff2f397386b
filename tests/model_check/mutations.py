"""Known mistakes of a usual implementation, one mutation each. The check must find every one.

A mistake of an actor switches off one expected behaviour. A mistake of the state machine replaces a row or a
handler in the product's own code while the mutation is applied.
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
    guard,
    late_events,
    leg_checks,
    participant_events,
    rescue,
    rescue_replies,
)
from warmxfer.actors.coordinator.state_machine.command_policy import POLICY
from warmxfer.actors.coordinator.state_machine.step_context import StepContext
from warmxfer.actors.coordinator.state_machine.transitions import TRANSITIONS, Handler, Transition
from warmxfer.schemas import (
    CallerReturned,
    CallerSwitched,
    CloseRoom,
    Command,
    CommandFailed,
    ConsultationLeft,
    DeadlinePassed,
    Event,
    LeaveCall,
    LeaveConsultation,
    LegsChecked,
    Outcome,
    RecordingStarted,
    RecordParticipant,
    ReleaseCaller,
    SupervisorCallEnded,
    SwitchCaller,
    TransferBroken,
)

from .expected_behaviour import ExpectedBehaviour

Patch = Callable[[], AbstractContextManager[Any]]


@dataclass(frozen=True)
class Mutation:
    """One known mistake."""

    mistake: str
    invariant: str
    """Beginning of the violation that the check must find."""
    behaviour: ExpectedBehaviour = field(default_factory=ExpectedBehaviour)
    patches: tuple[Patch, ...] = ()
    config: str = "overlap"
    """Configuration in which the mistake shows."""

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Patch the product's code with the mistake until the context ends."""
        with ExitStack() as patches:
            for make in self.patches:
                patches.enter_context(make())
            yield


def _do_nothing(*_: Any, **__: Any) -> None:
    """Stand in for a handler that was forgotten."""


def _always_true(*_: Any) -> bool:
    """Stand in for a condition that was forgotten."""
    return True


def _replaced(module: Any, name: str, value: Any) -> Patch:
    return lambda: patch.object(module, name, value)


def _replaced_in_cleanup(name: str, value: Any) -> tuple[Patch, ...]:
    """Replace a function of the clean-up, also where the late events call it."""
    return _replaced(cleanup, name, value), _replaced(late_events, name, value)


def _without(events: tuple[type[Event], ...], *stages: Stage) -> Patch:
    """Remove these rows from the table."""
    kept = {
        stage: {event: row for event, row in rows.items() if stage not in stages or event not in events}
        for stage, rows in TRANSITIONS.items()
    }
    return lambda: patch.dict(TRANSITIONS, kept, clear=True)  # type: ignore[arg-type]


def _handled_by(handler: Handler, event: type[Event], stage: Stage, *more: Stage) -> Patch:
    """Replace the handler of one row, and let it lead to `more` stages."""
    to = TRANSITIONS[stage][event].to | set(more)
    return lambda: patch.dict(TRANSITIONS[stage], {event: Transition(handler, to)})  # type: ignore[arg-type]


def _handed_over_by(handler: Callable[[StepContext], None]) -> tuple[Patch, ...]:
    """Replace what follows the replies of a handover, and let these replies complete the transfer."""
    return (
        _replaced(bridge, "complete_if_handed_over", handler),
        _handled_by(bridge.consultation_left, ConsultationLeft, Stage.HANDING_OVER, Stage.GUARDING),
        _handled_by(bridge.recording_started, RecordingStarted, Stage.HANDING_OVER, Stage.GUARDING),
        _handled_by(failures.command_failed, CommandFailed, Stage.HANDING_OVER, Stage.GUARDING),
    )


def _policy(command: type[Command], **changes: Any) -> Patch:
    """Change fields of the policy row of a command."""
    return lambda: patch.dict(POLICY, {command: POLICY[command]._replace(**changes)})  # type: ignore[arg-type]


def _end_without_return(ctx: StepContext, command: type[Command]) -> None:
    cleanup.start_cleanup(ctx, Outcome.GATEWAY_ABSENT, "No answer.")


def _close_without_caller_check(ctx: StepContext, *, awaited: bool = True) -> bool:
    if ctx.state.room_id is None or ctx.state.room.close_requested:
        return False
    ctx.state.room = RoomStatus.CLOSING
    ctx.send(CloseRoom, awaited=awaited, room_id=ctx.state.room_id)
    return True


def _close_only_with_id(ctx: StepContext, *, awaited: bool = True) -> bool:
    return ctx.state.room_id is not None and _close_room(ctx, awaited=awaited)


def _clean_up_instead_of_return(ctx: StepContext, *, awaited: bool = True) -> None:
    if ctx.state.stage.ended:
        late_events._caller_left_consultation(ctx)
    else:
        _send_return(ctx, awaited=awaited)


def _end_leg_only_after_end(ctx: StepContext) -> None:
    if ctx.state.stage.ended and not ctx.state.caller.may_be_in_consultation:
        cleanup.end_supervisor_leg(ctx, awaited=False)


def _clean_up_leg_only(ctx: StepContext) -> None:
    if ctx.state.supervisor_leg.may_be_up:
        cleanup.end_supervisor_leg(ctx, awaited=False)
    leg_checks.schedule_cleanup_check(ctx)


def _complete_at_once(ctx: StepContext, event: CallerSwitched) -> None:
    ctx.state.caller = CallerPlace.IN_TRANSIT
    bridge.complete(ctx)


def _complete_without_recording(ctx: StepContext) -> None:
    if ctx.state.awaits(LeaveConsultation):
        return
    (bridge.complete if ctx.state.awaits(RecordParticipant) else _complete_if_handed_over)(ctx)


def _complete_without_check(ctx: StepContext) -> None:
    if not ctx.state.awaits(LeaveConsultation, RecordParticipant):
        bridge.complete(ctx)


def _complete_whatever_the_check_says(ctx: StepContext, event: LegsChecked) -> None:
    if ctx.replied_to is not None and not ctx.state.awaits(LeaveConsultation, RecordParticipant):
        bridge.complete(ctx)


def _leave_during_the_return(ctx: StepContext) -> None:
    _supervisor_gone(ctx)
    ctx.send(LeaveCall, awaited=False)


def _return_without_release(ctx: StepContext, event: CallerReturned) -> None:
    guard.caller_returned(ctx, event)
    ctx.outbox[:] = [each for each in ctx.outbox if not isinstance(each, ReleaseCaller)]


def _treat_deadline_as_event(ctx: StepContext, event: TransferBroken) -> None:
    failures.transfer_broken(
        ctx, TransferBroken(transfer_id=event.transfer_id, kind="event", cause=event.cause)
    )


def _leave_after_switch(ctx: StepContext, event: CallerSwitched) -> None:
    bridge.caller_switched(ctx, event)
    ctx.send(LeaveCall, awaited=False)


def _end_at_once(ctx: StepContext) -> None:
    if ctx.state.caller is CallerPlace.WITH_AI:
        guard._end(ctx, leave=False)


def _rescue_mutation(mistake: str, invariant: str, *patches: Patch, **behaviour: bool) -> Mutation:
    """Return a mistake that shows when the session's process may be killed."""
    expected = ExpectedBehaviour(session_may_die=True, **behaviour)
    return Mutation(mistake, invariant, expected, patches, config="rescue")


_send_return = cleanup.send_return
_complete_if_handed_over = bridge.complete_if_handed_over
_supervisor_gone = guard.supervisor_gone
_close_room = cleanup.close_room
ENDED_WITHOUT_BRIDGE = (Stage.CANCELLED, Stage.FAILED)

MUTATIONS = [
    # gateway
    Mutation("the gateway dials without a claim", "I6", ExpectedBehaviour(dial_is_claimed=False)),
    Mutation(
        "the gateway repeats a dial that timed out", "I6", ExpectedBehaviour(unknown_dial_is_looked_up=False)
    ),
    Mutation("EndCall does not forbid the dial", "I8", ExpectedBehaviour(end_forbids_dial=False)),
    Mutation("EndCall does not wait for the dial", "I8", ExpectedBehaviour(end_waits_for_dial=False)),
    Mutation("ReturnCaller does not forbid the switch", "I8", ExpectedBehaviour(return_forbids_switch=False)),
    Mutation(
        "ReturnCaller does not wait for the switch", "I8", ExpectedBehaviour(return_waits_for_switch=False)
    ),
    Mutation("two returns are under way at once", "I7", ExpectedBehaviour(return_is_not_raced=False)),
    Mutation(
        "the reply supervisor_gone does not claim the switch",
        "I8",
        ExpectedBehaviour(refusal_forbids_switch=False),
    ),
    # primary actor and coordinator
    Mutation("hold and release are not fenced", "I2", ExpectedBehaviour(hold_is_fenced=False)),
    Mutation(
        "a record is written and its outbox is not sent again",
        "I14",
        ExpectedBehaviour(outbox_is_sent_again=False),
    ),
    # state machine
    Mutation(
        "clean-up does not end the supervisor's leg",
        "I8",
        patches=(
            _replaced(cleanup, "end_supervisor_leg", _do_nothing),
            _replaced(late_events, "end_supervisor_leg", _do_nothing),
        ),
    ),
    Mutation(
        "a switch without a reply ends the transfer without a return",
        "I8",
        patches=(
            _policy(SwitchCaller, on_timeout=_end_without_return),
            _handled_by(failures.deadline_passed, DeadlinePassed, Stage.SWITCHING, Stage.UNWINDING),
        ),
    ),
    Mutation(
        "the transfer completes when the provider accepts the move",
        "I3",
        patches=(_handled_by(_complete_at_once, CallerSwitched, Stage.SWITCHING, Stage.GUARDING),),
    ),
    Mutation(
        "the AI leaves before it is settled whether the caller is recorded",
        "I28",
        patches=_handed_over_by(_complete_without_recording),
    ),
    Mutation(
        "the transfer completes without a leg check",
        "I3",
        patches=_handed_over_by(_complete_without_check),
    ),
    Mutation(
        "the deadline of the handover completes the transfer",
        "I3",
        patches=(lambda: patch.dict(failures.ON_STAGE_TIMEOUT, {Stage.HANDING_OVER: bridge.complete}),),
    ),
    Mutation(
        "the transfer completes whatever its leg check says",
        "I3",
        patches=(_handled_by(_complete_whatever_the_check_says, LegsChecked, Stage.HANDING_OVER),),
    ),
    Mutation(
        "the guard does not return a caller who is alone",
        "I4",
        patches=(_replaced(guard, "supervisor_gone", guard.both_up_or_unknown),),
    ),
    Mutation(
        "the AI leaves while the guard returns the caller",
        "I1",
        patches=(_replaced(guard, "supervisor_gone", _leave_during_the_return),),
    ),
    Mutation(
        "the guard does not release a returned caller",
        "I2",
        patches=(_handled_by(_return_without_release, CallerReturned, Stage.GUARDING),),
    ),
    Mutation(
        "the guard sets no check",
        "I18",
        patches=(_replaced(guard, "both_up_or_unknown", _do_nothing),),
    ),
    Mutation(
        "a supervisor who hangs up during the switch is ignored",
        "I3",
        patches=(_without((SupervisorCallEnded,), Stage.SWITCHING),),
    ),
    Mutation(
        "the AI leaves as soon as the caller is moved",
        "I1",
        patches=(_handled_by(_leave_after_switch, CallerSwitched, Stage.SWITCHING),),
    ),
    Mutation(
        "the room is closed although the caller may be in it",
        "the room was closed",
        patches=_replaced_in_cleanup("close_room", _close_without_caller_check),
    ),
    Mutation(
        "a room without a known id is not closed",
        "I16",
        patches=_replaced_in_cleanup("close_room", _close_only_with_id),
    ),
    Mutation(
        "the supervisor's leg is ended although the caller may be with them",
        "I4",
        patches=(_replaced(CallerPlace, "may_be_in_consultation", property(lambda _: False)),),
    ),
    Mutation(
        "a dead-lettered deadline is not set again",
        "I14",
        patches=(_handled_by(_treat_deadline_as_event, TransferBroken, Stage.UNWINDING),),
    ),
    Mutation(
        "the caller is not released", "I2", patches=(_replaced(cleanup, "_release_caller", _do_nothing),)
    ),
    Mutation(
        "no clean-up checks run after the end",
        "I16",
        patches=_replaced_in_cleanup("schedule_cleanup_check", _do_nothing),
    ),
    Mutation(
        "a caller who could not be returned is not searched for after the end",
        "I2",
        patches=(
            _replaced(cleanup, "check_legs_after_end", _do_nothing),
            _without((SupervisorCallEnded,), *ENDED_WITHOUT_BRIDGE),
        ),
    ),
    Mutation(
        "a caller in the primary room is treated as certain to stay there",
        "the room was closed",
        patches=(_replaced(late_events, "send_return", _clean_up_instead_of_return),),
    ),
    Mutation(
        "clean-up checks do not repeat CloseRoom",
        "I16",
        patches=(
            lambda: patch.dict(
                failures.ON_CHECK_DUE, dict.fromkeys(ENDED_WITHOUT_BRIDGE, _clean_up_leg_only)
            ),
        ),
    ),
    Mutation(
        "a leg seen during EndCall is not ended again",
        "I16",
        patches=(_replaced(late_events, "_end_leg_again", _end_leg_only_after_end),),
    ),
    Mutation(
        "a leg check that was asked before the legs were seen decides",
        "I2",
        patches=(
            _replaced(bridge, "accept_answer", _always_true),
            _replaced(guard, "accept_answer", _always_true),
        ),
    ),
    Mutation(
        "a leg that is seen does not replace the check that is awaited",
        "I2",
        patches=(_replaced(participant_events, "leg_seen", _do_nothing),),
    ),
    Mutation(
        "a leg that is seen after the end does not replace the check",
        "the room was closed",
        patches=(_replaced(late_events, "leg_seen", _do_nothing),),
    ),
    Mutation(
        "the evidence does not admit what is unconfirmed",
        "I8",
        patches=(_replaced(StepContext, "add_evidence", _do_nothing),),
    ),
    # a session that is lost
    _rescue_mutation("the gateway rescues without a claim", "I30", rescue_is_claimed=False),
    _rescue_mutation("the gateway rescues without a look at the legs", "I30", rescue_checks_legs=False),
    _rescue_mutation(
        "a release without an answer is followed by no rescue",
        "I29",
        _policy(ReleaseCaller, on_timeout=cleanup.cleanup_timed_out),
    ),
    _rescue_mutation(
        "a session that could not release its caller is not lost",
        "I29",
        _policy(ReleaseCaller, on_failed=cleanup.cleanup_failed),
    ),
    _rescue_mutation(
        "a release whose deadline was dead-lettered is forgotten",
        "I29",
        lambda: patch.dict(failures.ON_STAGE_TIMEOUT, {Stage.UNWINDING: cleanup.finish_now}),
    ),
    _rescue_mutation(
        "the evidence says that a rescue was made when it was sent",
        "I29",
        _replaced(rescue, "UNCONFIRMED", rescue_replies.RESCUED_BY["agent"]),
    ),
    _rescue_mutation(
        "the evidence does not say that the caller may be alone",
        "I29",
        _replaced(rescue, "add_caller_evidence", _do_nothing),
    ),
    _rescue_mutation(
        "the guard does not wait for the session of the caller it returned",
        "I29",
        _replaced(guard, "_end_if_returned", _end_at_once),
    ),
]
