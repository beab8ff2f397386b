"""The caller's leg, back with the AI: moved at most once, and only if it is not there.

`ReturnCaller` is stronger than `SwitchCaller`: if it comes first, the move never happens; if it comes
after, it waits until the move can no longer happen unseen, and then sees to it that the caller is home.
"""

from __future__ import annotations

from warmxfer.actors.providers import CallRecord, Doubtful, Undone
from warmxfer.schemas import Answer, CallerReturned, Fault, ReturnCaller

from .answers import failed, refused
from .desk import CLEAN_UP_S, LOOK_UP_RESERVE_S, Desk, in_s, left_s
from .effects import Turn, look_until
from .standing import RETURN, SWITCH, Stand, has_hung_up, stand


async def return_caller(desk: Desk, transfer_id: str, command: ReturnCaller) -> Answer:
    """See to it that the caller is in the primary room, and that no earlier order moves them out again."""
    forward = await desk.effects.forbid(transfer_id, SWITCH, command)
    answer_by = desk.answer_by(command, at_least_s=CLEAN_UP_S)
    quiet = in_s(0.0) if forward.off else desk.here(forward.quiet_at)
    found = await look_until(lambda within_s: _settled(desk, command, forward, quiet, within_s), answer_by)
    if found is None:
        return failed(command, Fault.UNKNOWN, "Where the caller is was not seen.")
    where, record = found
    if record is None or where is Stand.GONE:
        return CallerReturned(command_id=command.command_id, caller_up=False)
    if where is Stand.THERE:
        return CallerReturned(command_id=command.command_id, caller_up=True)
    return await _bring_back(desk, transfer_id, command, record, answer_by)


async def _settled(
    desk: Desk, command: ReturnCaller, forward: Turn, quiet: float, within_s: float
) -> tuple[Stand, CallRecord | None] | None:
    """Where the caller is, once that can be relied on: a move under way, or one that may still begin, is
    waited for until `quiet`."""
    record = await desk.provider.look_up_call(command.caller_call_id, within_s=within_s)
    where = _home(record, command, forward)
    waiting = where in (Stand.THERE, Stand.UNDER_WAY) and left_s(quiet) > 0
    return None if waiting else (where, record)


def _home(record: CallRecord | None, command: ReturnCaller, forward: Turn) -> Stand:
    """How the caller stands to the primary room. A book that names no room is read by its moves."""
    if record is None or not record.up:
        return Stand.GONE
    if record.moving:
        return Stand.UNDER_WAY
    if record.room_id is None:
        moved = not forward.off and record.moves_done > forward.intent.moves_done
        return Stand.ELSEWHERE if moved else Stand.THERE
    return Stand.THERE if record.room_id == command.room_id else Stand.ELSEWHERE


async def _bring_back(
    desk: Desk, transfer_id: str, command: ReturnCaller, record: CallRecord, answer_by: float
) -> Answer:
    """Move the caller home; who finds that begun already only watches it."""
    turn = await desk.effects.begin(
        transfer_id,
        RETURN,
        command,
        even_late=True,
        moves_done=record.moves_done,
        moves_failed=record.moves_failed,
    )
    if turn.mine:
        send_by = min(turn.send_by, answer_by - LOOK_UP_RESERVE_S)
        try:
            await desk.provider.switch(
                command.caller_call_id, command.room_id, command.participant_id, within_s=left_s(send_by)
            )
        except Undone as error:
            await desk.effects.ended(transfer_id, RETURN, "refused")
            if await has_hung_up(desk, command.caller_call_id, answer_by):
                return CallerReturned(command_id=command.command_id, caller_up=False)
            return refused(command, error)
        except Doubtful:
            await desk.effects.ended(transfer_id, RETURN, "doubtful")

    async def look(within_s: float) -> Stand | None:
        now = await desk.provider.look_up_call(command.caller_call_id, within_s=within_s)
        where = stand(now, command.room_id, turn.intent)
        return None if where in (Stand.UNDER_WAY, Stand.ELSEWHERE) else where

    where = await look_until(look, answer_by)
    if where is Stand.FAILED:
        return failed(command, Fault.REFUSED, "The provider could not move the caller back.")
    if where is None:
        return failed(command, Fault.UNKNOWN, "The caller was moved back and not seen to arrive.")
    return CallerReturned(command_id=command.command_id, caller_up=where is Stand.THERE)
