"""The webhooks of each transfer that this process has taken. Pure, and bounded.

The provider's signature covers no time, so an old webhook can be sent again for ever. The broker drops a
repeat within two minutes. After that this set does. What it has forgotten, and what another gateway has
taken, changes nothing either: an end is confirmed at the provider, and every other webhook is a hint.
"""

from __future__ import annotations

from collections import OrderedDict

MAX_TRANSFERS = 4_096
MAX_PER_TRANSFER = 128
"""More than a transfer has: each leg and each participant sends some ten."""


class SeenWebhooks:
    """The hashes of the bodies that were taken, by transfer: of the newest `MAX_TRANSFERS`."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, OrderedDict[str, None]] = OrderedDict()

    def __contains__(self, key: tuple[str, str]) -> bool:
        transfer_id, body_hash = key
        return body_hash in self._seen.get(transfer_id, ())

    def add(self, transfer_id: str, body_hash: str) -> None:
        """Remember a body. Forgets the oldest one beyond the limit."""
        hashes = self._seen.setdefault(transfer_id, OrderedDict())
        self._seen.move_to_end(transfer_id)
        hashes[body_hash] = None
        if len(hashes) > MAX_PER_TRANSFER:
            hashes.popitem(last=False)
        if len(self._seen) > MAX_TRANSFERS:
            self._seen.popitem(last=False)
