"""Events after the decision: a late room, dial or leg, and a caller who could not be returned.

During clean-up and after the end, a late leg or room is ended. A caller who may still be in the consultation
room is searched for. A caller who is alone is returned to the AI. A caller with the supervisor stays there.
"""

from __future__ import annotations

from warmxfer.schemas import (
    AudioStreamEnabled,
    CallerCallEnded,
    CallerReturned,
    EndCall,
    LegsChecked,
    ParticipantJoined,
    ReleaseCaller,
    RoomCreated,
    SupervisorCallEnded,
    SupervisorDialed,
)

from . import timeouts
from .cleanup import close_room, end_supervisor_leg, finish_if_clean, send_return
from .leg_checks import leg_seen, schedule_cleanup_check
from .rescue import rescue_caller
from .state import CallerPlace, RoomStatus, Stage
from .step_context import StepContext


def late_room(ctx: StepContext, event: RoomCreated) -> None:
    """The room was created late: close it by its id, even if it was closed by its key before."""
    if ctx.state.room_id is None:
        reopened = ctx.state.room is RoomStatus.CLOSE_UNCONFIRMED
        ctx.state.room = RoomStatus.STILL_OPEN if reopened else RoomStatus.OPEN
    ctx.state.room_id = event.room_id
    if ctx.state.stage is Stage.UNWINDING:
        finish_if_clean(ctx)
    else:
        _close_room_after_end(ctx)


def late_dial(ctx: StepContext, event: SupervisorDialed) -> None:
    """The reply to the dial came after the decision: the leg may be up."""
    ctx.state.supervisor_call_id = event.call_id
    _end_leg_again(ctx)


def late_leg(ctx: StepContext, event: AudioStreamEnabled | ParticipantJoined) -> None:
    """A participant joined after the decision: end the supervisor's leg, or return the caller."""
    if event.participant_id == ctx.state.supervisor_participant_id:
        _end_leg_again(ctx)
        leg_seen(ctx)
    elif (event.room_id, event.participant_id) == (ctx.state.room_id, ctx.state.caller_consult_id):
        ctx.state.caller = CallerPlace.IN_TRANSIT  # the room event overrides earlier reports
        send_return(ctx, awaited=False)
        leg_seen(ctx)
        _check_again(ctx)


def legs_checked_after_end(ctx: StepContext, event: LegsChecked) -> None:
    """Handle a leg check for a caller who could not be returned.

    If the supervisor is still connected, do nothing. If the caller is alone, return them. If the caller is in
    the primary room, send the return again: a late switch may still move them until a return is confirmed.
    """
    caller, supervisor = event.caller, event.supervisor
    if not ctx.state.caller.may_be_in_consultation or event.command_id != ctx.state.last_leg_check_id:
        return
    if caller is None:
        # The provider does not know the caller's room: the time for checks starts again.
        _search_on(ctx)
    elif not caller.up:
        _caller_hung_up(ctx)
    elif supervisor is not None and not supervisor.up:
        _return_alone(ctx)
    elif caller.room_id == ctx.request.room_id:
        _request_return(ctx)
    elif supervisor is not None:
        ctx.state.found_alone_at = None  # both are together, so a caller who is alone later was not before


def supervisor_left_caller_behind(ctx: StepContext, event: SupervisorCallEnded) -> None:
    """The supervisor hung up on a caller who could not be returned: return the caller."""
    if ctx.state.is_supervisors_leg(event) and ctx.state.caller.may_be_in_consultation:
        _return_alone(ctx)


def late_return(ctx: StepContext, event: CallerReturned) -> None:
    """The caller is with the AI, or has hung up. A session that stayed for the caller sees them join."""
    if event.caller_up:
        _caller_left_consultation(ctx)
        rescue_caller(ctx)
    else:
        _caller_hung_up(ctx)


def late_hang_up(ctx: StepContext, event: CallerCallEnded) -> None:
    """A caller who could not be returned has hung up."""
    if event.call_id == ctx.state.caller_call_id:
        _caller_hung_up(ctx)


def _return_alone(ctx: StepContext) -> None:
    """Return a caller who is alone. Clean-up checks repeat it until it is confirmed, for up to an hour."""
    _request_return(ctx)
    if ctx.state.follows_version_4 and ctx.state.stage.ended:
        if ctx.state.found_alone_at is None:
            ctx.state.found_alone_at = ctx.now
        _search_on(ctx)


def _request_return(ctx: StepContext) -> None:
    send_return(ctx, awaited=False)
    rescue_caller(ctx)


def _search_on(ctx: StepContext) -> None:
    """Begin the time for clean-up checks again, while the search for the caller lasts."""
    began_at = ctx.state.found_alone_at or ctx.state.started_at
    counts_from = min(ctx.now, began_at + timeouts.MAX_CALLER_SEARCH_S)
    if not ctx.state.follows_version_4:
        ctx.state.ended_at = counts_from
        return
    ctx.state.ended_at = max(ctx.state.ended_at or 0.0, counts_from)
    if ctx.state.check_due_at is None:
        schedule_cleanup_check(ctx)


def _caller_hung_up(ctx: StepContext) -> None:
    """Release the session that stayed for the caller, and end leg and room."""
    if ctx.state.caller.may_be_in_consultation:
        ctx.send(ReleaseCaller, awaited=False, line=None)
    _caller_left_consultation(ctx)


def _caller_left_consultation(ctx: StepContext) -> None:
    """End leg and room, which stayed up while the caller might be in the consultation room."""
    if ctx.state.caller.may_be_in_consultation:
        ctx.state.caller = CallerPlace.WITH_AI
        _end_leg_again(ctx)
        if ctx.state.stage.ended:
            _close_room_after_end(ctx)


def _end_leg_again(ctx: StepContext) -> None:
    """Send `EndCall` again. The reply to an earlier one says nothing about a leg that came up later."""
    if ctx.state.room_id is None or ctx.state.caller.may_be_in_consultation:
        return
    if ctx.state.end_leg_on_leave and ctx.state.follows_version_4:
        return  # The leg ends when the briefing agent has spoken its notice.
    ctx.stop_waiting_for(EndCall)
    end_supervisor_leg(ctx, awaited=not ctx.state.stage.ended)
    _check_again(ctx)


def _check_again(ctx: StepContext) -> None:
    """Begin the clean-up checks again after the end: what was sent for a late leg may fail."""
    if ctx.state.stage.ended and ctx.state.follows_version_4:
        ctx.state.ended_at = ctx.now
        if ctx.state.check_due_at is None:
            schedule_cleanup_check(ctx)


def _close_room_after_end(ctx: StepContext) -> None:
    """Close the room without waiting for the reply. Clean-up checks repeat it until it is confirmed."""
    if close_room(ctx, awaited=False) and ctx.state.check_due_at is None:
        schedule_cleanup_check(ctx)
