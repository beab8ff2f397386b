"""The webhooks of each transfer that this process has taken. Pure, and bounded.

The provider's signature covers no time, so an old webhook can be sent again for ever. The broker drops a
repeat within two minutes. After that this set does. What it has forgotten, and what another gateway has
taken, changes nothing either: an end is confirmed at the provider, and every other webhook is a hint.
"""

from __future__ import annotations

from collections import OrderedDict

MAX_TRANSFERS = 1_024
MAX_PER_TRANSFER = 128
"""More than a transfer has: each leg and each participant sends some ten."""
_DIGEST_BYTES = 8
"""Of each hash: two of the bodies of one transfer are as good as never taken for each other."""


class SeenWebhooks:
    """The bodies that were taken, of the newest `MAX_TRANSFERS`. Each is named by its SHA-256."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, bytes] = OrderedDict()
        """The digests of a transfer, one behind the other. A set of them would need ten times the memory."""

    def __contains__(self, key: tuple[str, str]) -> bool:
        transfer_id, body_hash = key
        seen, digest = self._seen.get(transfer_id, b""), _digest(body_hash)
        starts = range(0, len(seen), _DIGEST_BYTES)
        return any(seen.startswith(digest, start) for start in starts)

    def add(self, transfer_id: str, body_hash: str) -> None:
        """Remember a body that is not known. Forgets the oldest one beyond the limit."""
        seen = self._seen.get(transfer_id, b"") + _digest(body_hash)
        self._seen[transfer_id] = seen[-MAX_PER_TRANSFER * _DIGEST_BYTES :]
        self._seen.move_to_end(transfer_id)
        if len(self._seen) > MAX_TRANSFERS:
            self._seen.popitem(last=False)


def _digest(body_hash: str) -> bytes:
    """Return the start of a hash, which is in hexadecimal digits."""
    return bytes.fromhex(body_hash)[:_DIGEST_BYTES]
