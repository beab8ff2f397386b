"""Metrics of the workers of a process. The queue is the role whose messages a worker takes."""

from __future__ import annotations

from enum import StrEnum

from warmxfer import tracing
from warmxfer.metrics import LATENCY_BOUNDS_S, Counter, Gauge, Histogram, Label

from .consumer_table import COORDINATOR
from .subjects import ROLES


class Result(StrEnum):
    """How the handling of one delivery ended."""

    ACKNOWLEDGED = "acknowledged"
    RETRIED = "retried"
    """Given back, to be delivered again after a pause."""
    LEFT_TO_NEWER = "left_to_newer"
    """Given back, because only a newer version can read it."""
    DEAD_LETTERED = "dead_lettered"


QUEUE = Label("queue", (COORDINATOR, *ROLES))
KIND = Label("kind", ("request", "cancel", "event", "timeout", "do"))
"""The last word of a subject; `do` is a command."""

HANDLED = Counter(
    "warmxfer_messages_total",
    "Deliveries that were handled, by how that ended.",
    QUEUE,
    Label("result", tuple(Result)),
)
REDELIVERIES = Counter(
    "warmxfer_redeliveries_total", "Deliveries of messages that had been delivered before.", QUEUE
)
DEAD_LETTERS = Counter("warmxfer_dead_letters_total", "Messages that became dead letters.", QUEUE, KIND)
QUEUE_AGE = Histogram(
    "warmxfer_queue_age_seconds",
    "Age of a message when its first handling began, by the broker's clock.",
    QUEUE,
    bounds=LATENCY_BOUNDS_S,
)
HANDLING = Histogram(
    "warmxfer_handling_seconds", "How long handling one delivery took.", QUEUE, bounds=LATENCY_BOUNDS_S
)
IN_FLIGHT = Gauge(
    "warmxfer_messages_in_flight", "Messages that are queued in this process or being handled.", QUEUE
)


def count_result(queue: str, result: Result) -> None:
    """Count how a delivery ended, and write it into the current span."""
    HANDLED.count(queue, result)
    if tracing.is_on():
        tracing.annotate({tracing.Attribute.RESULT: result})
