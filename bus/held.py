"""A message in a worker's hands: waiting for its turn, or being handled."""

from __future__ import annotations

from . import subjects
from .errors import InvalidRequest
from .messages import ConsumerMessage, Delivery


class InFlight:
    """`arrival` is the newest receipt of it; `unaddressed` why its subject is no address."""

    __slots__ = ("delivery", "invalid_subject", "message", "running")

    def __init__(self, arrival: ConsumerMessage) -> None:
        self.message = arrival
        self.running = False
        self.invalid_subject = ""
        try:
            address = subjects.parse(arrival.subject)
        except InvalidRequest as error:
            address = subjects.Address(subjects.INVALID_ID, "", "")
            self.invalid_subject = str(error)
        self.delivery = Delivery(
            *address,
            subject=arrival.subject,
            data=arrival.data,
            seq=arrival.seq,
            at=arrival.at,
            delivery_count=arrival.delivery_count,
            headers=arrival.headers,
        )
