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

from warmxfer.schemas import InternalError, InvalidRequest, RetryableError

__all__ = [
    "AccessDenied",
    "DeadLetter",
    "InternalError",
    "InvalidRequest",
    "NoReply",
    "RetryableError",
    "StaleWrite",
    "Unavailable",
    "UnsupportedServer",
]


class Unavailable(RetryableError):
    """The broker did not answer within the deadline. What was being written may have been stored."""


class StaleWrite(RetryableError):
    """An optimistic write lost its race; nothing was stored. Load again, decide again."""

    def __init__(self, sentence: str, *, after_s: float = 0.0) -> None:
        super().__init__(sentence, after_s=after_s)


class NoReply(RetryableError):
    """Nobody listens on the subject of a question, or nobody answered before its deadline."""


class AccessDenied(InvalidRequest):
    """The broker refused the credentials, or this user may not do what was asked."""


class UnsupportedServer(InvalidRequest):
    """The broker lacks what warmxfer is built on; the sentence says what and how to get it."""


class DeadLetter(InvalidRequest):
    """Raised by a handler for what can never be handled (undecodable): dead letter without a second try."""
