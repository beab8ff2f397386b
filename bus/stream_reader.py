"""Stream reads: the newest message of a subject, the next after a number, and a history.

    get_last_from_leader                 answered by the leader: includes every acknowledged write
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
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from .connection import Connection, JetStreamApiError, has_no_responders
from .errors import InternalError, InvalidRequest, Unavailable
from .messages import Stored
from .nats_client import ArrivedMessage, parse_headers
from .reply_inbox import ConnectionLost
from .retry import RetryLoop
from .stream import STREAM

BATCH = 256
MAX_HISTORY = 100_000
_NO_MESSAGE, _NO_STREAM = 10037, 10059
_READS = "answers reads"

_DIRECT_GET = f"$JS.API.DIRECT.GET.{STREAM}"
_ENVELOPE = frozenset(
    f"Nats-{name}" for name in ("Stream", "Subject", "Sequence", "Time-Stamp", "Num-Pending", "Last-Sequence")
)


async def get_last_from_leader(connection: Connection, subject: str, deadline_s: float) -> Stored | None:
    """Return the newest message on `subject` (wildcards allowed) as the leader has it, or None."""
    try:
        answer = await connection.api(f"STREAM.MSG.GET.{STREAM}", {"last_by_subj": subject}, deadline_s)
    except JetStreamApiError as error:
        if error.err_code == _NO_MESSAGE:
            return None
        if error.err_code == _NO_STREAM:
            raise connection.stream_missing() from error
        raise InternalError(
            f"The broker did not read {subject}: {error.description} ({error.err_code})"
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
    if "*" in subject or ">" in subject:
        return await _get_one(connection, _DIRECT_GET, {"last_by_subj": subject}, deadline_s)
    return await _get_one(connection, f"{_DIRECT_GET}.{subject}", None, deadline_s)


async def get_first_after(connection: Connection, subject: str, seq: int, deadline_s: float) -> Stored | None:
    """Return the oldest message on `subject` with a number above `seq`, or None."""
    return await _get_one(connection, _DIRECT_GET, {"seq": seq + 1, "next_by_subj": subject}, deadline_s)


async def get_by_number(connection: Connection, seq: int, deadline_s: float) -> Stored | None:
    """Return the message with number `seq`, or None."""
    return await _get_one(connection, _DIRECT_GET, {"seq": seq}, deadline_s)


async def history(
    connection: Connection, subject: str, limit: int, after: int, deadline_s: float
) -> list[Stored]:
    """Return the oldest `limit` messages on `subject` (wildcards allowed) above number `after`, in order."""
    if not 1 <= limit <= MAX_HISTORY:
        raise InvalidRequest(f"limit is {limit}; give 1 to {MAX_HISTORY}", field="limit")
    retry = RetryLoop(connection, deadline_s)
    found: list[Stored] = []
    while len(found) < limit:
        seq = (found[-1].seq if found else after) + 1
        wanted = min(BATCH, limit - len(found))
        timeout_s = await retry.next_attempt()
        try:
            batch, pending = await _get_batch(connection, subject, seq, wanted, timeout_s)
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


async def _get_one(
    connection: Connection, subject: str, body: Mapping[str, Any] | None, deadline_s: float
) -> Stored | None:
    data = b"" if body is None else json.dumps(body).encode()
    retry = RetryLoop(connection, deadline_s)
    while True:
        timeout_s = await retry.next_attempt()
        try:
            reply = await connection.inbox.call(subject, data, None, timeout_s)
        except (TimeoutError, ConnectionLost) as error:
            why: str | Unavailable = str(error) or "timeout"
        else:
            if not has_no_responders(reply):
                return _stored(reply)
            why = connection.stream_silent(_READS)
        await retry.back_off(why)


async def _get_batch(
    connection: Connection, subject: str, seq: int, wanted: int, timeout_s: float
) -> tuple[list[Stored], int]:
    """Return at most `wanted` messages from number `seq` on, and the number of messages after them."""
    body = json.dumps({"seq": seq, "next_by_subj": subject, "batch": wanted}).encode()
    *batch, last = await connection.inbox.call_for_batch(_DIRECT_GET, body, _ends_batch, timeout_s)
    if has_no_responders(last):
        raise connection.stream_silent(_READS)
    found = [stored for msg in batch if (stored := _stored(msg)) is not None]
    return found, int((last.headers or {}).get("Nats-Num-Pending", "0"))


def _ends_batch(msg: ArrivedMessage) -> bool:
    """Return whether a reply is no message: the end of a batch, or none was found."""
    return "Nats-Sequence" not in (msg.headers or {})


def _stored(msg: ArrivedMessage) -> Stored | None:
    """Return the message in a reply to a direct get, or None for "not found" and "end of batch"."""
    headers = msg.headers or {}
    if "Nats-Sequence" not in headers:
        return None
    return Stored(
        subject=headers["Nats-Subject"],
        seq=int(headers["Nats-Sequence"]),
        at=datetime.fromisoformat(headers["Nats-Time-Stamp"]).timestamp(),
        data=msg.data,
        headers={name: value for name, value in headers.items() if name not in _ENVELOPE},
    )
