"""Bridge guard: after completion the AI session stays for a caller whom the supervisor leaves alone.

The session stays muted in its room for `bridge_guard_s`. Both legs are checked at half of that time and at
its end. A webhook or room event about the supervisor acts at once. If the supervisor is gone, the caller is
moved back and the session releases them. Otherwise the session leaves the call. A session that does not
answer the release is lost: its caller is rescued, or a notice says that they are alone. A notice says so too
while a return fails, long before the search for the caller ends.

Invariants:

- Phases, result and decision do not change. What the guard finds is published as a notice.
- `LeaveCall` is sent only if the caller was not found alone.
"""

from __future__ import annotations

from msgspec import UNSET

from warmxfer.schemas import (
    CallerReleased,
    CallerRescued,
    CallerReturned,
    CommandFailed,
    FailureKind,
    LeaveCall,
    LegsChecked,
    NoticeKind,
    ReleaseCaller,
    RescueCaller,
    ReturnCaller,
    SupervisorCallEnded,
    TransferNotice,
)

from . import timeouts
from .cleanup import close_room, send_return
from .leg_checks import accept_answer, check_legs, forget_check, schedule_check
from .rescue import lose_session, rescue_caller
from .state import CallerPlace, EvidenceValue, Stage
from .step_context import StepContext

MAX_CHECKS = 2
"""Leg checks in one guard that finds both legs up."""


def start_guard(ctx: StepContext) -> None:
    """Begin the guard of a transfer that was just completed; without one, the AI session leaves the call."""
    guard_s = ctx.config.bridge_guard_s
    if not guard_s or ctx.state.caller_released:
        ctx.send(LeaveCall, awaited=False)
        return
    ctx.enter_stage(Stage.GUARDING, None)
    ctx.state.timer_due_at = None  # the guard's timer has another name, so that it does not count as running
    ctx.state.check_due_at = ctx.now + guard_s / MAX_CHECKS


RETURNED = "The supervisor hung up; the caller is back with the AI."
NOT_RETURNED = (
    "The supervisor hung up, and the provider did not confirm that the caller was moved back to the AI."
)
RESCUED = "The supervisor hung up, and no session answered; a person or an agent was sent to the caller."
NO_SESSION = "The supervisor hung up, and no session answered for the caller."
NOT_YET_RETURNED = (
    "The supervisor hung up, and the caller was not moved back to the AI yet; the provider is asked again."
)
"""Sentences of the notices."""


# ── both are together ────────────────────────────────────────────────────────────────────────────


def check_due(ctx: StepContext) -> None:
    """Check both legs, or repeat the return or the rescue of a caller who is alone."""
    if is_returning(ctx):
        _request_return(ctx)
    elif is_alone(ctx):
        ctx.state.check_due_at = None
        rescue_caller(ctx)
    else:
        ctx.state.checks += 1
        check_legs(ctx)


def legs_checked(ctx: StepContext, event: LegsChecked) -> None:
    """A leg that is down is news also from a late answer to the newest check."""
    if is_returning(ctx) or not accept_answer(ctx, event):
        return
    if event.caller is not None and not event.caller.up:
        caller_gone(ctx)
    elif event.supervisor is not None and not event.supervisor.up:
        supervisor_gone(ctx)
    elif ctx.replied_to is not None:
        both_up_or_unknown(ctx)


def both_up_or_unknown(ctx: StepContext) -> None:
    """Both legs are up, or the provider did not say: schedule the second check, or end the guard."""
    if ctx.state.checks < MAX_CHECKS:
        ctx.state.check_due_at = (ctx.state.ended_at or ctx.now) + (ctx.config.bridge_guard_s or 0.0)
    else:
        _end(ctx)


def caller_gone(ctx: StepContext) -> None:
    """The caller has hung up, or left the consultation room: the guard ends."""
    ctx.state.caller = CallerPlace.HUNG_UP
    released = _is_release_begun(ctx)
    if released:
        ctx.send(ReleaseCaller, awaited=False, line=None)
    _end(ctx, leave=not released)


def session_released(ctx: StepContext, event: CallerReleased) -> None:
    """The session released the caller, closed, or holds the caller for a new transfer.

    A return that was begun goes on: a notice says how it ended. A session that holds the caller for a new
    transfer is live, and ignores a release of this one: none is sent, and the caller is not rescued.
    """
    if event.cause in ("new_transfer", "session_closed") and not is_alone(ctx):
        _end(ctx, leave=False)
    elif event.cause == "session_closed":
        if ctx.config.rescue is not UNSET:
            session_lost(ctx)
    elif event.cause == "new_transfer" or ctx.replied_to is not None or ctx.state.awaits(ReleaseCaller):
        ctx.stop_waiting_for(ReleaseCaller)
        ctx.state.caller_released, ctx.state.session_lost = True, False
        _end_if_returned(ctx)


