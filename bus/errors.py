"""The errors of the bus: three trees, told apart by what the one who meets them does next.

    Retry                        nobody's mistake: the same call may succeed after `after_s`
    ├── Unavailable              the broker did not answer within the deadline
    ├── StaleWrite               somebody wrote first: load again and decide again
    └── NoOneAnswered            a question found nobody, or nobody in time
    Refused                      the asker's mistake: one sentence with field, value and remedy
    ├── AccessDenied             the broker does not know this user, or does not let it do this
    ├── UnfitServer              the broker is too old, or runs without JetStream
    └── Park                     raised by a worker's handler: no repetition can help, dead letter at once
    Broken                       our mistake: a bug

The roots are the house's own (`warmxfer.schemas`). Nothing of nats leaves this room, exceptions least.
"""

from __future__ import annotations

from warmxfer.schemas import Broken, Refused, Retry

__all__ = [
    "AccessDenied",
    "Broken",
    "NoOneAnswered",
    "Park",
    "Refused",
    "Retry",
    "StaleWrite",
    "Unavailable",
    "UnfitServer",
]


class Unavailable(Retry):
    """The broker did not answer within the deadline. What was being written may have been stored."""


class StaleWrite(Retry):
    """An optimistic write lost its race; nothing was stored. Load again, decide again."""

    def __init__(self, sentence: str, *, after_s: float = 0.0) -> None:
        super().__init__(sentence, after_s=after_s)


class NoOneAnswered(Retry):
    """Nobody listens on the subject of a question, or nobody answered before its deadline."""


class AccessDenied(Refused):
    """The broker refused the credentials, or this user may not do what was asked."""


class UnfitServer(Refused):
    """The broker lacks what warmxfer is built on; the sentence says what and how to get it."""


class Park(Refused):
    """Raised by a handler for what can never be handled (undecodable): dead letter without a second try."""
