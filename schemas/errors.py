"""Errors, told apart by what the one who meets them does next.

    WarmTransferError            the original's name; catches all of the below
    ├── Retry                    nobody's mistake, try again after `after_s`
    ├── Refused                  their mistake: one sentence with the field, the value and the remedy
    └── Broken                   our mistake: a bug; report it, do not retry

Every room raises one of these or a subclass; a vendor's error is translated at the one border where
that vendor is known.
"""

from __future__ import annotations

import traceback


class WarmxferError(Exception):
    """A warm transfer cannot be performed, or failed on the way."""


class RetryableError(WarmxferError):
    """Nobody's mistake: the same call may succeed after `after_s` seconds."""

    def __init__(self, sentence: str, *, after_s: float = 1.0) -> None:
        super().__init__(sentence)
        self.after_s = after_s


class InvalidRequest(WarmxferError):
    """The asker's mistake. The message is one sentence that names field, value and remedy."""

    def __init__(self, sentence: str, *, field: str = "") -> None:
        super().__init__(sentence)
        self.field = field


class InternalError(WarmxferError):
    """A bug of ours: two things that cannot both be true were."""


def format_traceback(error: BaseException) -> str:
    """Return the traceback of `error` as text, for the field `exception` of a log line.

    Log lines use this text and not `exc_info`: a user's structlog set-up may print the locals of every frame.
    """
    return "".join(traceback.format_exception(error))
