"""Commands that failed, and time that ran out: who did not do what, and what then."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from warmxfer.schemas import (
    FALLBACK_SUMMARY,
    CommandFailed,
    DeadlinePassed,
    FailureKind,
    Outcome,
    TransferBroken,
)

from . import bridge, consultation, preparation_plan, timeouts
from .cleanup import check_leftovers, end_supervisor_leg, finish_if_clean, finish_now, start_cleanup
from .leg_checks import check_legs
from .preparation import summarized
from .state import Stage
from .step_context import StepContext


def command_failed(turn: StepContext, event: CommandFailed) -> None:
    kind = turn.replied_to.kind if turn.replied_to else ""
    match kind:
        case "summarize":
            summarized(turn, FALLBACK_SUMMARY)
        case "check_legs":
            timeouts.schedule_check(turn)
        case "switch_caller":
            _switch_failed(turn, event)
        case "return_caller":
            bridge.return_failed(turn, event.failure)
        case "leave_consultation" if turn.state.stage is Stage.HANDING_OVER:
            bridge.handed_over(turn)
        case "record_participant":
            bridge.recording_failed(turn, event)
        case "release_caller" | "end_call" | "leave_consultation" | "close_room":
            turn.state.closing_doubtful |= kind == "close_room"
            turn.add_evidence(**{f"{kind}_failed": True})
            finish_if_clean(turn)
        case "create_room":
            _room_failed(turn, event)
        case _:
            _fail(turn, kind, event)


def _fail(turn: StepContext, kind: str, event: CommandFailed) -> None:
    start_cleanup(
        turn,
        _outcome(kind, event.failure),
        event.detail or f"{kind} failed: {event.failure.value}.",
        fault=event.failure.value,
        status=event.status,
    )


def _room_failed(turn: StepContext, event: CommandFailed) -> None:
    """A room in doubt is asked for once more, or closed when nobody needs it any more.

    A refusal leaves the doubt too: it speaks for its own try, and a gateway before may have opened the room.
    """
    asked_before, turn.state.room_doubtful = turn.state.room_doubtful, True
    if turn.state.stage is Stage.UNWINDING:
        finish_if_clean(turn)
    elif event.failure is FailureKind.UNKNOWN and not asked_before:
        preparation_plan.create_room(turn)
    else:
        _fail(turn, "create_room", event)


def _outcome(kind: str, fault: FailureKind) -> Outcome:
    """A command that nobody could carry out is our mistake, whichever it was."""
    return Outcome.BROKEN if fault is FailureKind.BROKEN else timeouts.FAILED.get(kind, Outcome.BROKEN)


def _switch_failed(turn: StepContext, event: CommandFailed) -> None:
    detail = event.detail or "The provider did not move the caller."
    match event.failure:
        case FailureKind.CALLER_GONE:
            turn.state.caller_gone = True
            start_cleanup(turn, Outcome.CALLER_LEFT, timeouts.CALLER_HUNG_UP, source="provider")
        case FailureKind.SUPERVISOR_GONE:
            start_cleanup(
                turn,
                Outcome.SUPERVISOR_DISCONNECTED,
                "The supervisor hung up before the caller was connected.",
                source="provider",
            )
        case FailureKind.UNKNOWN | FailureKind.BROKEN:
            bridge.return_caller(
                turn, _outcome("switch_caller", event.failure), detail, fault=event.failure.value
            )
        case FailureKind.REFUSED | FailureKind.CALLED_OFF:
            start_cleanup(turn, Outcome.SWITCH_FAILED, detail, fault=event.failure.value, status=event.status)


def transfer_broken(turn: StepContext, event: TransferBroken) -> None:
    """What happened may have been lost for good: do not wait for the deadlines, and never for a lost one."""
    if event.kind == "timeout":
        turn.state.timer_due_at = None
    detail = f"The {event.kind} could not be handled ({event.cause}); please report it."
    match turn.state.stage:
        case Stage.NEW:
            turn.decide(Outcome.BROKEN, detail)
            finish_now(turn)
        case Stage.PREPARING | Stage.RINGING | Stage.BRIEFING:
            start_cleanup(turn, Outcome.BROKEN, detail)
        case Stage.SWITCHING | Stage.ARRIVING:
            bridge.return_caller(turn, Outcome.BROKEN, detail)
        case stage if event.kind == "timeout":
            ON_STAGE_TIMEOUT[stage](turn)
        case _:
            turn.add_evidence(given_up=event.kind)


def deadline_passed(turn: StepContext, event: DeadlinePassed) -> None:
    """The one timer of this transfer: act on every wait that is over, the earliest first."""
    overdue = [each for each, pending in turn.state.pending.items() if pending.due_at <= turn.now]
    for command_id in sorted(overdue, key=lambda each: turn.state.pending[each].due_at):
        pending = turn.state.pending.pop(command_id, None)
        if pending is not None:
            _command_timed_out(turn, pending.kind)
    if turn.state.stage_due_at is not None and turn.state.stage_due_at <= turn.now:
        ON_STAGE_TIMEOUT[turn.state.stage](turn)
    if turn.state.check_due_at is not None and turn.state.check_due_at <= turn.now:
        ON_CHECK_DUE.get(turn.state.stage, check_legs)(turn)


def _command_timed_out(turn: StepContext, kind: str) -> None:
    turn.state.room_doubtful |= kind == "create_room"
    turn.state.closing_doubtful |= kind == "close_room"
    match kind:
        case "summarize":
            summarized(turn, FALLBACK_SUMMARY)
        case "brief_supervisor":
            consultation.briefing_timed_out(turn)
        case "check_legs":
            timeouts.schedule_check(turn)
        case "switch_caller":
            absent = timeouts.missing_actor(kind, turn.config)
            bridge.return_caller(turn, absent.outcome, absent.sentence(kind, _waited_s(turn, kind)))
        case "return_caller":
            bridge.ask_for_return(turn)
        case "record_participant":
            bridge.handed_over(turn)
        case "leave_consultation" if turn.state.stage is Stage.HANDING_OVER:
            bridge.handed_over(turn)
        case "end_call":
            end_supervisor_leg(turn)
        case "release_caller" | "leave_consultation" | "close_room" | "create_room" if _unwinding(turn):
            turn.add_evidence(**{f"{kind}_unanswered": True})
            finish_if_clean(turn)
        case _:
            absent = timeouts.missing_actor(kind, turn.config)
            start_cleanup(turn, absent.outcome, absent.sentence(kind, _waited_s(turn, kind)), unanswered=kind)


def _unwinding(turn: StepContext) -> bool:
    return turn.state.stage is Stage.UNWINDING


def _waited_s(turn: StepContext, kind: str) -> float:
    patience = timeouts.EFFECT_TIMEOUT_FACTOR if kind in ("dial_supervisor", "switch_caller") else 1.0
    return turn.config.command_timeout_s * patience


def _preparing_over(turn: StepContext) -> None:
    """A net under the commands' own deadlines. They come later where the broker was away: it waits for them,
    but for nobody who asked so long ago that their caller expects it no more."""
    waits = [each.due_at for each in turn.state.pending.values() if each.kind != "check_legs"]
    config = turn.config
    usual_s = timeouts.preparing_timeout_s(config.command_timeout_s, config.summary_timeout_s)
    if waits and turn.now < turn.state.started_at + usual_s + timeouts.MAX_OUTAGE_S:
        turn.state.stage_due_at = max(waits)
        return
    start_cleanup(turn, Outcome.BROKEN, "Preparing the transfer took too long.", timer="preparing")


def _switching_over(turn: StepContext) -> None:
    bridge.return_caller(turn, Outcome.SWITCH_FAILED, "The switch took too long.", timer="switching")


def _returning_over(turn: StepContext) -> None:
    bridge.give_up_return(turn, return_fault="unanswered")


ON_STAGE_TIMEOUT: Mapping[Stage, Callable[[StepContext], None]] = {
    Stage.PREPARING: _preparing_over,
    Stage.RINGING: consultation.ringing_timed_out,
    Stage.BRIEFING: consultation.briefing_timed_out,
    Stage.SWITCHING: _switching_over,
    Stage.ARRIVING: bridge.arrival_timed_out,
    Stage.HANDING_OVER: bridge.complete,
    Stage.RETURNING: _returning_over,
    Stage.UNWINDING: finish_now,
}
"""What happens when a stage has used up its time: every live stage has an entry."""

ON_CHECK_DUE: Mapping[Stage, Callable[[StepContext], None]] = {
    Stage.RETURNING: bridge.ask_for_return,
    Stage.CANCELLED: check_leftovers,
    Stage.FAILED: check_leftovers,
}
"""What a look at the provider is for, where it is not for the legs of a consultation."""
