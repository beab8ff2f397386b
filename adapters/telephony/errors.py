"""A provider's errors, told apart by what may be true in the world afterwards.

    Retry
    ├── RateLimited      an effect or a question was turned away for now: nothing was done, ask again later
    ├── NotSent          it never left us: nothing was done, ask again
    ├── NotYet           whom or what it is about is not there yet: nothing was done, ask again
    └── Unanswered       a question got no usable answer; a question changes nothing, ask again
    Refused
    ├── NotDone          the provider said no: nothing was done, and asking again will not help
    │   └── Gone         because the call or the room is not there (any more)
    └── Forged           a webhook that the provider did not sign
    WarmTransferError
    └── Doubtful         an effect may have happened, now or later: never repeat it, look it up

Every provider's own file translates into these and raises nothing else. `status` is the HTTP status,
where there was one. No text of an error holds a phone number or a secret (see `masked`).
"""

from __future__ import annotations

import re

from warmxfer.schemas import InvalidRequest, RetryableError, WarmxferError

MAX_SENTENCE_CHARS = 200
MAX_AFTER_S = 60.0

_LONG_NUMBER = re.compile(r"\+?\d(?:[ ().-]{0,2}\d){6,}", re.ASCII)
_SECRET = re.compile(r"\beyJ[\w-]*(?:\.[\w-]*)*|[\w-]{40,}", re.ASCII)


class RateLimited(RetryableError):
    """Too many requests; nothing was done."""

    status = 429


class NotSent(RetryableError):
    """The request never reached the provider; nothing was done."""

    status: int | None = None


class NotReady(RetryableError):
    """Whom or what it is about is not there yet; nothing was done."""

    def __init__(self, sentence: str, *, status: int | None = None) -> None:
        super().__init__(sentence)
        self.status = status


class Unanswered(RetryableError):
    """A question got no usable answer. Only for what changes nothing at the provider."""

    def __init__(self, sentence: str, *, status: int | None = None, after_s: float = 1.0) -> None:
        super().__init__(sentence, after_s=after_s)
        self.status = status


class Rejected(InvalidRequest):
    """The provider refused; nothing was done."""

    def __init__(self, sentence: str, *, status: int | None = None) -> None:
        super().__init__(sentence)
        self.status = status


class NotFound(Rejected):
    """The call or the room is not there."""


class InvalidWebhookSignature(InvalidRequest):
    """A webhook that its provider did not sign."""


class OutcomeUnknown(WarmxferError):
    """The effect may have happened, or may still happen."""

    def __init__(self, sentence: str, *, status: int | None = None) -> None:
        super().__init__(sentence)
        self.status = status


NOTHING_DONE = (Rejected, RateLimited, NotSent, NotReady)
"""What certainly left the world as it was."""


def masked(said: str) -> str:
    """What a provider said, on one line, cut, without long numbers and without anything like a token."""
    line = _SECRET.sub("…", " ".join(said.split()))
    return _LONG_NUMBER.sub(lambda number: f"•••{number[0][-2:]}", line)[:MAX_SENTENCE_CHARS]
