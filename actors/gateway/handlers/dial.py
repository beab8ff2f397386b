"""DialSupervisor and EndCall: each attempt is dialled at most once, and its leg is ended for good.

- Invariant: `EndCall` wins over `DialSupervisor`. If it is first, the dial never happens. If it is second, it
  ends every leg with the attempt's mark, including one that the provider created late or twice.

Test: `tests/actors/gateway/test_dial.py`.
"""

from __future__ import annotations

from typing import Any

import structlog
from msgspec import UNSET

from warmxfer.adapters.telephony import NOTHING_DONE, DialRequest, OutcomeUnknown, Rejected
from warmxfer.schemas import (
    CallEnded,
    CommandReply,
    DialSupervisor,
    EndCall,
    FailureKind,
    InvalidRequest,
    RetryableError,
    SIPDestination,
    SupervisorDialed,
)

from ...common.command_replies import command_failed, command_rejected
from .. import call_marks
from ..context import CLEAN_UP_S, LOOK_UP_RESERVE_S, GatewayContext, in_s, left_s
from ..leg_lookup import SECOND_READ_AFTER_S, find_marked_leg, look_up
from ..provider_polling import poll_until

END_SETTLE_S = 3.0
"""Maximum time for a leg to be down after the provider accepted the order to end it."""
DOWN_ALREADY_S = SECOND_READ_AFTER_S + 1.5
"""Time to read the leg when the provider did not accept the order: a call without a record is read twice."""
LATE_LEG_RETRY_S = STILL_UP_RETRY_S = 0.5

log = structlog.get_logger(__name__)


async def dial_supervisor(context: GatewayContext, transfer_id: str, command: DialSupervisor) -> CommandReply:
    """Dial the supervisor, if the policy allows it and the attempt was neither dialled nor forbidden."""
    try:
        destination = context.policy.check(command.destination)
    except InvalidRequest as error:
        return command_rejected(command, error)
    effect = _effect(command.attempt)
    claim = await context.claims.claim(transfer_id, effect, command)
    if claim.forbidden:
        return command_failed(command, FailureKind.CALLED_OFF, "The dial was called off before it began.")
    if not claim.granted:
        if claim.end_kind == "refused":
            return command_failed(command, FailureKind.REFUSED, "This dial was refused earlier.")
        return await _find_leg(context, transfer_id, command, context.to_loop_time(claim.settled_at), None)
    try:
        await context.counters.take(transfer_id, command.attempt, destination, command.caller_room_id or None)
    except (InvalidRequest, RetryableError) as error:
        await context.claims.record_end(transfer_id, effect, "refused")
        return command_rejected(command, error)
    send_by = min(claim.send_by, context.reply_deadline(command) - LOOK_UP_RESERVE_S)
    try:
        dialed = await context.provider.dial(
            _dial_request(transfer_id, command, destination, context.deployment), within_s=left_s(send_by)
        )
    except NOTHING_DONE as error:
        await context.claims.record_end(transfer_id, effect, "refused")
        await context.counters.end(transfer_id, command.attempt, context.reply_deadline(command))
        return command_rejected(command, error)
    except OutcomeUnknown as error:
        await context.claims.record_end(transfer_id, effect, "doubtful")
        return await _find_leg(context, transfer_id, command, in_s(context.claims.settle_s), error)
    return _dialed(command, dialed.call_id, dialed.response)


async def end_call(context: GatewayContext, transfer_id: str, command: EndCall) -> CommandReply:
    """Forbid the attempt's dial and end every leg of it.

    Raises `RetryableError` while a leg is still up or the dial may still be executed.
    """
    claim = await context.claims.forbid(transfer_id, _effect(command.attempt), command)
    if claim.forbidden:
        return CallEnded(command_id=command.command_id, attempt=command.attempt, existed=False)
    reply_by = context.reply_deadline(command, at_least_s=CLEAN_UP_S)
    if command.call_id is not None:
        await hang_up(context, command.call_id, reply_by)
    key = call_marks.attempt_key(transfer_id, command.attempt)
    legs = await context.provider.find_calls(
        command.room_id, command.participant_id, key, within_s=left_s(reply_by)
    )
    for leg in legs:
        if leg.up:
            await hang_up(context, leg.call_id, reply_by)
    existed = bool(legs) or command.call_id is not None
    if not existed and left_s(context.to_loop_time(claim.settled_at)) > 0:
        raise RetryableError(
            "The leg was not found, but the dial may still be executed", after_s=LATE_LEG_RETRY_S
        )
    await context.counters.end(transfer_id, command.attempt, reply_by)
    return CallEnded(
        command_id=command.command_id,
        attempt=command.attempt,
        existed=existed,
        outcome_unknown=not existed and claim.end_kind != "refused",
    )


async def hang_up(context: GatewayContext, call_id: str, by: float) -> None:
    """Return when the leg is down, whatever the provider replied to the order to end it."""

    async def is_down(within_s: float) -> bool | None:
        record = await look_up(context, call_id, within_s)
        return True if record is None or not record.up else None

    down_timeout_s = END_SETTLE_S
    try:
        await context.provider.end(call_id, within_s=left_s(by))
    except (Rejected, OutcomeUnknown) as error:
        # The leg is usually down already. If it is not, repeating the order helps more than waiting.
        down_timeout_s = DOWN_ALREADY_S
        log.info("end_call_outcome_unknown", cause=type(error).__name__)
    if await poll_until(is_down, min(by, in_s(down_timeout_s))) is None:
        raise RetryableError(
            "The provider was asked to end the leg, and the leg is still up", after_s=STILL_UP_RETRY_S
        )


async def _find_leg(
    context: GatewayContext,
    transfer_id: str,
    command: DialSupervisor,
    until: float,
    unknown: OutcomeUnknown | None,
) -> CommandReply:
    """Search for the leg of a dial that may have happened; reply UNKNOWN if none is found."""
    key = call_marks.attempt_key(transfer_id, command.attempt)
    leg = await find_marked_leg(context, command, key, until)
    if leg is not None:
        return _dialed(command, leg.call_id, {"data": dict(leg.raw)})
    reason = str(unknown) if unknown else "Another gateway may have begun this dial"
    status = unknown.status if unknown else None
    return command_failed(command, FailureKind.UNKNOWN, f"{reason}; no leg of it was found.", status=status)


def _dialed(command: DialSupervisor, call_id: str, response: dict[str, Any]) -> SupervisorDialed:
    """Return the reply to a dial. One by name leaves out the response, which repeats both numbers."""
    if command.destination.name is not UNSET:
        response = {"data": {"callId": call_id}}
    return SupervisorDialed(
        command_id=command.command_id, attempt=command.attempt, call_id=call_id, response=response
    )


def _dial_request(
    transfer_id: str, command: DialSupervisor, destination: SIPDestination, deployment: str | None
) -> DialRequest:
    return DialRequest(
        room_id=command.room_id,
        participant_id=command.participant_id,
        ringing_timeout_s=command.ringing_timeout_s,
        destination=destination,
        metadata=call_marks.call_metadata(transfer_id, command.attempt, deployment),
    )


def _effect(attempt: int) -> str:
    return f"dial-{attempt}"
