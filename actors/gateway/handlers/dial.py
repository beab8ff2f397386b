"""The supervisor's leg: dialled at most once an attempt, and ended for good.

`EndCall` is stronger than `DialSupervisor`: if it comes first, the dial never happens; if it comes
after, it ends every leg that carries the attempt's mark, also one that the provider made late or twice.
"""

from __future__ import annotations

from typing import Any

import structlog

from warmxfer.adapters.telephony import NOTHING_DONE, CallRecord, DialRequest, OutcomeUnknown, Rejected
from warmxfer.schemas import (
    CallEnded,
    CommandReply,
    DialSupervisor,
    EndCall,
    FailureKind,
    InvalidRequest,
    RetryableError,
    SupervisorDialed,
)

from ...common.command_replies import command_failed, command_rejected
from .. import call_marks
from ..at_most_once import poll_until
from ..context import CLEAN_UP_S, LOOK_UP_RESERVE_S, GatewayContext, in_s, left_s
from ..leg_lookup import look_up

END_SETTLE_S = 3.0
"""How long a leg may take to be down after it was told to."""
DOWN_ALREADY_S = 1.0
"""How long a leg that could not be told to end is looked at: time for one answer from far away."""
LATE_LEG_RETRY_S = STILL_UP_RETRY_S = 0.5

log = structlog.get_logger(__name__)


async def dial_supervisor(context: GatewayContext, transfer_id: str, command: DialSupervisor) -> CommandReply:
    """Ring the supervisor, if that is allowed and was neither done nor called off."""
    try:
        context.policy.check(command.destination)
    except InvalidRequest as error:
        return command_rejected(command, error)
    effect = _effect(command.attempt)
    claim = await context.claims.claim(transfer_id, effect, command)
    if claim.forbidden:
        return command_failed(command, FailureKind.CALLED_OFF, "The dial was called off before it began.")
    if not claim.granted:
        if claim.end_kind == "refused":
            return command_failed(command, FailureKind.REFUSED, "The provider refused this dial earlier.")
        return await _find_leg(context, transfer_id, command, context.to_loop_time(claim.settled_at), None)
    send_by = min(claim.send_by, context.reply_deadline(command) - LOOK_UP_RESERVE_S)
    try:
        dialed = await context.provider.dial(
            _dial_request(transfer_id, command, context.deployment), within_s=left_s(send_by)
        )
    except NOTHING_DONE as error:
        await context.claims.record_end(transfer_id, effect, "refused")
        return command_rejected(command, error)
    except OutcomeUnknown as error:
        await context.claims.record_end(transfer_id, effect, "doubtful")
        return await _find_leg(context, transfer_id, command, in_s(context.claims.settle_s), error)
    return _dialed(command, dialed.call_id, dialed.response)


async def end_call(context: GatewayContext, transfer_id: str, command: EndCall) -> CommandReply:
    """See to it that no leg of the attempt is up or is begun. Raises `Retry` for as long as that is open."""
    claim = await context.claims.forbid(transfer_id, _effect(command.attempt), command)
    if claim.forbidden:
        return CallEnded(command_id=command.command_id, attempt=command.attempt, existed=False)
    reply_by = context.reply_deadline(command, at_least_s=CLEAN_UP_S)
    if command.call_id is not None:
        await _hang_up(context, command.call_id, reply_by)
    key = call_marks.attempt_key(transfer_id, command.attempt)
    legs = await context.provider.find_calls(
        command.room_id, command.participant_id, key, within_s=left_s(reply_by)
    )
    for leg in legs:
        if leg.up:
            await _hang_up(context, leg.call_id, reply_by)
    existed = bool(legs) or command.call_id is not None
    if not existed and left_s(context.to_loop_time(claim.settled_at)) > 0:
        raise RetryableError(
            "The leg was not found, but the dial may still be executed", after_s=LATE_LEG_RETRY_S
        )
    return CallEnded(
        command_id=command.command_id,
        attempt=command.attempt,
        existed=existed,
        outcome_unknown=not existed and claim.end_kind != "refused",
    )


async def _hang_up(context: GatewayContext, call_id: str, by: float) -> None:
    """Return when the leg is seen to be down; what the order to end it was answered does not count."""

    async def is_down(within_s: float) -> bool | None:
        record = await look_up(context, call_id, within_s)
        return True if record is None or not record.up else None

    down_timeout_s = END_SETTLE_S
    try:
        await context.provider.end(call_id, within_s=left_s(by))
    except (Rejected, OutcomeUnknown) as error:
        # Down already, as a rule. If not, the order is better given again than waited for.
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
    """The dial may have happened: find its leg, or say that we do not know."""
    key = call_marks.attempt_key(transfer_id, command.attempt)

    async def read(within_s: float) -> CallRecord | None:
        legs = await context.provider.find_calls(
            command.room_id, command.participant_id, key, within_s=within_s
        )
        return legs[0] if legs else None

    leg = await poll_until(read, min(until, context.reply_deadline(command)))
    if leg is not None:
        return _dialed(command, leg.call_id, {"data": dict(leg.raw)})
    reason = str(unknown) if unknown else "Another gateway began this dial"
    status = unknown.status if unknown else None
    return command_failed(command, FailureKind.UNKNOWN, f"{reason}; no leg of it was found.", status=status)


def _dialed(command: DialSupervisor, call_id: str, response: dict[str, Any]) -> SupervisorDialed:
    return SupervisorDialed(
        command_id=command.command_id, attempt=command.attempt, call_id=call_id, response=response
    )


def _dial_request(transfer_id: str, command: DialSupervisor, deployment: str | None) -> DialRequest:
    return DialRequest(
        room_id=command.room_id,
        participant_id=command.participant_id,
        ringing_timeout_s=command.ringing_timeout_s,
        destination=command.destination,
        metadata=call_marks.call_metadata(transfer_id, command.attempt, deployment),
    )


def _effect(attempt: int) -> str:
    return f"dial-{attempt}"
