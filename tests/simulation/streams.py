"""The broker's streams together: which one stores a subject, and what is stored, in one order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING

from warmxfer.bus import Stored, subjects
from warmxfer.bus.consumer_table import CONSUMERS

from .consumer import Consumer
from .stream import Stream, matches

if TYPE_CHECKING:
    from .world import World


class Streams:
    """The streams, each with numbers and message ids of its own."""

    def __init__(self, world: World, ack_wait_s: float) -> None:
        clustered = world.chance.random() < 0.5
        self.by_name = {
            name: Stream(world, self, name, ack_wait_s, clustered=clustered) for name in subjects.STREAMS
        }
        self._order: list[Stored] = []
        self.on_stored: Callable[[Stored], None] = lambda stored: None

    def set_clustered(self, clustered: bool) -> None:
        for stream in self.by_name.values():
            stream.clustered = clustered

    def added(self, stored: Stored) -> None:
        """Note that a stream has stored a message."""
        self._order.append(stored)
        self.on_stored(stored)

    def store(
        self,
        subject: str,
        data: bytes,
        msg_id: str,
        expect_last: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[str, int, bool]:
        """Store a published message. Returns its stream, its number, and whether it was stored before.

        Raises `StaleWrite` and `InvalidRequest`.
        """
        place = subjects.place_of(subject)
        seq, repeated = self.by_name[place.stream].store(
            place.subject, data, msg_id, expect_last, headers or {}
        )
        return place.stream, seq, repeated

    def after(self, count: int) -> Iterator[Stored]:
        """Return what was stored after the first `count` messages, in order."""
        return islice(self._order, count, None)

    @property
    def count(self) -> int:
        """Number of messages ever stored."""
        return len(self._order)

    @property
    def written(self) -> set[str]:
        """Each Msg-Id that the coordinator's streams ever stored, timers included."""
        return self.by_name[subjects.CORE].written | self.by_name[subjects.PUBLIC].written

    @property
    def timers(self) -> list[str]:
        """Subjects of the timers that are set."""
        return self.by_name[subjects.CORE].timers

    @property
    def consumers(self) -> dict[str, Consumer]:
        """Consumers that were created and not deleted."""
        return {
            name: consumer for stream in self.by_name.values() for name, consumer in stream.consumers.items()
        }

    def delete_consumer(self, name: str) -> None:
        self.by_name[CONSUMERS[name].stream].delete_consumer(name)

    def wake(self) -> None:
        """Deliver what is waiting, after an outage."""
        for stream in self.by_name.values():
            stream.wake()


@lru_cache(maxsize=4_096)
def is_stored(subject: str) -> bool:
    """Return whether a stream stores what is published on `subject`."""
    return any(matches(each, subject) for name in subjects.STREAMS for each in subjects.stored_filters(name))


@lru_cache(maxsize=16_384)
def about(subject: str) -> str:
    """Return the transfer that a subject names, or the session of a subject of a session."""
    words = subject.split(".")
    return words[2] if words[0] == "wx" and len(words) > 2 else words[1]