def timer_lost(ctx: StepContext) -> None:
    """The guard's deadline was dead-lettered: treat the wait that it limits as over."""
    if is_returning(ctx):
        stop_return(ctx)
    elif ctx.state.awaits(ReleaseCaller):
        session_lost(ctx)
    elif is_alone(ctx):
        _stop_rescue(ctx)
    else:
        _end(ctx)


def stage_timed_out(ctx: StepContext) -> None:
    if is_returning(ctx):
        stop_return(ctx)
    else:
        _stop_rescue(ctx)


# ── the caller is alone ──────────────────────────────────────────────────────────────────────────


def is_returning(ctx: StepContext) -> bool:
    """Return whether the caller, whom the supervisor left alone, is being moved back to the AI."""
    return ctx.state.caller is CallerPlace.IN_TRANSIT


def is_alone(ctx: StepContext) -> bool:
    """Return whether the supervisor left the caller alone. They are being moved back, or are back."""
    return ctx.state.caller in (CallerPlace.IN_TRANSIT, CallerPlace.WITH_AI)


def supervisor_call_ended(ctx: StepContext, event: SupervisorCallEnded) -> None:
    if ctx.state.is_supervisors_leg(event):
        supervisor_gone(ctx)


def supervisor_gone(ctx: StepContext) -> None:
    """Move the caller back to the AI, which still is in their room."""
    if is_alone(ctx):
        return
    ctx.state.caller = CallerPlace.IN_TRANSIT
    ctx.state.checks = 0
    if ctx.state.alone_notice_s is not None:
        ctx.state.alone_notice_at = ctx.now + ctx.state.alone_notice_s
    forget_check(ctx)
    _extend_stage(ctx)
    _request_return(ctx)


def return_failed(ctx: StepContext, event: CommandFailed) -> None:
    """Repeat the return. If the provider does not say where the caller is, its time starts again."""
    if event.failure is FailureKind.UNKNOWN:
        _extend_stage(ctx)
    schedule_check(ctx)
    _ask_session(ctx)
    _publish_caller_alone(ctx)


def return_timed_out(ctx: StepContext) -> None:
    _extend_stage(ctx)
    _request_return(ctx)
    _ask_session(ctx)
    _publish_caller_alone(ctx)


def _publish_caller_alone(ctx: StepContext) -> None:
    """Publish once that the caller is alone, while the return is repeated. A lost session has own notices."""
    due_at = ctx.state.alone_notice_at
    if due_at is None or ctx.now < due_at or ctx.state.session_lost:
        return
    ctx.state.alone_notice_at = None
    _publish_notice(ctx, NoticeKind.CALLER_ALONE, NOT_YET_RETURNED, searching=True)


def caller_returned(ctx: StepContext, event: CallerReturned) -> None:
    """The caller is in the room of the AI, which takes them back; or the caller has hung up."""
    if not is_returning(ctx):
        return
    if not event.caller_up:
        caller_gone(ctx)
        return
    ctx.state.caller = CallerPlace.WITH_AI
    ctx.stop_waiting_for(ReturnCaller)
    ctx.state.stage_due_at = ctx.state.check_due_at = ctx.state.alone_notice_at = None
    if not _is_release_begun(ctx):
        awaited = ctx.config.rescue is not UNSET
        ctx.send(ReleaseCaller, awaited=awaited, line=ctx.config.lines.supervisor_left)
    close_room(ctx, awaited=False)
    rescue_caller(ctx)
    _end_if_returned(ctx)


def stop_return(ctx: StepContext) -> None:
    """Stop the return. The AI stays for a caller who may still come."""
    if not _is_release_begun(ctx):
        _release(ctx, awaited=False)
    if not ctx.state.session_lost:
        _publish_notice(ctx, NoticeKind.CALLER_ALONE, NOT_RETURNED)
    elif ctx.config.rescue and (ctx.state.awaits(RescueCaller) or not ctx.state.rescue_requested):
        _publish_notice(ctx, NoticeKind.CALLER_ALONE, NO_SESSION)
    _end(ctx, leave=False)


def give_up(ctx: StepContext) -> None:
    """Release a caller who is alone, and move them back, as this version cannot continue the guard.

    Neither reply is awaited. The return has no effect on a caller who is back.
    """
    line = None if ctx.state.caller_released else ctx.config.lines.supervisor_left
    ctx.send(ReleaseCaller, awaited=False, line=line, stay_s=timeouts.MAX_CALLER_SEARCH_S)
    if ctx.state.caller_call_id is not None and ctx.state.room_id is not None:
        send_return(ctx, awaited=False)
    if ctx.state.session_lost:
        return
    if ctx.state.caller is CallerPlace.WITH_AI:
        _publish_notice(ctx, NoticeKind.CALLER_RETURNED, RETURNED)
    else:
        _publish_notice(ctx, NoticeKind.CALLER_ALONE, NOT_RETURNED)


