"""The caller's leg, back with the AI: moved at most once, and only if it is where we took it.

`ReturnCaller` is stronger than `SwitchCaller`: if it comes first, the move never happens; if it comes
after, it waits until the move can no longer happen unseen, and then sees to it that the caller is home.

A way back that came to nothing (its gateway died, the provider would not or could not) is begun again under
a claim of its own, but not before the one before it can no longer happen: a caller is worth more than one
try, and two moves to the same room would do no harm.
"""

from __future__ import annotations

from warmxfer.actors.providers import CallRecord, Doubtful, Undone
from warmxfer.schemas import Answer, CallerReturned, Fault, Retry, ReturnCaller, WarmTransferError

from .answers import failed, refused
from .desk import CLEAN_UP_S, LOOK_UP_RESERVE_S, Desk, in_s, left_s
from .effects import Turn, look_until
from .standing import SWITCH, Stand, has_hung_up, look_up, stand

RETURNS = ("return", *(f"return-{place}" for place in range(2, 11)))
"""The claims under which the caller may be moved back, one after the other."""
REFUSED_RETRY_S, REFUSED_RETRY_MAX_S = 1.0, 15.0
"""Each refusal is followed by a longer pause: an AI whose process has died takes a while to be back."""
MIN_MOVE_S = 1.0
"""With less time than this no claim is used up."""


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
    record = await look_up(desk, command.caller_call_id, within_s)
    where = _home(record, command, forward)
    # They were moved away and are back: that move does not begin any more.
    over = where is Stand.THERE and record is not None and record.moves_done > forward.intent.moves_done
    waiting = where in (Stand.THERE, Stand.UNDER_WAY) and not over and left_s(quiet) > 0
    return None if waiting else (where, record)


def _home(record: CallRecord | None, command: ReturnCaller, forward: Turn) -> Stand:
    """Whether the caller is still where we took them. A book that names no room is read by its moves."""
    if record is None or not record.up:
        return Stand.GONE
    if record.moving:
        return Stand.UNDER_WAY
    if record.room_id is None:
        moved = not forward.off and record.moves_done > forward.intent.moves_done
        return Stand.ELSEWHERE if moved else Stand.THERE
    # In a third room they are somebody else's by now, who is not to lose them to an order of old.
    return Stand.ELSEWHERE if record.room_id == command.from_room_id else Stand.THERE


async def _bring_back(
    desk: Desk, transfer_id: str, command: ReturnCaller, record: CallRecord, answer_by: float
) -> Answer:
    """Move the caller home, under the first claim that has not come to nothing."""
    for effect in RETURNS:
        if left_s(answer_by) < LOOK_UP_RESERVE_S + MIN_MOVE_S:
            raise Retry("There is no time left to move the caller back in")
        turn = await desk.effects.begin(
            transfer_id,
            effect,
            command,
            even_late=True,
            moves_done=record.moves_done,
            moves_failed=record.moves_failed,
        )
        if turn.mine:
            try:
                await _move(desk, transfer_id, effect, command, turn, answer_by)
            except Undone as error:
                return await _not_moved(desk, effect, command, error, answer_by)
        seen = await _watch(desk, command, turn, answer_by)
        if seen is None:
            return failed(command, Fault.UNKNOWN, "The caller was moved back and not seen to arrive.")
        where, now = seen
        if now is None or where in (Stand.THERE, Stand.GONE):
            return CallerReturned(command_id=command.command_id, caller_up=where is Stand.THERE)
        record = now
    return failed(command, Fault.REFUSED, "The provider could not move the caller back.")


async def _move(
    desk: Desk, transfer_id: str, effect: str, command: ReturnCaller, turn: Turn, answer_by: float
) -> None:
    """Ask the provider, once; raises when it certainly did nothing."""
    send_by = min(turn.send_by, answer_by - LOOK_UP_RESERVE_S)
    try:
        await desk.provider.switch(
            command.caller_call_id, command.room_id, command.participant_id, within_s=left_s(send_by)
        )
    except Undone:
        await desk.effects.ended(transfer_id, effect, "refused")
        raise
    except Doubtful:
        await desk.effects.ended(transfer_id, effect, "doubtful")


async def _not_moved(
    desk: Desk, effect: str, command: ReturnCaller, error: WarmTransferError, answer_by: float
) -> Answer:
    """The provider said no: the caller is gone, or it is asked again soon, or that was the last time."""
    if await has_hung_up(desk, command.caller_call_id, answer_by):
        return CallerReturned(command_id=command.command_id, caller_up=False)
    if effect != RETURNS[-1]:
        pause_s = min(REFUSED_RETRY_S * 2 ** RETURNS.index(effect), REFUSED_RETRY_MAX_S)
        raise Retry(str(error), after_s=pause_s)
    return refused(command, error)


async def _watch(
    desk: Desk, command: ReturnCaller, turn: Turn, answer_by: float
) -> tuple[Stand, CallRecord | None] | None:
    """What became of a way back: home, gone, or come to nothing. None: it is not decided yet."""

    async def look(within_s: float) -> tuple[Stand, CallRecord | None] | None:
        quiet = left_s(desk.here(turn.quiet_at)) <= 0
        record = await look_up(desk, command.caller_call_id, within_s)
        where = stand(record, command.room_id, turn.intent)
        undecided = where is Stand.UNDER_WAY or (where is Stand.ELSEWHERE and not quiet)
        return None if undecided else (where, record)

    return await look_until(look, answer_by)
