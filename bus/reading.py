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
from .link import BACKOFF_S, Link, is_unanswered
from .messages import Stored
from .replies import ConnectionLost
from .stream import STREAM
from .wire import unsubscribe

READ_TIMEOUT_S = 2.0
BATCH = 256
MAX_HISTORY = 100_000

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


async def history(link: Link, subject: str, limit: int, deadline_s: float) -> list[Stored]:
    """The oldest `limit` messages on `subject` (which may hold wildcards), in the order of the stream."""
    if not 1 <= limit <= MAX_HISTORY:
        raise Refused(f"limit is {limit}; give 1 to {MAX_HISTORY}", field="limit")
    found: list[Stored] = []
    deadline = asyncio.get_running_loop().time() + deadline_s
    while len(found) < limit:
        seq = found[-1].seq + 1 if found else 1
        wanted = min(BATCH, limit - len(found))
        await link.wait_connected(deadline)
        try:
            async with asyncio.timeout(READ_TIMEOUT_S):
                batch = await _get_batch(link, subject, seq, wanted)
        except (TimeoutError, ConnectionLost) as error:
            if asyncio.get_running_loop().time() >= deadline:
                raise link.unavailable(str(error) or "timeout") from error
            await asyncio.sleep(BACKOFF_S)
            continue
        found += batch
        if len(batch) < wanted:
            break
    return found


async def _get_one(
    link: Link, subject: str, body: Mapping[str, Any] | None, deadline_s: float
) -> Stored | None:
    data = b"" if body is None else json.dumps(body).encode()
    deadline = asyncio.get_running_loop().time() + deadline_s
    while True:
        await link.wait_connected(deadline)
        try:
            reply = await link.replies.call(subject, data, None, READ_TIMEOUT_S)
        except (TimeoutError, ConnectionLost) as error:
            why = str(error) or "timeout"
        else:
            if not is_unanswered(reply):
                return _stored(reply)
            why = f"no stream {STREAM} with direct get; run ensure()"
        if asyncio.get_running_loop().time() >= deadline:
            raise link.unavailable(why)
        await asyncio.sleep(BACKOFF_S)


async def _get_batch(link: Link, subject: str, seq: int, wanted: int) -> list[Stored]:
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
                raise ConnectionLost(f"no stream {STREAM} with direct get; run ensure()")
            stored = _stored(msg)
            if stored is None:
                return batch
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
