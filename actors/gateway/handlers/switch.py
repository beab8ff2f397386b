"""The caller's leg, moved to the supervisor: at most once, and only while both legs are up."""

from __future__ import annotations

import asyncio

from warmxfer.adapters.telephony import NOTHING_DONE, CallRecord, OutcomeUnknown, Rejected
from warmxfer.schemas import CallerSwitched, CommandFailed, CommandReply, FailureKind, SwitchCaller

from ...common.command_replies import command_failed, command_rejected
from ..at_most_once import EffectClaim, poll_until
from ..context import LOOK_UP_RESERVE_S, GatewayContext, in_s, left_s
from ..leg_lookup import SWITCH, LegPosition, is_down, leg_position, look_up

UNSEEN = "The provider did not say whether both are still on the phone; the caller was not moved."
LATE_STATUSES = frozenset({408, 504})
"""Answers of somebody between us and the provider who stopped waiting: the request may still be at work."""

Legs = tuple[CallRecord | None, CallRecord | None]
"""The caller's and the supervisor's; None: gone."""


async def switch_caller(desk: GatewayContext, transfer_id: str, command: SwitchCaller) -> CommandReply:
    """Check that both legs are up, then move the caller's."""
    turn = await desk.claims.record_seen(transfer_id, SWITCH)
    if turn is None:
        checked = await _check(desk, transfer_id, command)
        if isinstance(checked, CommandFailed):
            return checked
        turn = checked
    if turn.forbidden:
        return command_failed(command, FailureKind.CALLED_OFF, "The move was called off before it began.")
    if not turn.granted:
        if turn.ending == "refused":
            return command_failed(command, FailureKind.REFUSED, "The provider has refused this move before.")
        return await _find_moved(desk, command, turn, desk.to_loop_time(turn.settled_at), None)
    send_by = min(turn.send_by, desk.reply_deadline(command) - LOOK_UP_RESERVE_S)
    try:
        response = await desk.provider.switch(
            command.caller_call_id, command.room_id, command.participant_id, within_s=left_s(send_by)
        )
    except NOTHING_DONE as error:
        await desk.claims.find_end(transfer_id, SWITCH, "refused")
        if await is_down(desk, command.caller_call_id, desk.reply_deadline(command)):
            return _caller_gone(command)
        return command_rejected(command, error)
    except OutcomeUnknown as error:
        await desk.claims.find_end(transfer_id, SWITCH, "doubtful")
        return await _find_moved(desk, command, turn, in_s(desk.claims.settle_s), error)
    return CallerSwitched(command_id=command.command_id, response=response)


async def _check(
    desk: GatewayContext, transfer_id: str, command: SwitchCaller
) -> EffectClaim | CommandFailed:
    """The move's turn, when both legs are up; else the answer that says which one is not."""
    # The other half of the time is the move's.
    time_s = left_s(desk.reply_deadline(command) - LOOK_UP_RESERVE_S) / 2
    if time_s <= 0:
        return await desk.claims.forbid(transfer_id, SWITCH, command)
    legs = await poll_until(lambda within_s: _legs(desk, command, within_s), in_s(time_s))
    if legs is None or isinstance(legs, Rejected):
        turn = await desk.claims.forbid(transfer_id, SWITCH, command)
        if not turn.forbidden:
            return turn
        return (
            command_rejected(command, legs) if legs else command_failed(command, FailureKind.REFUSED, UNSEEN)
        )
    caller, supervisor = legs
    if caller is None or not caller.up:
        return _caller_gone(command)
    if supervisor is None or not supervisor.up:
        # Another delivery may have looked while they were there, and must not move the caller after this.
        turn = await desk.claims.forbid(transfer_id, SWITCH, command)
        return (
            command_failed(command, FailureKind.SUPERVISOR_GONE, "The supervisor has hung up.")
            if turn.forbidden
            else turn
        )
    return await desk.claims.claim(
        transfer_id,
        SWITCH,
        command,
        moves_done=caller.completed_moves,
        moves_failed=caller.failed_moves,
    )


async def _legs(desk: GatewayContext, command: SwitchCaller, within_s: float) -> Legs | Rejected:
    try:
        return await asyncio.gather(
            look_up(desk, command.caller_call_id, within_s),
            look_up(desk, command.supervisor_call_id, within_s),
        )
    except Rejected as error:
        # Asking again will not help.
        return error


async def _find_moved(
    desk: GatewayContext, command: SwitchCaller, turn: EffectClaim, until: float, doubt: OutcomeUnknown | None
) -> CommandReply:
    """The move may have happened: see where the caller is, or say that we do not know."""
    last = LegPosition.UNDER_WAY

    async def look(within_s: float) -> CallRecord | LegPosition | None:
        nonlocal last
        last = LegPosition.UNDER_WAY
        record = await look_up(desk, command.caller_call_id, within_s)
        last = leg_position(record, command.room_id, turn.intent)
        if last is LegPosition.THERE:
            return record
        return last if last in (LegPosition.GONE, LegPosition.FAILED) else None

    found = await poll_until(look, min(until, desk.reply_deadline(command)))
    if isinstance(found, CallRecord):
        return CallerSwitched(command_id=command.command_id, response={"data": dict(found.raw)})
    if found is LegPosition.GONE:
        return _caller_gone(command)
    if found is LegPosition.FAILED:
        return command_failed(command, FailureKind.REFUSED, "The provider could not move the caller.")
    status = doubt.status if doubt else None
    if doubt and status and status not in LATE_STATUSES and last is LegPosition.ELSEWHERE:
        return command_failed(
            command, FailureKind.REFUSED, f"{doubt}; the caller was not moved.", status=status
        )
    why = str(doubt) if doubt else "Another gateway began this move"
    return command_failed(
        command, FailureKind.UNKNOWN, f"{why}; where the caller is was not seen.", status=status
    )


def _caller_gone(command: SwitchCaller) -> CommandFailed:
    return command_failed(command, FailureKind.CALLER_GONE, "The caller has hung up.")
