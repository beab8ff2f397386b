"""A transfer's partition is the one that the broker computes for its request."""

from __future__ import annotations

from collections import Counter
from random import Random

from warmxfer.bus import Bus, Outgoing, subjects
from warmxfer.bus.partition import PARTITIONS, partition_of

IDS = [
    *(f"t-{n}" for n in range(300)),
    *(f"{n:012x}-{n * n:010x}" for n in range(1, 100)),
    *(chr(code) for code in range(33, 127) if chr(code).isalnum()),
    "_",
    "-",
    "a" * 64,
    "refund-4417",
]


async def test_the_broker_puts_each_request_into_the_partition_that_we_compute(fresh_bus: Bus) -> None:
    await fresh_bus.publish_all([Outgoing(subjects.request(id), b"") for id in IDS])
    await fresh_bus.publish_all([Outgoing(subjects.cancel(id), b"") for id in IDS])
    for kind in ("request", "cancel"):
        stored = await fresh_bus.history(f"warmxfer.*.{kind}", 10_000)
        assert [each.subject for each in stored] == [f"wx.{partition_of(id)}.{id}.{kind}" for id in IDS]


def test_ids_are_spread_over_all_partitions() -> None:
    chance = Random(1)
    found = Counter(partition_of(f"{n:012x}-{chance.getrandbits(40):010x}") for n in range(16_000))
    assert set(found) == set(range(PARTITIONS))
    assert max(found.values()) < 2 * min(found.values())
