"""How many partitions a run has. The product's layout has 16; the few transfers of a run need at most four.

The others have consumers all the same: idle ones, which took half of the time of a run. So most runs have
fewer partitions, and more of what they do is about transfers. Then two transfers often share a partition, and
a fault of a consumer strikes one that delivers. Some runs have the product's number.
"""

from __future__ import annotations

import random

from warmxfer.actors.coordinator import partition_owners
from warmxfer.bus import partition, stream, subjects
from warmxfer.bus.consumer_table import CONSUMERS, consumers_for
from warmxfer.bus.partition import PARTITIONS

from .stream import consumers_of_subject

SHARES = {1: 0.2, 2: 0.45, 4: 0.3, PARTITIONS: 0.05}
"""The share of the runs with each number of partitions."""


def draw_partitions(seed: int) -> int:
    """Return the number of partitions of this run. It changes nothing else that the seed draws."""
    return random.Random(f"{seed} partitions").choices(tuple(SHARES), tuple(SHARES.values()))[0]


def use_partitions(count: int) -> None:
    """Give the layout so many partitions. Idempotent."""
    if count == partition.PARTITIONS:
        return
    for module in (partition, stream, partition_owners):
        module.PARTITIONS = count
    CONSUMERS.clear()
    CONSUMERS.update(consumers_for(count))
    consumers_of_subject.cache_clear()
    subjects._of.cache_clear()  # it holds the partition of each transfer
