"""RescueCaller: bring a person or an agent to a caller whose session is lost, at most once per transfer.

- Invariant: no rescue is dialled or dispatched before the provider replied that the caller's leg is up and
  that the caller is not with the supervisor.
- Invariant: a claim is made once and for good. A rescue with unknown outcome is looked up and not repeated.
  One whose request certainly did nothing, and may succeed later, is repeated under the next claim.

Test: `tests/actors/gateway/test_rescue.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

from warmxfer.adapters.telephony import NOTHING_DONE, CallRecord, DialRequest, OutcomeUnknown, Rejected
from warmxfer.schemas import (
    CallerRescued,
    CommandFailed,
    CommandReply,
    FailureKind,
    InvalidRequest,
    RescueByAgent,
    RescueByDial,
    RescueCaller,
    RetryableError,
    SIPDestination,
    WarmxferError,
)

from ...common.command_replies import command_failed, command_rejected
from ...common.dial_policy import RESCUE as RESCUE_FIELD
from .. import call_marks
from ..at_most_once import EffectClaim
from ..context import LOOK_UP_RESERVE_S, GatewayContext, in_s, left_s
from ..leg_lookup import find_marked_leg, look_up
from ..provider_polling import poll_until

RESCUE_EFFECTS = ("rescue", *(f"rescue-{place}" for place in range(2, 21)))
"""Effect names of the dial or the dispatch. The next one is used only after a request that did nothing."""

LEGS_UNKNOWN = "The provider did not say in time whether the caller is on the phone."
CALLER_GONE = "The caller has hung up."
WITH_SUPERVISOR = "The caller is with the supervisor."
ELSEWHERE = "The caller was moved to another room by another program."


@dataclass(frozen=True, slots=True)
class Legs:
    """Both legs as the provider's call records show them. A leg without a record is None."""

    caller: CallRecord | None
    supervisor: CallRecord | None


async def rescue_caller(
    context: GatewayContext, transfer_id: str, command: RescueCaller
) -> CommandReply | None:
    """Check the caller's leg, claim the rescue, and dial or dispatch it. No reply after the deadline."""
    if context.expired(command):
        return None
    destination = None
    if isinstance(command.rescue, RescueByDial):
        try:
            destination = context.policy.check(command.rescue, RESCUE_FIELD)
        except InvalidRequest as error:
            return command_rejected(command, error)
    effect, claim = await _newest_claim(context, transfer_id, command)
    if claim is None:
        if (failed := await _check(context, command)) is not None:
            return failed
        claim = await context.claims.claim(transfer_id, effect, command)
    if claim.forbidden:
        return command_failed(command, FailureKind.REFUSED, "The rescue came too late to begin.")
    if not claim.granted:
        if claim.end_kind in ("refused", "not_sent"):
            return command_failed(command, FailureKind.REFUSED, "This rescue was refused earlier.")
        return await _find(context, transfer_id, command, context.to_loop_time(claim.settled_at), None)
    if destination is not None:
        try:
            await context.counters.take_rescue(destination)
        except (InvalidRequest, RetryableError) as error:
            return await _not_done(context, transfer_id, effect, command, error)
    return await _rescue(context, transfer_id, effect, command, claim, destination)


async def _newest_claim(
    context: GatewayContext, transfer_id: str, command: RescueCaller
) -> tuple[str, EffectClaim | None]:
    """Return the first effect that is unclaimed, or whose request may have done something, or the last one;
    and its claim.
    """
    effect, claim = RESCUE_EFFECTS[0], None
    for effect in RESCUE_EFFECTS:
        claim = await context.claims.find_claim(transfer_id, effect, command)
        if claim is None or claim.end_kind != "not_sent":
            break
    return effect, claim


async def _not_done(
    context: GatewayContext, transfer_id: str, effect: str, command: RescueCaller, error: WarmxferError
) -> CommandFailed:
    """Record that the request did nothing, and reply so. The coordinator repeats what may succeed later."""
    is_retryable = isinstance(error, RetryableError)
    await context.claims.record_end(transfer_id, effect, "not_sent" if is_retryable else "refused")
    return command_rejected(command, error, not_begun=is_retryable)


