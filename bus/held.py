"""A message in a worker's hands: waiting for its turn, or being handled."""

from __future__ import annotations

from . import subjects
from .errors import Refused
from .messages import Arrival, Delivery


class Held:
    """`arrival` is the newest receipt of it; `unaddressed` why its subject is no address."""

    __slots__ = ("arrival", "delivery", "running", "unaddressed")

    def __init__(self, arrival: Arrival) -> None:
        self.arrival = arrival
        self.running = False
        self.unaddressed = ""
        try:
            address = subjects.parse(arrival.subject)
        except Refused as error:
            address = subjects.Address(subjects.UNADDRESSED, "", "")
            self.unaddressed = str(error)
        self.delivery = Delivery(
            *address,
            subject=arrival.subject,
            data=arrival.data,
            seq=arrival.seq,
            at=arrival.at,
            tries=arrival.tries,
            headers=arrival.headers,
        )
