"""The caller's leg, moved to the supervisor: at most once, and only while both legs are up."""

from __future__ import annotations

import asyncio

from warmxfer.actors.providers import CallRecord, Doubtful, NotDone, Undone
from warmxfer.schemas import Answer, CallerSwitched, CommandFailed, Fault, SwitchCaller

from .answers import failed, refused
from .desk import LOOK_UP_RESERVE_S, Desk, in_s, left_s
from .effects import Turn, look_until
from .standing import SWITCH, Stand, has_hung_up, look_up, stand

UNSEEN = "The provider did not say whether both are still on the phone; the caller was not moved."
LATE_STATUSES = frozenset({408, 504})
"""Answers of somebody between us and the provider who stopped waiting: the request may still be at work."""

Legs = tuple[CallRecord | None, CallRecord | None]
"""The caller's and the supervisor's; None: gone."""


async def switch_caller(desk: Desk, transfer_id: str, command: SwitchCaller) -> Answer:
    """Check that both legs are up, then move the caller's."""
    turn = await desk.effects.seen(transfer_id, SWITCH)
    if turn is None:
        checked = await _check(desk, transfer_id, command)
        if isinstance(checked, CommandFailed):
            return checked
        turn = checked
    if turn.off:
        return failed(command, Fault.CALLED_OFF, "The move was called off before it began.")
    if not turn.mine:
        if turn.ending == "refused":
            return failed(command, Fault.REFUSED, "The provider has refused this move before.")
        return await _find_moved(desk, command, turn, desk.here(turn.quiet_at), None)
    send_by = min(turn.send_by, desk.answer_by(command) - LOOK_UP_RESERVE_S)
    try:
        response = await desk.provider.switch(
            command.caller_call_id, command.room_id, command.participant_id, within_s=left_s(send_by)
        )
    except Undone as error:
        await desk.effects.ended(transfer_id, SWITCH, "refused")
        if await has_hung_up(desk, command.caller_call_id, desk.answer_by(command)):
            return _caller_gone(command)
        return refused(command, error)
    except Doubtful as error:
        await desk.effects.ended(transfer_id, SWITCH, "doubtful")
        return await _find_moved(desk, command, turn, in_s(desk.effects.settle_s), error)
    return CallerSwitched(command_id=command.command_id, response=response)


async def _check(desk: Desk, transfer_id: str, command: SwitchCaller) -> Turn | CommandFailed:
    """The move's turn, when both legs are up; else the answer that says which one is not."""
    # The other half of the time is the move's.
    time_s = left_s(desk.answer_by(command) - LOOK_UP_RESERVE_S) / 2
    if time_s <= 0:
        return await desk.effects.forbid(transfer_id, SWITCH, command)
    legs = await look_until(lambda within_s: _legs(desk, command, within_s), in_s(time_s))
    if legs is None or isinstance(legs, NotDone):
        turn = await desk.effects.forbid(transfer_id, SWITCH, command)
        if not turn.off:
            return turn
        return refused(command, legs) if legs else failed(command, Fault.REFUSED, UNSEEN)
    caller, supervisor = legs
    if caller is None or not caller.up:
        return _caller_gone(command)
    if supervisor is None or not supervisor.up:
        # Another delivery may have looked while they were there, and must not move the caller after this.
        turn = await desk.effects.forbid(transfer_id, SWITCH, command)
        return failed(command, Fault.SUPERVISOR_GONE, "The supervisor has hung up.") if turn.off else turn
    return await desk.effects.begin(
        transfer_id,
        SWITCH,
        command,
        moves_done=caller.moves_done,
        moves_failed=caller.moves_failed,
    )


async def _legs(desk: Desk, command: SwitchCaller, within_s: float) -> Legs | NotDone:
    try:
        return await asyncio.gather(
            look_up(desk, command.caller_call_id, within_s),
            look_up(desk, command.supervisor_call_id, within_s),
        )
    except NotDone as error:
        # Asking again will not help.
        return error


async def _find_moved(
    desk: Desk, command: SwitchCaller, turn: Turn, until: float, doubt: Doubtful | None
) -> Answer:
    """The move may have happened: see where the caller is, or say that we do not know."""
    last = Stand.UNDER_WAY

    async def look(within_s: float) -> CallRecord | Stand | None:
        nonlocal last
        last = Stand.UNDER_WAY
        record = await look_up(desk, command.caller_call_id, within_s)
        last = stand(record, command.room_id, turn.intent)
        if last is Stand.THERE:
            return record
        return last if last in (Stand.GONE, Stand.FAILED) else None

    found = await look_until(look, min(until, desk.answer_by(command)))
    if isinstance(found, CallRecord):
        return CallerSwitched(command_id=command.command_id, response={"data": dict(found.raw)})
    if found is Stand.GONE:
        return _caller_gone(command)
    if found is Stand.FAILED:
        return failed(command, Fault.REFUSED, "The provider could not move the caller.")
    status = doubt.status if doubt else None
    if doubt and status and status not in LATE_STATUSES and last is Stand.ELSEWHERE:
        return failed(command, Fault.REFUSED, f"{doubt}; the caller was not moved.", status=status)
    why = str(doubt) if doubt else "Another gateway began this move"
    return failed(command, Fault.UNKNOWN, f"{why}; where the caller is was not seen.", status=status)


def _caller_gone(command: SwitchCaller) -> CommandFailed:
    return failed(command, Fault.CALLER_GONE, "The caller has hung up.")
