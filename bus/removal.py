"""Removal of stored messages: of an archived transfer, and of messages that came after its archiving.

A purge by the prefix of a transfer costs the broker a third of a millisecond, whatever it removes. A deletion
costs as much for each message. Both need a right that only the coordinator has.
"""

from __future__ import annotations

from typing import Any

from .connection import Connection, JetStreamApiError
from .errors import InternalError
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


async def delete(connection: Connection, stream: str, seq: int, deadline_s: float) -> None:
    """Remove message number `seq` of `stream`. If there is none, this does nothing."""
    try:
        await connection.api(f"STREAM.MSG.DELETE.{stream}", {"seq": seq, "no_erase": True}, deadline_s)
    except JetStreamApiError as error:
        if error.err_code not in _NO_MESSAGE:
            raise _failure(connection, stream, f"delete message {seq}", error) from error


def _failure(connection: Connection, stream: str, what: str, error: JetStreamApiError) -> Exception:
    if error.err_code == _NO_STREAM:
        return connection.stream_missing(stream)
    return InternalError(
        f"The broker did not {what} of stream {stream}: {error.description} ({error.err_code})"
    )
