"""Dead letters: the message on `warmxfer.<id>.dead` that tells operators what failed and why.

Invariant: a dead letter never contains the payload.
"""

from __future__ import annotations

import json
from pathlib import Path

from warmxfer.schemas import WarmxferError

from . import subjects
from .consumer_table import CONSUMERS
from .messages import Delivery, Outgoing

MAX_CAUSE_CHARS = 300


def dead_letter(delivery: Delivery, cause: str) -> Outgoing:
    """Return the dead letter for `delivery`. Its message id makes a repeat within 120 seconds harmless."""
    return Outgoing(
        subjects.dead_letter(delivery.transfer_id),
        json.dumps(_body(delivery, cause)).encode(),
        f"dead.{delivery.consumer}.{delivery.seq}",
    )


def summary(last: Delivery, cause: str, count: int) -> Outgoing:
    """Return the one dead letter for `count` unreadable messages. It names the last one and its cause."""
    text = f"{count} unreadable messages; the last: {cause}"[:MAX_CAUSE_CHARS]
    return Outgoing(
        subjects.dead_letter(subjects.INVALID_ID),
        json.dumps({**_body(last, text), "count": count}).encode(),
        f"dead.{last.consumer}.{last.seq}.{count}",
    )


def _body(delivery: Delivery, cause: str) -> dict[str, object]:
    return {
        "subject": delivery.subject[: subjects.MAX_SUBJECT_CHARS],
        "seq": delivery.seq,
        "cause": cause,
        "tries": delivery.delivery_count,
        "consumer": delivery.consumer,
        "stream": CONSUMERS[delivery.consumer].stream,
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
