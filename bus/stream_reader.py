"""Stream reads: the newest message of a subject, the next after a number, and a history.

    get_last_from_leader,
    get_by_number_from_leader            answered by the leader: includes every acknowledged write
    get_last, get_first_after,
    get_by_number, history               direct gets, answered by any replica: may be stale

A replica that stalls answers with old data. A healthy one is some milliseconds behind. A message that a
direct get returns was stored. A message that it does not return may have been stored.

A direct get is enough in three cases: a guarded write decides, the code reads again, or an old answer does no
harm. Code that drops something for good because a message does not exist reads from the leader. For some
seconds after a leader died there is none. A leader that was cut off from the others still answers for as
long.

Every read waits for an unreachable broker until its deadline.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from .connection import Connection, JetStreamApiError, has_no_responders
from .errors import InternalError, InvalidRequest, Unavailable
from .message_headers import parse_headers
from .messages import Stored
from .nats_client import ArrivedMessage
from .reply_inbox import ConnectionLost
from .retry import RetryLoop
from .subjects import Place, place_of

BATCH = 256
MAX_HISTORY = 100_000
_NO_MESSAGE, _NO_STREAM = 10037, 10059
_READS = "answers reads"
_DIRECT_GET = "$JS.API.DIRECT.GET"

_ENVELOPE = ("Nats-Stream", "Nats-Num-Pending", "Nats-Last-Sequence")
"""Headers that the broker adds to a stored message, beside its subject, number and time."""


async def get_last_from_leader(connection: Connection, subject: str, deadline_s: float) -> Stored | None:
    """Return the newest message on `subject` (wildcards allowed) as the leader has it, or None."""
    stream, stored_as = place_of(subject)
    return await get_from_leader(connection, stream, {"last_by_subj": stored_as}, deadline_s)


async def get_by_number_from_leader(
    connection: Connection, stream: str, seq: int, deadline_s: float
) -> Stored | None:
    """Return the message with number `seq` of `stream` as the leader has it, or None."""
    return await get_from_leader(connection, stream, {"seq": seq}, deadline_s)


async def get_from_leader(
    connection: Connection, stream: str, query: Mapping[str, Any], deadline_s: float
) -> Stored | None:
    """Return the message of `stream` that `query` names as the leader has it, or None."""
    try:
        answer = await connection.api(f"STREAM.MSG.GET.{stream}", query, deadline_s)
    except JetStreamApiError as error:
        if error.err_code == _NO_MESSAGE:
            return None
        if error.err_code == _NO_STREAM:
            raise connection.stream_missing(stream) from error
        raise InternalError(
            f"The broker did not read {query} of stream {stream}: {error.description} ({error.err_code})"
        ) from error
    found: Mapping[str, Any] = answer["message"]
    return Stored(
        subject=found["subject"],
        seq=int(found["seq"]),
        at=datetime.fromisoformat(found["time"]).timestamp(),
        data=base64.b64decode(found.get("data", "")),
        headers=parse_headers(base64.b64decode(found.get("hdrs", ""))),
    )


async def get_last(connection: Connection, subject: str, deadline_s: float) -> Stored | None:
    """Return the newest message on `subject` (wildcards allowed) that some replica has, or None."""
    stream, stored_as = place_of(subject)
    if "*" in stored_as or ">" in stored_as:
        return await _get_one(connection, stream, {"last_by_subj": stored_as}, deadline_s)
    return await _get_one(connection, stream, stored_as, deadline_s)


async def get_first_after(connection: Connection, subject: str, seq: int, deadline_s: float) -> Stored | None:
    """Return the oldest message on `subject` with a number above `seq`, or None."""
    stream, stored_as = place_of(subject)
    return await _get_one(connection, stream, {"seq": seq + 1, "next_by_subj": stored_as}, deadline_s)


async def get_by_number(connection: Connection, stream: str, seq: int, deadline_s: float) -> Stored | None:
    """Return the message with number `seq` of `stream`, or None."""
    return await _get_one(connection, stream, {"seq": seq}, deadline_s)


async def history(
    connection: Connection, place: Place, limit: int, after: int, deadline_s: float
) -> list[Stored]:
    """Return the oldest `limit` messages of `place` above number `after`, in order."""
    if not 1 <= limit <= MAX_HISTORY:
        raise InvalidRequest(f"limit is {limit}; give 1 to {MAX_HISTORY}", field="limit")
    retry = RetryLoop(connection, deadline_s)
    found: list[Stored] = []
    while len(found) < limit:
        seq = (found[-1].seq if found else after) + 1
        wanted = min(BATCH, limit - len(found))
        timeout_s = retry.attempt_s or await retry.next_attempt()
        try:
            batch, pending = await _get_batch(connection, place, seq, wanted, timeout_s)
        except Unavailable as error:
            await retry.back_off(error)
            continue
        except (TimeoutError, ConnectionLost) as error:
            await retry.back_off(str(error) or "timeout")
            continue
        found += batch
        if not pending:
            break
    return found


async def count(connection: Connection, place: Place, deadline_s: float) -> int:
    """Return the number of messages of `place`. The broker counts them, and lists none."""
    retry = RetryLoop(connection, deadline_s)
    while True:
        timeout_s = retry.attempt_s or await retry.next_attempt()
        try:
            first, pending = await _get_batch(connection, place, 1, 1, timeout_s)
        except Unavailable as error:
            await retry.back_off(error)
        except (TimeoutError, ConnectionLost) as error:
            await retry.back_off(str(error) or "timeout")
        else:
            return len(first) + pending


async def _get_one(
    connection: Connection, stream: str, wanted: str | Mapping[str, Any], deadline_s: float
) -> Stored | None:
    """Return one message of `stream`: the newest on the subject `wanted`, or the one that a query names."""
    if isinstance(wanted, str):
        subject, data = f"{_DIRECT_GET}.{stream}.{wanted}", b""
    else:
        subject, data = f"{_DIRECT_GET}.{stream}", msgspec.json.encode(wanted)
    retry = RetryLoop(connection, deadline_s)
    while True:
        timeout_s = retry.attempt_s or await retry.next_attempt()
        try:
            reply = await connection.inbox.call(subject, data, None, timeout_s)
        except (TimeoutError, ConnectionLost) as error:
            why: str | Unavailable = str(error) or "timeout"
        else:
            if not has_no_responders(reply):
                return _stored(reply)
            why = connection.stream_silent(stream, _READS)
        await retry.back_off(why)


async def _get_batch(
    connection: Connection, place: Place, seq: int, wanted: int, timeout_s: float
) -> tuple[list[Stored], int]:
    """Return at most `wanted` messages from number `seq` on, and the number of messages after them."""
    body = msgspec.json.encode({"seq": seq, "next_by_subj": place.subject, "batch": wanted})
    *batch, last = await connection.inbox.call_for_batch(
        f"{_DIRECT_GET}.{place.stream}", body, _ends_batch, timeout_s
    )
    if has_no_responders(last):
        raise connection.stream_silent(place.stream, _READS)
    found = [stored for msg in batch if (stored := _stored(msg)) is not None]
    return found, int((last.headers or {}).get("Nats-Num-Pending", "0"))


def _ends_batch(msg: ArrivedMessage) -> bool:
    """Return whether a reply is no message: the end of a batch, or none was found."""
    return "Nats-Sequence" not in (msg.headers or {})


def _stored(msg: ArrivedMessage) -> Stored | None:
    """Return the message in a reply to a direct get, or None for "not found" and "end of batch"."""
    headers = msg.headers
    if not headers or "Nats-Sequence" not in headers:
        return None
    own = dict(headers)
    subject, seq, at = own.pop("Nats-Subject"), own.pop("Nats-Sequence"), own.pop("Nats-Time-Stamp")
    for name in _ENVELOPE:
        own.pop(name, None)
    return Stored(subject, int(seq), datetime.fromisoformat(at).timestamp(), msg.data, own)
