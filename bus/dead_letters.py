"""Dead letters: the message on `warmxfer.<id>.dead` that tells operators what failed and why.

Invariant: a dead letter never contains the payload. `stored_dead_letters.py` reads them.
"""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from warmxfer.schemas import WarmxferError
from warmxfer.schemas.fields import Sentence, SubjectText, Word

from . import subjects
from .consumer_table import CONSUMERS
from .errors import DeadLetter
from .messages import Delivery, Outgoing

MAX_CAUSE_CHARS = 300


class DeadLetterBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """Body of a dead letter."""

    subject: SubjectText
    """Subject of the message that no worker could handle."""
    seq: int
    """Number of that message in `stream`."""
    cause: Sentence
    tries: int
    consumer: Word
    """The consumer that it failed in."""
    stream: Word
    count: int = 1
    """How many messages the dead letter stands for."""


def dead_letter(delivery: Delivery, cause: str) -> Outgoing:
    """Return the dead letter for `delivery`. Its message id makes a repeat within 120 seconds harmless."""
    return Outgoing(
        subjects.dead_letter(delivery.transfer_id),
        _encoded(_body(delivery, cause)),
        f"dead.{delivery.consumer}.{delivery.seq}",
    )


def summary(last: Delivery, cause: str, count: int) -> Outgoing:
    """Return the one dead letter for `count` unreadable messages. It names the last one and its cause."""
    text = f"{count} unreadable messages; the last: {cause}"[:MAX_CAUSE_CHARS]
    return Outgoing(
        subjects.dead_letter(subjects.INVALID_ID),
        _encoded(_body(last, text, count)),
        f"dead.{last.consumer}.{last.seq}.{count}",
    )


def _body(delivery: Delivery, cause: str, count: int = 1) -> DeadLetterBody:
    return DeadLetterBody(
        subject=delivery.subject[: subjects.MAX_SUBJECT_CHARS],
        seq=delivery.seq,
        cause=cause,
        tries=delivery.delivery_count,
        consumer=delivery.consumer,
        stream=CONSUMERS[delivery.consumer].stream,
        count=count,
    )


def _encoded(body: DeadLetterBody) -> bytes:
    # A subject may hold bytes that are not UTF-8, which msgspec cannot encode and json escapes.
    return json.dumps(msgspec.to_builtins(body)).encode()


def describe_error(error: BaseException) -> str:
    """Return the cause as text for people.

    The text of our own errors is shown. The text of other errors may quote the payload, so only their type
    and place in the code are shown.
    """
    if isinstance(error, DeadLetter):  # Its class says nothing that the dead letter does not say.
        return str(error)[:MAX_CAUSE_CHARS]
    if isinstance(error, WarmxferError):
        return f"{type(error).__name__}: {error}"[:MAX_CAUSE_CHARS]
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return type(error).__name__
    return f"{type(error).__name__} at {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"
