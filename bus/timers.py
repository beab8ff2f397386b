"""Durable timers: the broker keeps a message and publishes it at its time, whoever is alive by then.

Never early, usually within 0.25 s, late by an outage at most. One timer per name and transfer: publishing
again replaces it. A time that has passed fires at once. A timer is cancelled for free by two headers on
any message that is written anyway.
"""

from __future__ import annotations

from datetime import UTC, datetime

from . import subjects
from .errors import InvalidRequest
from .messages import Outgoing

TTL_S = 86_400
"""A timer that has fired is kept for one day."""

LATEST_AT_S = 32_503_680_000.0
"""The year 3000: a time beyond it is a mistake of units."""


def schedule(id: str, name: str, at_s: float, data: bytes, *, msg_id: str | None = None) -> Outgoing:
    """The message that sets, or replaces, timer `name` of transfer `id`.

    At `at_s` (epoch seconds by the broker's clock) `data` is published on `warmxfer.<id>.timeout`, where
    it is kept for `TTL_S`. Raises `Refused` for a time that is none.
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
    """Headers for any message of the stream. Storing it cancels the timer at `timer_subject`, if pending."""
    return {"Nats-Schedule-Next": "purge", "Nats-Scheduler": timer_subject}
