"""One transfer per caller: the subject `wx.session.<session>.lock` names the transfer that has the caller.

A lock is never released. Another transfer takes it over when the transfer that holds it has ended. So a crash
at any point leaves nothing to clean up.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from msgspec import Struct

from warmxfer.bus import Bus, RetryableError, StaleWrite, Stored, subjects
from warmxfer.schemas import DecodeError, InvalidRequest, decode_as, encode
from warmxfer.schemas.fields import Id

MAX_RACES = 10
UNSTARTED_LOCK_S = 60.0
"""Validity of a lock whose transfer has no record yet: its coordinator may be about to write the record."""


class CallerLock(Struct, frozen=True):
    transfer_id: Id


async def lock_caller(
    bus: Bus, session: str, id: str, now: float, is_live: Callable[[str], Awaitable[bool | None]]
) -> str | None:
    """Lock the caller of `session` for transfer `id`; return the other transfer that has the lock, or None.

    `is_live` returns whether a transfer is running, and None if it has no record.
    """
    last: Stored | None = None
    for attempt in range(MAX_RACES):
        # Most sessions have one transfer, so the first attempt takes the lock without reading it.
        if attempt > 0:
            last = await bus.get_last_from_leader(subjects.caller_lock(session))
        if last is not None:
            holder = lock_holder(last)
            if holder == id:
                return None
            if await _is_held(last, holder, now, is_live):
                return holder
        try:
            await bus.publish(
                subjects.caller_lock(session), encode(CallerLock(id)), expect_last=last.seq if last else 0
            )
        except StaleWrite:
            continue
        return None
    raise RetryableError(
        f"The caller of session {session} was claimed by other transfers {MAX_RACES} times in a row"
    )


def lock_holder(lock: Stored) -> str:
    """Return the transfer that holds `lock`; one that does not exist if the lock cannot be read.

    Such a lock is valid for `UNSTARTED_LOCK_S`, as one whose transfer has no record yet.
    """
    try:
        return subjects.check_token(decode_as(CallerLock, lock.data).transfer_id)
    except (DecodeError, InvalidRequest):
        return subjects.INVALID_ID


async def _is_held(
    last: Stored, holder: str, now: float, is_live: Callable[[str], Awaitable[bool | None]]
) -> bool:
    live = await is_live(holder)
    return now - last.at < UNSTARTED_LOCK_S if live is None else live
