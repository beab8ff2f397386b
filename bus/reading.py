"""Reading the stream by direct get: the last message of a subject, the next after a number, a history.

Reads go to any replica, so in a cluster one may be a moment old: a read is a hint, and only a write's
expectation decides. All reads wait out a broker that is away, until their deadline.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from nats.aio.msg import Msg

from .errors import Refused
from .link import Link, is_unanswered
from .messages import Stored
from .patience import Patience
from .replies import ConnectionLost
from .stream import STREAM
from .wire import unsubscribe

BATCH = 256
MAX_HISTORY = 100_000
NO_STREAM = f"no stream {STREAM} with direct get is there; run ensure()"

_DIRECT_GET = f"$JS.API.DIRECT.GET.{STREAM}"
_ENVELOPE = frozenset(
    f"Nats-{name}" for name in ("Stream", "Subject", "Sequence", "Time-Stamp", "Num-Pending", "Last-Sequence")
)


async def last(link: Link, subject: str, deadline_s: float) -> Stored | None:
    """The newest message on `subject` (which may hold wildcards), or None."""
    if "*" in subject or ">" in subject:
        return await _get_one(link, _DIRECT_GET, {"last_by_subj": subject}, deadline_s)
    return await _get_one(link, f"{_DIRECT_GET}.{subject}", None, deadline_s)


async def first_after(link: Link, subject: str, seq: int, deadline_s: float) -> Stored | None:
    """The oldest message on `subject` with a number above `seq`, or None."""
    return await _get_one(link, _DIRECT_GET, {"seq": seq + 1, "next_by_subj": subject}, deadline_s)


async def numbered(link: Link, seq: int, deadline_s: float) -> Stored | None:
    """The message with number `seq`, or None."""
    return await _get_one(link, _DIRECT_GET, {"seq": seq}, deadline_s)


async def history(link: Link, subject: str, limit: int, after: int, deadline_s: float) -> list[Stored]:
    """The oldest `limit` messages on `subject` (which may hold wildcards) above number `after`, in order."""
    if not 1 <= limit <= MAX_HISTORY:
        raise Refused(f"limit is {limit}; give 1 to {MAX_HISTORY}", field="limit")
    patience = Patience(link, deadline_s)
    found: list[Stored] = []
    while len(found) < limit:
        seq = (found[-1].seq if found else after) + 1
        wanted = min(BATCH, limit - len(found))
        timeout_s = await patience.begin()
        try:
            async with asyncio.timeout(timeout_s):
                batch, pending = await _get_batch(link, subject, seq, wanted)
        except (TimeoutError, ConnectionLost) as error:
            await patience.again(str(error) or "timeout")
            continue
        found += batch
        if not pending:
            break
    return found


async def _get_one(
    link: Link, subject: str, body: Mapping[str, Any] | None, deadline_s: float
) -> Stored | None:
    data = b"" if body is None else json.dumps(body).encode()
    patience = Patience(link, deadline_s)
    while True:
        timeout_s = await patience.begin()
        try:
            reply = await link.replies.call(subject, data, None, timeout_s)
        except (TimeoutError, ConnectionLost) as error:
            why = str(error) or "timeout"
        else:
            if not is_unanswered(reply):
                return _stored(reply)
            why = NO_STREAM
        await patience.again(why)


async def _get_batch(link: Link, subject: str, seq: int, wanted: int) -> tuple[list[Stored], int]:
    """At most `wanted` messages from number `seq` on, and how many are left after them."""
    arrived: asyncio.Queue[Msg] = asyncio.Queue()

    async def arrive(msg: Msg) -> None:
        arrived.put_nowait(msg)

    inbox = link.client.new_inbox()
    subscription = await link.client.hear(inbox, arrive)
    body = json.dumps({"seq": seq, "next_by_subj": subject, "batch": wanted}).encode()
    batch: list[Stored] = []
    try:
        await link.client.publish(_DIRECT_GET, body, reply=inbox)
        while True:
            msg = await arrived.get()
            if is_unanswered(msg):
                raise ConnectionLost(NO_STREAM)
            stored = _stored(msg)
            if stored is None:
                return batch, int((msg.headers or {}).get("Nats-Num-Pending", "0"))
            batch.append(stored)
    finally:
        await unsubscribe(subscription)


def _stored(msg: Msg) -> Stored | None:
    """The message in an answer to a direct get; None for the broker's own "not found" and "end of batch"."""
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
