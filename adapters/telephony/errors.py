"""Errors of a provider, by what the request may have changed.

    RetryableError
    ├── RateLimited              rejected for now: nothing was done, send it again later
    ├── NotSent                  never left this process: nothing was done, send it again
    ├── NotReady                 the participant or room does not exist yet: nothing was done, send it again
    └── Unanswered               a query got no usable reply: it changes nothing, send it again
    InvalidRequest
    ├── Rejected                 the provider refused: nothing was done, and a repeat will not help
    │   └── NotFound             the call or the room does not exist (any more)
    ├── InvalidWebhookSignature  the provider did not sign the webhook
    └── StaleWebhook             the webhook tells of something that happened long ago
    WarmxferError
    └── OutcomeUnknown           an effect may happen now or later: never repeat it, look it up

Invariants:

- A provider's folder translates into these errors and raises no other.
- No error text holds a phone number or a secret (see `masked`).

`status` is the HTTP status, if there was one.
"""

from __future__ import annotations

import re

from warmxfer.schemas import InvalidRequest, RetryableError, WarmxferError

MAX_SENTENCE_CHARS = 200
MAX_READ_CHARS = 2_000
"""Text that is masked. A number or a token that is cut here is far beyond what is shown."""
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
    """The participant or the room does not exist yet; nothing was done."""

    def __init__(self, sentence: str, *, status: int | None = None) -> None:
        super().__init__(sentence)
        self.status = status


class Unanswered(RetryableError):
    """A query got no usable reply. Only for requests that change nothing at the provider."""

    def __init__(self, sentence: str, *, status: int | None = None, after_s: float = 1.0) -> None:
        super().__init__(sentence, after_s=after_s)
        self.status = status


class Rejected(InvalidRequest):
    """The provider refused; nothing was done."""

    def __init__(self, sentence: str, *, status: int | None = None) -> None:
        super().__init__(sentence)
        self.status = status


class NotFound(Rejected):
    """The call or the room does not exist."""


class InvalidWebhookSignature(InvalidRequest):
    """A webhook that the provider did not sign."""


class StaleWebhook(InvalidRequest):
    """A webhook about something that happened longer ago than webhooks are late: it is a replay."""


class OutcomeUnknown(WarmxferError):
    """The effect may have happened, or may still happen."""

    def __init__(self, sentence: str, *, status: int | None = None) -> None:
        super().__init__(sentence)
        self.status = status


NOTHING_DONE = (Rejected, RateLimited, NotSent, NotReady)
"""Errors after which the provider's state is certainly unchanged."""


def masked(text: str) -> str:
    """Return a provider's text on one line, cut, with long numbers and tokens masked."""
    line = _SECRET.sub("…", " ".join(text[:MAX_READ_CHARS].split()))
    return _LONG_NUMBER.sub(lambda number: f"•••{number[0][-2:]}", line)[:MAX_SENTENCE_CHARS]
