"""SwitchCaller: moves the caller to the supervisor at most once, and only while both legs are up.

Test: `tests/actors/gateway/test_switch.py`.
"""

from __future__ import annotations

import asyncio

from warmxfer.adapters.telephony import NOTHING_DONE, CallRecord, OutcomeUnknown, Rejected
from warmxfer.schemas import CallerSwitched, CommandFailed, CommandReply, FailureKind, SwitchCaller

from ...common.command_replies import command_failed, command_rejected
from ..at_most_once import EffectClaim
from ..context import LOOK_UP_RESERVE_S, GatewayContext, in_s, left_s
from ..leg_lookup import SWITCH, LegPosition, is_down, leg_position, look_up
from ..provider_polling import poll_until

LEGS_UNKNOWN = "The provider did not say whether both are still on the phone; the caller was not moved."
FIRST_ATTEMPT = 1
"""A transfer dials once. Its call is a conversation of the caller from now on, and pending no more."""
TIMEOUT_STATUSES = frozenset({408, 504})
"""Statuses of a proxy that stopped waiting: the provider may still execute the request."""

Legs = tuple[CallRecord | None, CallRecord | None]
"""The caller's and the supervisor's call records; None: the call does not exist."""


async def switch_caller(context: GatewayContext, transfer_id: str, command: SwitchCaller) -> CommandReply:
    """Check that both legs are up, then move the caller."""
    reply = await _switch(context, transfer_id, command)
    if isinstance(reply, CallerSwitched):
        await context.counters.end(transfer_id, FIRST_ATTEMPT, context.reply_deadline(command))
    return reply


async def _switch(context: GatewayContext, transfer_id: str, command: SwitchCaller) -> CommandReply:
    claim = await context.claims.find_claim(transfer_id, SWITCH, command)
    if claim is None:
        checked = await _check(context, transfer_id, command)
        if isinstance(checked, CommandFailed):
            return checked
        claim = checked
    if claim.forbidden:
        return command_failed(command, FailureKind.CALLED_OFF, "The move was called off before it began.")
    if not claim.granted:
        if claim.end_kind == "refused":
            return command_failed(command, FailureKind.REFUSED, "The provider refused this move earlier.")
        return await _find_moved(context, command, claim, context.to_loop_time(claim.settled_at), None)
    send_by = min(claim.send_by, context.reply_deadline(command) - LOOK_UP_RESERVE_S)
    try:
        response = await context.provider.switch(
            command.caller_call_id, command.room_id, command.participant_id, within_s=left_s(send_by)
        )
    except NOTHING_DONE as error:
        await context.claims.record_end(transfer_id, SWITCH, "refused")
        if await is_down(context, command.caller_call_id, context.reply_deadline(command)):
            return _caller_gone(command)
        return command_rejected(command, error)
    except OutcomeUnknown as error:
        await context.claims.record_end(transfer_id, SWITCH, "doubtful")
        return await _find_moved(context, command, claim, in_s(context.claims.settle_s), error)
    return CallerSwitched(command_id=command.command_id, response=response)


async def _check(
    context: GatewayContext, transfer_id: str, command: SwitchCaller
) -> EffectClaim | CommandFailed:
    """Return the claim on the switch if both legs are up, or else the reply that says which leg is down."""
    # The other half of the time is for the switch.
    check_timeout_s = left_s(context.reply_deadline(command) - LOOK_UP_RESERVE_S) / 2
    if check_timeout_s <= 0:
        return await context.claims.forbid(transfer_id, SWITCH, command)
    legs = await poll_until(lambda within_s: _legs(context, command, within_s), in_s(check_timeout_s))
    if legs is None or isinstance(legs, Rejected):
        claim = await context.claims.forbid(transfer_id, SWITCH, command)
        if not claim.forbidden:
            return claim
        return (
            command_rejected(command, legs)
            if legs
            else command_failed(command, FailureKind.REFUSED, LEGS_UNKNOWN)
        )
    caller, supervisor = legs
    if caller is None or not caller.up:
        return _caller_gone(command)
    if supervisor is None or not supervisor.up:
        # Another delivery may have read the leg while it was up; it must not move the caller after this.
        claim = await context.claims.forbid(transfer_id, SWITCH, command)
        return (
            command_failed(command, FailureKind.SUPERVISOR_GONE, "The supervisor has hung up.")
            if claim.forbidden
            else claim
        )
    return await context.claims.claim(
        transfer_id,
        SWITCH,
        command,
        moves_done=caller.completed_moves,
        moves_failed=caller.failed_moves,
    )


async def _legs(context: GatewayContext, command: SwitchCaller, within_s: float) -> Legs | Rejected:
    try:
        return await asyncio.gather(
            look_up(context, command.caller_call_id, within_s),
            look_up(context, command.supervisor_call_id, within_s),
        )
    except Rejected as error:
        # A refused read is final: repeating it does not help.
        return error


async def _find_moved(
    context: GatewayContext,
    command: SwitchCaller,
    claim: EffectClaim,
    until: float,
    unknown: OutcomeUnknown | None,
) -> CommandReply:
    """Find where the caller is after a switch that may have happened; reply UNKNOWN if unseen.

    Before `until` the switch may still happen. Only from then on a caller in the old room was not moved.
    """
    position = LegPosition.UNDER_WAY
    reply_by = context.reply_deadline(command)

    async def read(within_s: float) -> CallRecord | LegPosition | None:
        nonlocal position
        position = LegPosition.UNDER_WAY
        record = await look_up(context, command.caller_call_id, within_s)
        position = leg_position(record, command.room_id, claim.record)
        if position is LegPosition.THERE:
            return record
        return position if position in (LegPosition.GONE, LegPosition.FAILED) else None

    found = await poll_until(read, min(until, reply_by))
    if isinstance(found, CallRecord):
        return CallerSwitched(command_id=command.command_id, response={"data": dict(found.raw)})
    if found is LegPosition.GONE:
        return _caller_gone(command)
    if found is LegPosition.FAILED:
        return command_failed(command, FailureKind.REFUSED, "The provider could not move the caller.")
    status = unknown.status if unknown else None
    stayed = position is LegPosition.ELSEWHERE and until <= reply_by
    if stayed and unknown and status and status not in TIMEOUT_STATUSES:
        return command_failed(
            command, FailureKind.REFUSED, f"{unknown}; the caller was not moved.", status=status
        )
    reason = str(unknown) if unknown else "Another gateway may have begun this move"
    return command_failed(
        command,
        FailureKind.UNKNOWN,
        f"{reason}; the provider did not say where the caller is.",
        status=status,
    )


def _caller_gone(command: SwitchCaller) -> CommandFailed:
    return command_failed(command, FailureKind.CALLER_GONE, "The caller has hung up.")
