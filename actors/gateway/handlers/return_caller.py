"""ReturnCaller: moves the caller back to the AI, only from the room of this transfer.

- Invariant: `ReturnCaller` wins over `SwitchCaller`. If it is first, the switch never happens. If it is
  second, it waits until the switch can no longer take effect unseen, and then checks where the caller is.
- Invariant: each claim allows at most one move back. A move that had no effect (the gateway died, the
  provider refused or failed) is repeated under a new claim, after the old one can no longer take effect.
  A second move to the same room would do no harm.
- Invariant: the claims of a transfer last longer than the search for its caller. All commands share the
  claims, and share the pause after a refusal: the number of commands does not use the claims up faster.

Test: `tests/actors/gateway/test_return_caller.py`.
"""

from __future__ import annotations

from warmxfer.adapters.telephony import NOTHING_DONE, CallRecord, OutcomeUnknown, Rejected
from warmxfer.schemas import (
    CallerReturned,
    CommandReply,
    FailureKind,
    RetryableError,
    ReturnCaller,
    WarmxferError,
)

from ...common.command_replies import command_failed, command_rejected
from ..at_most_once import EffectClaim
from ..context import CLEAN_UP_S, LOOK_UP_RESERVE_S, GatewayContext, in_s, left_s
from ..leg_lookup import SWITCH, LegPosition, is_down, leg_position, look_up
from ..provider_polling import poll_until

RETURN_EFFECTS = ("return", *(f"return-{place}" for place in range(2, 301)))
"""Effects under which the caller may be moved back, used one after the other. At the longest pause they last
75 minutes; the coordinator searches for a caller for at most an hour after the end.
"""
REFUSED_RETRY_S, REFUSED_RETRY_MAX_S = 1.0, 15.0
"""Pause after a refusal; it doubles each time. The provider refuses while no AI is in the primary room, and
an AI whose process died needs time to return.
"""
REFUSED_AFTER_S = 70.0
"""How long after its deadline a command is still tried again. Then the reply says that the provider refused,
and the coordinator decides.
"""
MIN_MOVE_S = 1.0
"""With less time than this, no claim is used."""
REFUSED_BEFORE = "The provider refused to move the caller back a moment ago."


async def return_caller(context: GatewayContext, transfer_id: str, command: ReturnCaller) -> CommandReply:
    """Forbid the switch, and move the caller to the primary room if they are not there."""
    switch_claim = await context.claims.forbid(transfer_id, SWITCH, command)
    reply_by = context.reply_deadline(command, at_least_s=CLEAN_UP_S)
    settled_by = in_s(0.0) if switch_claim.forbidden else context.to_loop_time(switch_claim.settled_at)
    found = await poll_until(
        lambda within_s: _settled_position(context, command, switch_claim, settled_by, within_s), reply_by
    )
    if found is None:
        return command_failed(command, FailureKind.UNKNOWN, "The provider did not say where the caller is.")
    position, record = found
    if record is None or position is LegPosition.GONE:
        return CallerReturned(command_id=command.command_id, caller_up=False)
    if position is LegPosition.THERE:
        return CallerReturned(command_id=command.command_id, caller_up=True)
    return await _return(context, transfer_id, command, record, reply_by)


async def _settled_position(
    context: GatewayContext,
    command: ReturnCaller,
    switch_claim: EffectClaim,
    settled_by: float,
    within_s: float,
) -> tuple[LegPosition, CallRecord | None] | None:
    """Return where the caller is, or None while that may still change.

    A move that is under way or that may still begin can change it until `settled_by`.
    """
    record = await look_up(context, command.caller_call_id, within_s)
    position = _position_before_return(record, command, switch_claim)
    # The caller was moved away and is back, so the switch is over.
    already_back = (
        position is LegPosition.THERE
        and record is not None
        and record.completed_moves > switch_claim.record.moves_done
    )
    waiting = (
        position in (LegPosition.THERE, LegPosition.UNDER_WAY) and not already_back and left_s(settled_by) > 0
    )
    return None if waiting else (position, record)


def _position_before_return(
    record: CallRecord | None, command: ReturnCaller, switch_claim: EffectClaim
) -> LegPosition:
    """Return whether the caller is still where this transfer moved them.

    A record without a room is judged by its number of completed moves.
    """
    if record is None or not record.up:
        return LegPosition.GONE
    if record.moving:
        return LegPosition.UNDER_WAY
    if record.room_id is None:
        moved = not switch_claim.forbidden and record.completed_moves > switch_claim.record.moves_done
        return LegPosition.ELSEWHERE if moved else LegPosition.THERE
    # A caller in a third room belongs to a newer transfer, and this command may be an old redelivery.
    return LegPosition.ELSEWHERE if record.room_id == command.from_room_id else LegPosition.THERE


