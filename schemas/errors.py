"""The exception tree. The class tells the code that catches an error what to do next.

    WarmxferError                catches all of the below
    ├── RetryableError           try again after `after_s`
    ├── InvalidRequest           the caller of the API must change something: field, value and remedy
    └── InternalError            a bug in warmxfer: report it, do not retry

Every package raises one of these or a subclass. An adapter translates the errors of its vendor.
"""

from __future__ import annotations

import traceback


class WarmxferError(Exception):
    """A warm transfer cannot be performed, or failed."""

    transfer_id: str | None = None
    """The transfer that the error is about, if the code that reports it knows one."""


class RetryableError(WarmxferError):
    """A temporary failure: the same call may succeed after `after_s` seconds."""

    def __init__(self, sentence: str, *, after_s: float = 1.0) -> None:
        super().__init__(sentence)
        self.after_s = after_s


class InvalidRequest(WarmxferError):
    """A mistake in the input. The text is one sentence with field, value and remedy."""

    def __init__(self, sentence: str, *, field: str = "") -> None:
        super().__init__(sentence)
        self.field = field


class InternalError(WarmxferError):
    """A bug in warmxfer: an invariant does not hold."""


def format_traceback(error: BaseException) -> str:
    """Return the traceback of `error` as text, for the field `exception` of a log line.

    Log lines use this text and not `exc_info`: a user's structlog set-up may print the locals of every frame.
    """
    return "".join(traceback.format_exception(error))
