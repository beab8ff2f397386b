"""The errors of the bus. The class tells the code that catches it what to do next.

    RetryableError               the same call may succeed after `after_s`
    ├── Unavailable              the broker did not answer within the deadline
    │   └── StreamMissing        the broker answered, and has no stream
    ├── StaleWrite               another writer was first: load again, decide again
    ├── NewerVersionNeeded       raised by a worker's handler: a worker of a newer version can handle it
    ├── NoReply                  a request found no server, or got no reply in time
    └── Busy                     the server of a request replied that it cannot handle it now
    InvalidRequest               the caller of the API must change something: field, value and remedy
    ├── AccessDenied             the broker rejects this user, or forbids it the operation
    ├── UnsupportedServer        the broker is too old, or runs without JetStream
    └── DeadLetter               raised by a worker's handler: retrying cannot help, dead-letter at once
        └── Unwanted             it belongs to nothing: in a flood, count it and remove it
    InternalError                a bug in warmxfer

The base classes come from `warmxfer.schemas`. No nats type or exception leaves this package.
"""

from __future__ import annotations

from warmxfer.schemas import InternalError, InvalidRequest, RetryableError

__all__ = [
    "AccessDenied",
    "Busy",
    "DeadLetter",
    "InternalError",
    "InvalidRequest",
    "NewerVersionNeeded",
    "NoReply",
    "RetryableError",
    "StaleWrite",
    "StreamMissing",
    "Unavailable",
    "UnsupportedServer",
    "Unwanted",
]


class Unavailable(RetryableError):
    """The broker did not answer within the deadline. A write may or may not have been stored."""


class StreamMissing(Unavailable):
    """The broker has no stream. A coordinator creates it."""


class StaleWrite(RetryableError):
    """A guarded write was rejected because another message was first. Nothing was stored; decide again."""

    def __init__(self, sentence: str, *, after_s: float = 0.0) -> None:
        super().__init__(sentence, after_s=after_s)


class NewerVersionNeeded(RetryableError):
    """Raised by a handler for a message of a newer version. It is left to a newer worker for a while.

    It is redelivered after short pauses, to any worker of the consumer, and dead-lettered if none handles it.
    """


class NoReply(RetryableError):
    """No process serves the subject of a request, or no reply came before the deadline."""


class Busy(RetryableError):
    """A process serves the subject of a request, and replied that it cannot handle it now."""


class AccessDenied(InvalidRequest):
    """The broker rejected the credentials, or this user may not do what it tried."""


class UnsupportedServer(InvalidRequest):
    """The broker lacks a feature that warmxfer needs. The sentence names it and how to get it."""


class DeadLetter(InvalidRequest):
    """Raised by a handler for a message that can never be handled. It is dead-lettered without a retry."""


class Unwanted(DeadLetter):
    """Raised by a handler for a message that belongs to nothing. In a flood it is counted and removed."""