def _release(ctx: StepContext, *, awaited: bool) -> None:
    """Have the session release a caller who may come later, and stay for them."""
    line, stay_s = ctx.config.lines.supervisor_left, timeouts.MAX_CALLER_SEARCH_S
    ctx.send(ReleaseCaller, awaited=awaited, line=line, stay_s=stay_s)


def _end_if_returned(ctx: StepContext) -> None:
    """End the guard once the caller is back and it is known whether the session, or a rescue, has them."""
    if ctx.state.caller is not CallerPlace.WITH_AI or ctx.state.awaits(ReleaseCaller, RescueCaller):
        return
    if not ctx.state.session_lost:
        _publish_notice(ctx, NoticeKind.CALLER_RETURNED, RETURNED)
    _end(ctx, leave=False)


# ── the session is lost ──────────────────────────────────────────────────────────────────────────


def _ask_session(ctx: StepContext) -> None:
    """A return without success may mean that the session is lost: have it release the caller, and wait."""
    if ctx.config.rescue and not _is_release_begun(ctx):
        _release(ctx, awaited=True)


def _is_release_begun(ctx: StepContext) -> bool:
    """Return whether the session was asked to release the caller, has released them, or is lost."""
    return ctx.state.awaits(ReleaseCaller) or ctx.state.caller_released or ctx.state.session_lost


def session_lost(ctx: StepContext) -> None:
    """No session answered the release, or it was closed: rescue the caller, or say that they are alone."""
    ctx.stop_waiting_for(ReleaseCaller)
    lose_session(ctx)
    rescue_caller(ctx)
    if ctx.state.awaits(RescueCaller):
        return
    not_rescued(ctx)


def rescued(ctx: StepContext, event: CallerRescued) -> None:
    """The provider accepted the rescue. A caller who is still being returned is moved to it."""
    ctx.stop_waiting_for(RescueCaller)
    _publish_notice(ctx, NoticeKind.CALLER_RESCUED, RESCUED, by=event.by, call_id=event.call_id)
    _end_if_returned(ctx)


def rescue_failed(ctx: StepContext, event: CommandFailed) -> None:
    if event.failure is FailureKind.CALLER_GONE:
        caller_gone(ctx)
    elif event.not_begun and ctx.state.session_lost:
        _repeat_rescue_later(ctx)
    else:
        not_rescued(ctx)


def _repeat_rescue_later(ctx: StepContext) -> None:
    """Request a rescue again that has not begun: with the next return, or after a pause."""
    ctx.state.rescue_requested = False
    if is_returning(ctx):
        return
    if ctx.state.stage_due_at is None:
        _extend_stage(ctx)
    schedule_check(ctx)


def _stop_rescue(ctx: StepContext) -> None:
    ctx.stop_waiting_for(RescueCaller)
    not_rescued(ctx)


def not_rescued(ctx: StepContext) -> None:
    """There is no rescue, or it was not confirmed. A session that has a new transfer is live meanwhile."""
    if ctx.state.session_lost:
        _publish_notice(ctx, NoticeKind.CALLER_ALONE, NO_SESSION)
    _end_if_returned(ctx)


def _request_return(ctx: StepContext) -> None:
    ctx.state.check_due_at = None
    send_return(ctx)
    rescue_caller(ctx)


def _extend_stage(ctx: StepContext) -> None:
    latest_at = (ctx.state.ended_at or ctx.now) + timeouts.MAX_CALLER_SEARCH_S
    ctx.state.stage_due_at = min(ctx.now + timeouts.guard_return_s(ctx.config), latest_at)


# ── the end ──────────────────────────────────────────────────────────────────────────────────────


def _end(ctx: StepContext, *, leave: bool = True) -> None:
    """End the guard. `leave`: the AI session leaves the call."""
    ctx.state.pending = {}
    ctx.state.alone_notice_at = None
    ctx.enter_stage(Stage.COMPLETED, None)
    if leave:
        ctx.send(LeaveCall, awaited=False)


def _publish_notice(ctx: StepContext, notice: NoticeKind, detail: str, **data: EvidenceValue) -> None:
    after_s = round(ctx.now - (ctx.state.ended_at or ctx.now), 3)
    ctx.outbox.append(
        TransferNotice(notice=notice, detail=detail, data={"after_s": after_s, **data}, timestamp=ctx.now)
    )
