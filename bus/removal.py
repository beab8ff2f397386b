"""Removal of stored messages: of an archived transfer, and of messages that came after its archiving.

    purge       costs the broker a third of a millisecond, whatever it removes. The text stays in the file of
                its block until the broker writes that file again, or removes it
    delete      costs as much for each message, and leaves the text too
    overwrite   writes random bytes over each message. The broker writes the file of the block anew for it,
                which has up to 8 MB: a third of a millisecond to 4 ms each

A store that is encrypted by the broker is not overwritten: its blocks are unreadable without the key. All
three need a right that only the coordinator has. Test: `tests/bus/test_removal.py`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from .connection import Connection, JetStreamApiError
from .errors import InternalError
from .stream_reader import get_from_leader
from .subjects import Place

_NO_STREAM = 10059
_NO_MESSAGE = (10037, 10043, 10057)


async def purge(connection: Connection, place: Place, before: int | None, deadline_s: float) -> int:
    """Remove the messages of `place` with a number below `before`, or all; return how many."""
    body: dict[str, Any] = {"filter": place.subject}
    if before is not None:
        body["seq"] = before
    try:
        answer = await connection.api(f"STREAM.PURGE.{place.stream}", body, deadline_s)
    except JetStreamApiError as error:
        raise _failure(connection, place.stream, f"purge {place.subject}", error) from error
    return int(answer.get("purged", 0))


async def delete(
    connection: Connection, stream: str, seq: int, deadline_s: float, *, overwrite: bool = False
) -> None:
    """Remove message number `seq` of `stream`, or overwrite it. If there is none, this does nothing."""
    body = {"seq": seq} if overwrite else {"seq": seq, "no_erase": True}
    try:
        await connection.api(f"STREAM.MSG.DELETE.{stream}", body, deadline_s)
    except JetStreamApiError as error:
        if error.err_code not in _NO_MESSAGE:
            raise _failure(connection, stream, f"delete message {seq}", error) from error


async def overwrite(
    connection: Connection, place: Place, before: int | None, keep: Collection[int], deadline_s: float
) -> int:
    """Remove and overwrite the messages of `place`, one by one; return how many.

    With `before`, only those with a lower number. Those with a number in `keep` stay. The leader is asked for
    each message, because a replica may not show all of them. `deadline_s` is for each request.
    """
    seq = removed = 0
    while True:
        query = {"seq": seq + 1, "next_by_subj": place.subject}
        found = await get_from_leader(connection, place.stream, query, deadline_s)
        if found is None or (before is not None and found.seq >= before):
            return removed
        seq = found.seq
        if seq not in keep:
            await delete(connection, place.stream, seq, deadline_s, overwrite=True)
            removed += 1


def _failure(connection: Connection, stream: str, what: str, error: JetStreamApiError) -> Exception:
    if error.err_code == _NO_STREAM:
        return connection.stream_missing(stream)
    return InternalError(
        f"The broker did not {what} of stream {stream}: {error.description} ({error.err_code})"
    )