async def _check(context: GatewayContext, command: RescueCaller) -> CommandFailed | None:
    """Return why no rescue is needed or possible, or None."""
    # The other half of the time is for the rescue.
    check_s = left_s(context.reply_deadline(command) - LOOK_UP_RESERVE_S) / 2
    legs = await poll_until(lambda within_s: _legs(context, command, within_s), in_s(check_s))
    if legs is None:
        return command_failed(command, FailureKind.REFUSED, LEGS_UNKNOWN, not_begun=True)
    if isinstance(legs, Rejected):
        # It says nothing about the caller: the credentials or the account may be in order a moment later.
        return command_rejected(command, legs, not_begun=True)
    caller, supervisor = legs.caller, legs.supervisor
    if caller is None or not caller.up:
        return command_failed(command, FailureKind.CALLER_GONE, CALLER_GONE)
    consultation = command.consultation_room_id
    may_be_there = consultation is not None and caller.room_id in (None, consultation)
    if may_be_there and supervisor is not None and supervisor.up:
        return command_failed(command, FailureKind.CALLED_OFF, WITH_SUPERVISOR)
    if caller.room_id not in (None, command.room_id, consultation):
        return command_failed(command, FailureKind.REFUSED, ELSEWHERE)
    return None


async def _legs(context: GatewayContext, command: RescueCaller, within_s: float) -> Legs | Rejected:
    """Return both legs, or the refusal that no later read would change."""
    supervisor: CallRecord | None = None
    read_by = in_s(within_s)
    try:
        if command.caller_call_id is None:
            caller = await context.provider.find_caller_call(command.room_id, within_s=within_s)
        else:
            caller = await look_up(context, command.caller_call_id, within_s)
        if command.supervisor_call_id is not None:
            supervisor = await look_up(context, command.supervisor_call_id, left_s(read_by))
    except Rejected as error:
        return error
    return Legs(caller, supervisor)


async def _rescue(
    context: GatewayContext,
    transfer_id: str,
    effect: str,
    command: RescueCaller,
    claim: EffectClaim,
    destination: SIPDestination | None,
) -> CommandReply:
    """Send the one request to the provider: dial `destination`, or dispatch an agent."""
    send_by = min(claim.send_by, context.reply_deadline(command) - LOOK_UP_RESERVE_S)
    try:
        match command.rescue:
            case RescueByDial() as rescue:
                dialed = await context.provider.dial(
                    _dial_request(transfer_id, command, destination or rescue, context.deployment),
                    within_s=left_s(send_by),
                )
                return CallerRescued(command_id=command.command_id, by="dial", call_id=dialed.call_id)
            case RescueByAgent(agent_id=agent_id, version_id=version_id, metadata=metadata):
                await context.provider.dispatch_agent(
                    agent_id,
                    command.room_id,
                    version_id=version_id,
                    metadata={**metadata, **call_marks.rescue_metadata(transfer_id)},
                    within_s=left_s(send_by),
                )
                return CallerRescued(command_id=command.command_id, by="agent")
    except NOTHING_DONE as error:
        return await _not_done(context, transfer_id, effect, command, error)
    except OutcomeUnknown as error:
        await context.claims.record_end(transfer_id, effect, "doubtful")
        return await _find(context, transfer_id, command, in_s(context.claims.settle_s), error)


async def _find(
    context: GatewayContext,
    transfer_id: str,
    command: RescueCaller,
    until: float,
    unknown: OutcomeUnknown | None,
) -> CommandReply:
    """Search for the leg of a rescue that may have been dialled; reply UNKNOWN if none is found.

    The provider has no record by which a dispatch could be found.
    """
    if isinstance(command.rescue, RescueByDial):
        key = call_marks.rescue_key(transfer_id)
        leg = await find_marked_leg(context, command, key, until)
        if leg is not None:
            return CallerRescued(command_id=command.command_id, by="dial", call_id=leg.call_id)
    reason = str(unknown) if unknown else "Another gateway may have begun this rescue"
    status = unknown.status if unknown else None
    return command_failed(command, FailureKind.UNKNOWN, f"{reason}; it is not repeated.", status=status)


def _dial_request(
    transfer_id: str, command: RescueCaller, destination: SIPDestination, deployment: str | None
) -> DialRequest:
    return DialRequest(
        room_id=command.room_id,
        participant_id=command.participant_id,
        ringing_timeout_s=command.ringing_timeout_s,
        destination=destination,
        metadata=call_marks.rescue_metadata(transfer_id, deployment),
    )
