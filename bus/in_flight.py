"""A message between its delivery to a worker and its end: queued, or being handled."""

from __future__ import annotations

from . import subjects
from .errors import InvalidRequest
from .messages import ConsumerMessage, Delivery

Identity = tuple[str, int, float]


class InFlight:
    """A message that a worker has not ended yet."""

    __slots__ = (
        "delivery",
        "identity",
        "invalid_subject",
        "message",
        "outside_window",
        "returned",
        "running",
        "unreadable",
        "waiting",
    )

    def __init__(self, message: ConsumerMessage, identity: Identity) -> None:
        self.message = message
        """Its newest delivery."""
        self.identity = identity
        self.running = False
        self.waiting = False
        """Its handler has given its job back."""
        self.unreadable = False
        self.outside_window = False
        """It does not count in the window: it was unreadable on arrival, within the budget."""
        self.returned = False
        """It was given back before it was handled."""
        self.invalid_subject = ""
        try:
            address = subjects.parse(message.subject)
        except InvalidRequest as error:
            address = subjects.Address(subjects.INVALID_ID, "", "")
            self.invalid_subject = str(error)
        self.delivery = Delivery(
            *address,
            message.subject,
            message.data,
            message.seq,
            message.at,
            message.delivery_count,
            message.headers,
            message.consumer,
        )

    def log_context(self) -> dict[str, object]:
        """Return what a log line says about the message: nothing of its content."""
        delivery = self.delivery
        return {
            "consumer": self.message.consumer,
            "transfer_id": delivery.transfer_id,
            "kind": delivery.kind,
            "seq": delivery.seq,
            "tries": delivery.delivery_count,
        }


def identity(message: ConsumerMessage) -> Identity:
    """Return what tells a redelivery from another message. An old copy of a stream uses numbers again."""
    return message.consumer, message.seq, message.at