async def _return(
    context: GatewayContext, transfer_id: str, command: ReturnCaller, record: CallRecord, reply_by: float
) -> CommandReply:
    """Move the caller back under the first claim that can still have an effect."""
    place = 0
    while place < len(RETURN_EFFECTS):
        if left_s(reply_by) < LOOK_UP_RESERVE_S + MIN_MOVE_S:
            raise RetryableError("There is no time left to move the caller back")
        claim = await context.claims.claim(
            transfer_id,
            RETURN_EFFECTS[place],
            command,
            even_late=True,
            moves_done=record.completed_moves,
            moves_failed=record.failed_moves,
        )
        if claim.forbidden:
            return command_failed(command, FailureKind.REFUSED, "The transfer is over and was archived.")
        if claim.granted:
            try:
                await _switch_back(context, transfer_id, RETURN_EFFECTS[place], command, claim, reply_by)
            except NOTHING_DONE as error:
                return await _refused(context, place, command, error, reply_by)
        else:
            place, claim = await _newest_claim(context, transfer_id, command, place, claim)
            pause_s = _pause_s(place) + left_s(context.to_loop_time(claim.settled_at))
            if claim.end_kind == "refused" and pause_s > 0:
                return _retry(context, command, Rejected(REFUSED_BEFORE), pause_s)
        seen = await _watch_return(context, transfer_id, RETURN_EFFECTS[place], command, claim, reply_by)
        if seen is None:
            return command_failed(
                command, FailureKind.UNKNOWN, "The caller was moved back, and the arrival was not seen."
            )
        position, current = seen
        if current is None or position in (LegPosition.THERE, LegPosition.GONE):
            return CallerReturned(command_id=command.command_id, caller_up=position is LegPosition.THERE)
        record = current
        if _is_settled(context, claim):
            place += 1  # Else the provider has just refused the move of another command: its pause begins.
    return command_failed(command, FailureKind.REFUSED, "The provider could not move the caller back.")


async def _newest_claim(
    context: GatewayContext, transfer_id: str, command: ReturnCaller, place: int, claim: EffectClaim
) -> tuple[int, EffectClaim]:
    """Return the newest claim from `place` on, where `claim` is. Each claim follows the one before it."""
    step = 1
    while step:
        probe = place + step
        found = (
            await context.claims.find_claim(transfer_id, RETURN_EFFECTS[probe], command)
            if probe < len(RETURN_EFFECTS)
            else None
        )
        if found is None:
            step //= 2
        else:
            place, claim, step = probe, found, step * 2
    return place, claim


async def _switch_back(
    context: GatewayContext,
    transfer_id: str,
    effect: str,
    command: ReturnCaller,
    claim: EffectClaim,
    reply_by: float,
) -> None:
    """Ask the provider once to move the caller. Raises if the provider certainly did nothing."""
    send_by = min(claim.send_by, reply_by - LOOK_UP_RESERVE_S)
    try:
        await context.provider.switch(
            command.caller_call_id, command.room_id, command.participant_id, within_s=left_s(send_by)
        )
    except NOTHING_DONE:
        await context.claims.record_end(transfer_id, effect, "refused")
        raise
    except OutcomeUnknown:
        await context.claims.record_end(transfer_id, effect, "doubtful")


async def _refused(
    context: GatewayContext, place: int, command: ReturnCaller, error: WarmxferError, reply_by: float
) -> CommandReply:
    """Handle a refusal: the caller has hung up, or the command is tried again, or its time is over."""
    if await is_down(context, command.caller_call_id, reply_by):
        return CallerReturned(command_id=command.command_id, caller_up=False)
    return _retry(context, command, error, _pause_s(place))


def _retry(
    context: GatewayContext, command: ReturnCaller, error: WarmxferError, pause_s: float
) -> CommandReply:
    """Have the command tried again after a pause, or reply that the provider refused: its time is over."""
    if context.clock.now() < command.deadline_at + REFUSED_AFTER_S:
        raise RetryableError(str(error), after_s=pause_s)
    return command_rejected(command, error)


def _pause_s(place: int) -> float:
    """Return the pause after a refusal under the claim at `place`."""
    return min(REFUSED_RETRY_S * 2 ** min(place, 16), REFUSED_RETRY_MAX_S)


async def _watch_return(
    context: GatewayContext,
    transfer_id: str,
    effect: str,
    command: ReturnCaller,
    claim: EffectClaim,
    reply_by: float,
) -> tuple[LegPosition, CallRecord | None] | None:
    """Return the position after a move back, or None while it is undecided.

    The request of another command may be refused meanwhile. Then its move does not happen any more.
    """

    async def read(within_s: float) -> tuple[LegPosition, CallRecord | None] | None:
        settled = _is_settled(context, claim)
        record = await look_up(context, command.caller_call_id, within_s)
        position = leg_position(record, command.room_id, claim.record)
        if position is LegPosition.ELSEWHERE and not settled and not claim.granted:
            newest = await context.claims.find_claim(transfer_id, effect, command)
            settled = newest is not None and newest.end_kind == "refused"
        undecided = position is LegPosition.UNDER_WAY or (position is LegPosition.ELSEWHERE and not settled)
        return None if undecided else (position, record)

    return await poll_until(read, reply_by)


def _is_settled(context: GatewayContext, claim: EffectClaim) -> bool:
    """Return whether the move of `claim` can no longer take effect unseen."""
    return left_s(context.to_loop_time(claim.settled_at)) <= 0
