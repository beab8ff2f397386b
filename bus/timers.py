"""Durable timers: the broker stores a message and publishes it at its time.

A timer fires although its writer has died. It is never early, usually less than 0.25 s late, and late by an
outage at most. There is one timer per name and transfer: publishing again replaces it. A time in the past
fires at once. Two headers on any message that is written anyway cancel a timer, so that costs no message.
"""

from __future__ import annotations

from datetime import UTC, datetime

from . import subjects
from .errors import InvalidRequest
from .messages import Outgoing

TTL_S = 86_400
"""Lifetime of the message of a timer that has fired: one day."""

LATEST_AT_S = 32_503_680_000.0
"""The year 3000. A later time is a mistake of units."""


def schedule(id: str, name: str, at_s: float, data: bytes, *, msg_id: str | None = None) -> Outgoing:
    """Return the message that sets, or replaces, timer `name` of transfer `id`.

    At `at_s` (epoch seconds by the broker's clock) the broker publishes `data` on `subjects.timeout(id)`,
    where it is kept for `TTL_S`. Raises InvalidRequest if `at_s` is not a time.
    """
    if not 0 <= at_s <= LATEST_AT_S:
        raise InvalidRequest(f"at_s is {at_s!r}; give epoch seconds", field="at_s")
    moment = datetime.fromtimestamp(at_s, UTC).isoformat(timespec="microseconds")
    headers = {
        "Nats-Schedule": f"@at {moment.replace('+00:00', 'Z')}",
        "Nats-Schedule-Target": subjects.timeout(id),
        "Nats-Schedule-TTL": f"{TTL_S}s",
    }
    return Outgoing(subjects.timer(id, name), data, msg_id, headers)


def cancel_headers(timer_subject: str) -> dict[str, str]:
    """Return headers for any stored message. Storing it cancels the timer at `timer_subject`, if pending."""
    return {"Nats-Schedule-Next": "purge", "Nats-Scheduler": timer_subject}
