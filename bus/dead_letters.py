"""Dead letters: the message on `warmxfer.<id>.dead` that tells operators what failed and why.

Invariant: a dead letter never contains the payload.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import msgspec

from warmxfer.schemas import WarmxferError

from . import subjects
from .errors import InvalidRequest
from .messages import Delivery, Outgoing, Stored

MAX_CAUSE_CHARS = 300


class DeadLetterBody(msgspec.Struct, frozen=True):
    """Body of a dead letter."""

    subject: str
    """Subject of the message that no worker could handle."""
    seq: int
    """Number of that message in the stream."""
    cause: str
    tries: int
    consumer: str
    count: int = 1
    """How many messages the dead letter stands for."""


class StoredDeadLetter(NamedTuple):
    """A dead letter as the stream stores it: its own number and time, the transfer, and its body."""

    number: int
    at: float
    transfer_id: str
    body: DeadLetterBody


def read_dead_letter(stored: Stored) -> StoredDeadLetter:
    """Return the dead letter in `stored`. Raises InvalidRequest if it is none."""
    address = subjects.parse(stored.subject)
    try:
        body = msgspec.json.decode(stored.data, type=DeadLetterBody)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequest(f"Message {stored.seq} is not a dead letter") from error
    if address.kind != "dead":
        raise InvalidRequest(f"Message {stored.seq} is not a dead letter")
    return StoredDeadLetter(stored.seq, stored.at, address.id, body)


def dead_letter(delivery: Delivery, cause: str, consumer: str) -> Outgoing:
    """Return the dead letter for `delivery`. Its message id makes a repeat within 120 seconds harmless."""
    return Outgoing(
        subjects.dead_letter(delivery.transfer_id),
        json.dumps(_body(delivery, cause, consumer)).encode(),
        f"dead.{consumer}.{delivery.seq}",
    )


def summary(last: Delivery, cause: str, consumer: str, count: int) -> Outgoing:
    """Return the one dead letter for `count` unreadable messages. It names the last one and its cause."""
    text = f"{count} unreadable messages; the last: {cause}"[:MAX_CAUSE_CHARS]
    return Outgoing(
        subjects.dead_letter(subjects.INVALID_ID),
        json.dumps({**_body(last, text, consumer), "count": count}).encode(),
        f"dead.{consumer}.{last.seq}.{count}",
    )


def _body(delivery: Delivery, cause: str, consumer: str) -> dict[str, object]:
    return {
        "subject": delivery.subject[: subjects.MAX_SUBJECT_CHARS],
        "seq": delivery.seq,
        "cause": cause,
        "tries": delivery.delivery_count,
        "consumer": consumer,
    }


def describe_error(error: BaseException) -> str:
    """Return the cause as text for people.

    The text of our own errors is shown. The text of other errors may quote the payload, so only their type
    and place in the code are shown.
    """
    if isinstance(error, WarmxferError):
        return f"{type(error).__name__}: {error}"[:MAX_CAUSE_CHARS]
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return type(error).__name__
    return f"{type(error).__name__} at {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
