"""Refuses new transfers while the broker's storage is nearly full. Running transfers keep the rest.

A full broker refuses every write, and loses nothing that it has stored. A running transfer then waits until
there is space. So new transfers are refused before: at `FULL_SHARE` of the storage, or as soon as the running
ones may need the rest.
"""

from __future__ import annotations

from warmxfer.bus import StorageUse

FULL_SHARE = 0.8
TRANSFER_BYTES = 64 * 1024
"""What one transfer stores, rounded up. A soak stored 52 KB a transfer (docs/reliability.md)."""
BYTES_PER_MB = 1_000_000


def why_full(use: StorageUse, max_store_bytes: int, running: int) -> str | None:
    """Return why no transfer may start, or None.

    `max_store_bytes` is the server's limit for the stream as the operator gave it; 0 if not given.
    """
    limits = [(use.used_bytes, use.limit_bytes or 0, use.replicas, "the account allows")]
    limits.append((use.stream_bytes, max_store_bytes, 1, "WARMXFER_MAX_STORE_MB allows"))
    for used, limit, copies, allows in limits:
        if limit <= 0:
            continue
        if used >= FULL_SHARE * limit:
            return f"The broker stores {used / BYTES_PER_MB:.1f} MB, {allows} {limit / BYTES_PER_MB:.1f} MB"
        if used + (running + 1) * TRANSFER_BYTES * copies > limit:
            return (
                f"The broker stores {used / BYTES_PER_MB:.1f} MB, {allows} {limit / BYTES_PER_MB:.1f} MB, "
                f"and {running} running transfers need the rest"
            )
    return None
