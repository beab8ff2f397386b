"""Commands that failed, and time that ran out: who did not do what, and what then."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from warmxfer.schemas import (
    FALLBACK_SUMMARY,
    CommandFailed,
    DeadlinePassed,
    Fault,
    Outcome,
    TransferBroken,
)

from . import bridging, consulting, plan, policy
from .looks import check_legs
from .preparing import summarized
from .state import Stage
from .turn import Turn
from .unwinding import end, end_leg, settle, sweep, unwind


def command_failed(turn: Turn, event: CommandFailed) -> None:
    kind = turn.answered.kind if turn.answered else ""
    match kind:
        case "summarize":
            summarized(turn, FALLBACK_SUMMARY)
        case "check_legs":
            policy.schedule_check(turn)
        case "switch_caller":
            _switch_failed(turn, event)
        case "return_caller":
            bridging.return_failed(turn, event.fault)
        case "leave_consultation" if turn.state.stage is Stage.HANDING_OVER:
            bridging.handed_over(turn)
        case "record_participant":
            bridging.recording_failed(turn, event)
        case "release_caller" | "end_call" | "leave_consultation" | "close_room":
            turn.state.closing_doubtful |= kind == "close_room"
            turn.note(**{f"{kind}_failed": True})
            settle(turn)
        case "create_room":
            _room_failed(turn, event)
        case _:
            _fail(turn, kind, event)


def _fail(turn: Turn, kind: str, event: CommandFailed) -> None:
    unwind(
        turn,
        _outcome(kind, event.fault),
        event.detail or f"{kind} failed: {event.fault.value}.",
        fault=event.fault.value,
        status=event.status,
    )


def _room_failed(turn: Turn, event: CommandFailed) -> None:
    """A room in doubt is asked for once more, or closed when nobody needs it any more.

    A refusal leaves the doubt too: it speaks for its own try, and a gateway before may have opened the room.
    """
    asked_before, turn.state.room_doubtful = turn.state.room_doubtful, True
    if turn.state.stage is Stage.UNWINDING:
        settle(turn)
    elif event.fault is Fault.UNKNOWN and not asked_before:
        plan.create_room(turn)
    else:
        _fail(turn, "create_room", event)


def _outcome(kind: str, fault: Fault) -> Outcome:
    """A command that nobody could carry out is our mistake, whichever it was."""
    return Outcome.BROKEN if fault is Fault.BROKEN else policy.FAILED.get(kind, Outcome.BROKEN)


def _switch_failed(turn: Turn, event: CommandFailed) -> None:
    detail = event.detail or "The provider did not move the caller."
    match event.fault:
        case Fault.CALLER_GONE:
            turn.state.caller_gone = True
            unwind(turn, Outcome.CALLER_LEFT, policy.CALLER_HUNG_UP, source="provider")
        case Fault.SUPERVISOR_GONE:
            unwind(
                turn,
                Outcome.SUPERVISOR_DISCONNECTED,
                "The supervisor hung up before the caller was connected.",
                source="provider",
            )
        case Fault.UNKNOWN | Fault.BROKEN:
            bridging.go_back(turn, _outcome("switch_caller", event.fault), detail, fault=event.fault.value)
        case Fault.REFUSED | Fault.CALLED_OFF:
            unwind(turn, Outcome.SWITCH_FAILED, detail, fault=event.fault.value, status=event.status)


def given_up(turn: Turn, event: TransferBroken) -> None:
    """What happened may have been lost for good: do not wait for the deadlines, and never for a lost one."""
    if event.kind == "timeout":
        turn.state.armed_at = None
    detail = f"The {event.kind} could not be handled ({event.cause}); please report it."
    match turn.state.stage:
        case Stage.NEW:
            turn.judge(Outcome.BROKEN, detail)
            end(turn)
        case Stage.PREPARING | Stage.RINGING | Stage.BRIEFING:
            unwind(turn, Outcome.BROKEN, detail)
        case Stage.SWITCHING | Stage.ARRIVING:
            bridging.go_back(turn, Outcome.BROKEN, detail)
        case stage if event.kind == "timeout":
            STAGE_OVER[stage](turn)
        case _:
            turn.note(given_up=event.kind)


def deadline_passed(turn: Turn, event: DeadlinePassed) -> None:
    """The one timer of this transfer: act on every wait that is over, the earliest first."""
    overdue = [each for each, pending in turn.state.pending.items() if pending.due_at <= turn.now]
    for command_id in sorted(overdue, key=lambda each: turn.state.pending[each].due_at):
        pending = turn.state.pending.pop(command_id, None)
        if pending is not None:
            _unanswered(turn, pending.kind)
    if turn.state.stage_due_at is not None and turn.state.stage_due_at <= turn.now:
        STAGE_OVER[turn.state.stage](turn)
    if turn.state.check_due_at is not None and turn.state.check_due_at <= turn.now:
        LOOK.get(turn.state.stage, check_legs)(turn)


def _unanswered(turn: Turn, kind: str) -> None:
    turn.state.room_doubtful |= kind == "create_room"
    turn.state.closing_doubtful |= kind == "close_room"
    match kind:
        case "summarize":
            summarized(turn, FALLBACK_SUMMARY)
        case "brief_supervisor":
            consulting.briefing_timed_out(turn)
        case "check_legs":
            policy.schedule_check(turn)
        case "switch_caller":
            absent = policy.absent(kind, turn.config)
            bridging.go_back(turn, absent.outcome, absent.sentence(kind, _waited_s(turn, kind)))
        case "return_caller":
            bridging.ask_for_return(turn)
        case "record_participant":
            bridging.handed_over(turn)
        case "leave_consultation" if turn.state.stage is Stage.HANDING_OVER:
            bridging.handed_over(turn)
        case "end_call":
            end_leg(turn)
        case "release_caller" | "leave_consultation" | "close_room" | "create_room" if _unwinding(turn):
            turn.note(**{f"{kind}_unanswered": True})
            settle(turn)
        case _:
            absent = policy.absent(kind, turn.config)
            unwind(turn, absent.outcome, absent.sentence(kind, _waited_s(turn, kind)), unanswered=kind)


def _unwinding(turn: Turn) -> bool:
    return turn.state.stage is Stage.UNWINDING


def _waited_s(turn: Turn, kind: str) -> float:
    patience = policy.EFFECT_PATIENCE if kind in ("dial_supervisor", "switch_caller") else 1.0
    return turn.config.command_timeout_s * patience


def _preparing_over(turn: Turn) -> None:
    """A net under the commands' own deadlines. They come later where the broker was away: it waits for them,
    but for nobody who asked so long ago that their caller expects it no more."""
    waits = [each.due_at for each in turn.state.pending.values() if each.kind != "check_legs"]
    config = turn.config
    usual_s = policy.preparing_timeout_s(config.command_timeout_s, config.summary_timeout_s)
    if waits and turn.now < turn.state.started_at + usual_s + policy.OUTAGE_S:
        turn.state.stage_due_at = max(waits)
        return
    unwind(turn, Outcome.BROKEN, "Preparing the transfer took too long.", timer="preparing")


def _switching_over(turn: Turn) -> None:
    bridging.go_back(turn, Outcome.SWITCH_FAILED, "The switch took too long.", timer="switching")


def _returning_over(turn: Turn) -> None:
    bridging.give_up_return(turn, return_fault="unanswered")


STAGE_OVER: Mapping[Stage, Callable[[Turn], None]] = {
    Stage.PREPARING: _preparing_over,
    Stage.RINGING: consulting.ringing_timed_out,
    Stage.BRIEFING: consulting.briefing_timed_out,
    Stage.SWITCHING: _switching_over,
    Stage.ARRIVING: bridging.arrival_timed_out,
    Stage.HANDING_OVER: bridging.complete,
    Stage.RETURNING: _returning_over,
    Stage.UNWINDING: end,
}
"""What happens when a stage has used up its time: every live stage has an entry."""

LOOK: Mapping[Stage, Callable[[Turn], None]] = {
    Stage.RETURNING: bridging.ask_for_return,
    Stage.CANCELLED: sweep,
    Stage.FAILED: sweep,
}
"""What a look at the provider is for, where it is not for the legs of a consultation."""
