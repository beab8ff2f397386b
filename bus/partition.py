"""The partition of a transfer: one of 16, by its id. The broker computes the same one for a request.

All that is stored of a transfer is on subjects with its partition, and each partition has consumers of its
own. So coordinators share the transfers out without a coordination service.

Invariant: `partition_of` is what the broker's subject transform `partition(16,1)` computes
(`tests/bus/test_partition.py`).
"""

from __future__ import annotations

from functools import lru_cache

PARTITIONS = 16
"""Another number needs a drain: with it the stored subjects of a running transfer would not be found."""

_FNV_OFFSET, _FNV_PRIME, _MASK = 0x811C9DC5, 0x01000193, 0xFFFFFFFF


def partition_of(id: str) -> int:
    """Return the partition of the transfer `id`: its FNV-1a hash of 32 bits, modulo `PARTITIONS`."""
    return _hash_of(id) % PARTITIONS


@lru_cache(maxsize=1_024)
def _hash_of(id: str) -> int:
    hashed = _FNV_OFFSET
    for byte in id.encode():
        hashed = ((hashed ^ byte) * _FNV_PRIME) & _MASK
    return hashed
