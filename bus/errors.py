"""The errors of the bus. The class tells the code that catches it what to do next.

    RetryableError               the same call may succeed after `after_s`
    ├── Unavailable              the broker did not answer within the deadline
    │   └── StreamMissing        the broker answered, and has no stream
    ├── StaleWrite               another writer was first: load again, decide again
    └── NoReply                  a request found no server, or got no reply in time
    InvalidRequest               the caller of the API must change something: field, value and remedy
    ├── AccessDenied             the broker rejects this user, or forbids it the operation
    ├── UnsupportedServer        the broker is too old, or runs without JetStream
    └── DeadLetter               raised by a worker's handler: retrying cannot help, dead-letter at once
    InternalError                a bug in warmxfer

The base classes come from `warmxfer.schemas`. No nats type or exception leaves this package.
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
    "StreamMissing",
    "Unavailable",
    "UnsupportedServer",
]


class Unavailable(RetryableError):
    """The broker did not answer within the deadline. A write may or may not have been stored."""


class StreamMissing(Unavailable):
    """The broker has no stream. A coordinator creates it."""


class StaleWrite(RetryableError):
    """A guarded write was rejected because another message was first. Nothing was stored; decide again."""

    def __init__(self, sentence: str, *, after_s: float = 0.0) -> None:
        super().__init__(sentence, after_s=after_s)


class NoReply(RetryableError):
    """No process serves the subject of a request, or no reply came before the deadline."""


class AccessDenied(InvalidRequest):
    """The broker rejected the credentials, or this user may not do what it tried."""


class UnsupportedServer(InvalidRequest):
    """The broker lacks a feature that warmxfer needs. The sentence names it and how to get it."""


class DeadLetter(InvalidRequest):
    """Raised by a handler for a message that can never be handled. It is dead-lettered without a retry."""
