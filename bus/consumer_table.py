"""Every durable pull consumer, each with one filter: which messages it delivers, and to which role.

requests-<p>, events-<p>, timeouts-<p>    what triggers the transfers of partition p: for the coordinator
summarizer, gateway, briefing             the commands for one role
"""

from __future__ import annotations

from typing import NamedTuple

from . import subjects
from .partition import PARTITIONS
from .subjects import CORE, EVENTS, IN, ROLES

COORDINATOR = "coordinator"


class ConsumerSpec(NamedTuple):
    """Which messages a consumer delivers, and for which role."""

    role: str
    stream: str
    filter: str


def _of_partition(partition: int) -> dict[str, ConsumerSpec]:
    return {
        f"requests-{partition}": ConsumerSpec(COORDINATOR, IN, subjects.any_request(partition)),
        f"events-{partition}": ConsumerSpec(COORDINATOR, EVENTS, subjects.any_event(partition)),
        f"timeouts-{partition}": ConsumerSpec(COORDINATOR, CORE, subjects.any_timeout(partition)),
    }


def consumers_for(partitions: int) -> dict[str, ConsumerSpec]:
    """Return every consumer of a layout with so many partitions, by its name."""
    return {
        **{name: spec for partition in range(partitions) for name, spec in _of_partition(partition).items()},
        **{role: ConsumerSpec(role, CORE, subjects.any_work(role)) for role in ROLES},
    }


CONSUMERS = consumers_for(PARTITIONS)
"""Every consumer, by its name."""


def consumers_of(role: str) -> tuple[str, ...]:
    """Return the names of the consumers of `role`."""
    return tuple(name for name, spec in CONSUMERS.items() if spec.role == role)


def partition_consumers(partition: int) -> tuple[str, ...]:
    """Return the names of the three consumers of one partition."""
    return tuple(_of_partition(partition))
