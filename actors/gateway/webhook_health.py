"""What the webhooks of this process show: which legs the provider reports, and whether reports are missing.

A coordinator checks legs minutes apart while the provider reports their changes by itself, and seconds apart
otherwise. Pure, except for what it remembers; `now` is a moment of the loop's clock.

- Invariant: only a webhook about a leg shows that the provider reports this leg.
- Invariant: a check that finds a leg down, without a webhook about it and without any other webhook for
  `MISSING_AFTER_S`, shows that webhooks do not arrive. The next webhook of any leg shows that they do again.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeVar

T = TypeVar("T")

MAX_LEGS = 65_536
MAX_ENDED_LEGS = 1_024
"""Legs that a webhook has reported down. A late check may still ask about the newest of them."""
MISSING_AFTER_S = 10.0
"""Time in which a webhook about a leg that was found down may still arrive."""


class WebhookHealth:
    """The legs that webhooks reported to this process: the newest `MAX_LEGS` up and `MAX_ENDED_LEGS` down."""

    def __init__(self) -> None:
        self._up: OrderedDict[str, None] = OrderedDict()
        """The legs that were up in their newest webhook."""
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._callers: OrderedDict[str, str] = OrderedDict()
        self._missing: tuple[str, float] | None = None
        """The leg that was found down without a webhook, and when."""

    def webhook_received(self, call_id: str, *, up: bool) -> None:
        """Record a webhook about a leg."""
        self._missing = None
        if up:
            self._ended.pop(call_id, None)
            _keep(self._up, call_id, None, MAX_LEGS)
        else:
            self._up.pop(call_id, None)
            forgotten = _keep(self._ended, call_id, None, MAX_ENDED_LEGS)
            if forgotten is not None:
                self._callers.pop(forgotten, None)

    def leg_checked(self, call_id: str, *, up: bool, now: float) -> None:
        """Record what the provider's call record says about a leg that it reported by webhook before."""
        if not up and call_id in self._up and self._missing is None:
            self._missing = call_id, now

    def reports(self, call_id: str, now: float) -> bool | None:
        """Return whether the provider reports changes of a leg; None if this process cannot tell."""
        if self._missing is not None and now - self._missing[1] > MISSING_AFTER_S:
            return False
        return True if call_id in self._up or call_id in self._ended else None

    def remember_caller(self, call_id: str, transfer_id: str) -> None:
        """Remember whose call this is: the leg of a caller does not name its transfer."""
        _keep(self._callers, call_id, transfer_id, MAX_LEGS)

    def transfer_of(self, call_id: str) -> str | None:
        """Return the newest transfer of a caller's leg, if this process has looked it up."""
        return self._callers.get(call_id)


def _keep(kept: OrderedDict[str, T], key: str, value: T, limit: int) -> str | None:
    """Keep `value` as the newest. Returns the key of the oldest, if it was removed for it."""
    kept[key] = value
    kept.move_to_end(key)
    return kept.popitem(last=False)[0] if len(kept) > limit else None
