"""One stream of the broker and its timers, as nats-server keeps them. The consumers are in `consumer.py`.

Invariants:
- The stream never loses a stored message, also in an outage. Messages are lost only on the way
  (`sim_client.py`, `sim_broker.py`).
- A repeated Msg-Id is dropped within the window. An expected sequence is checked when the message is stored.
- Timers never fire early.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING

from warmxfer.bus import InvalidRequest, StaleWrite, Stored, subjects
from warmxfer.bus.consumer_table import CONSUMERS
from warmxfer.bus.messages import MSG_ID
from warmxfer.bus.stream import DUPLICATE_WINDOW_S, MAX_MESSAGE_BYTES, MAX_OF_ARCHIVED

from .consumer import Consumer

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping

    from .streams import Streams
    from .world import World

TIMER_LATENESS_S = 0.25
TIMER_LATE_FAULT_S = 0.95


class Stream:
    """The messages, numbered from 1. Their `at` is the broker's clock, to the microsecond."""

    def __init__(
        self, world: World, streams: Streams, name: str, ack_wait_s: float, *, clustered: bool
    ) -> None:
        self._world = world
        self._streams = streams
        self.name = name
        self._messages: list[Stored | None] = [None]
        self._by_subject: dict[str, list[int]] = {}
        self._ids: dict[str, tuple[int, float]] = {}
        self._timers: dict[str, tuple[int, asyncio.TimerHandle]] = {}
        self._ack_wait_s = ack_wait_s
        self.consumers: dict[str, Consumer] = {}
        """Consumers that were created and not deleted."""
        self.written: set[str] = set()
        """Each Msg-Id ever stored, timers included."""
        self.count = self.size_bytes = 0
        """Messages that are stored, and the sum of their sizes."""
        self.clustered = clustered
        """A cluster checks the id before the expected sequence, a single server after it."""

    def __getitem__(self, seq: int) -> Stored:
        stored = self._messages[seq]
        assert stored is not None
        return stored

    def get(self, seq: int) -> Stored | None:
        return self._messages[seq] if seq < len(self._messages) else None

    @property
    def last_seq(self) -> int:
        """The number of the newest message, also if it was purged."""
        return len(self._messages) - 1

    def after(self, seq: int) -> Iterator[Stored]:
        """Return the stored messages after `seq`."""
        return (stored for stored in islice(self._messages, seq + 1, None) if stored is not None)

    @property
    def timers(self) -> list[str]:
        """Subjects of the timers that are set."""
        return list(self._timers)

    def pending_timers(self, pattern: str) -> list[Stored]:
        """Return the timers that are set and match `pattern`."""
        return [self[seq] for subject, (seq, _) in self._timers.items() if matches(pattern, subject)]

    def store(
        self, subject: str, data: bytes, msg_id: str, expect_last: int | None, headers: Mapping[str, str]
    ) -> tuple[int, bool]:
        """Store a message. Returns its number, and whether it was stored before.

        Raises `StaleWrite` and `InvalidRequest`.
        """
        now = round(self._world.now, 6)
        known = self._ids.get(msg_id)
        repeated = known is not None and now - known[1] < DUPLICATE_WINDOW_S
        if repeated and known and self.clustered:
            return known[0], True
        numbers = self._by_subject.setdefault(subject, [])
        if expect_last is not None and expect_last != (numbers[-1] if numbers else 0):
            raise StaleWrite(f"another message was written to {subject} first")
        if repeated and known:
            return known[0], True
        if len(data) > MAX_MESSAGE_BYTES:
            raise InvalidRequest(f"A message for {subject} is too large")
        stored = Stored(subject, len(self._messages), now, data, {**headers, MSG_ID: msg_id})
        self._messages.append(stored)
        numbers.append(stored.seq)
        self.count += 1
        self.size_bytes += len(data)
        self._ids[msg_id] = (stored.seq, now)
        self.written.add(msg_id)
        self._world.trace.add(self.name, f"{stored.seq} {subject} {msg_id} {data.decode(errors='replace')}")
        kept = 1 if "Nats-Rollup" in headers else MAX_OF_ARCHIVED if self.name == subjects.ARCHIVE else 0
        for seq in numbers[:-kept] if kept else ():
            self.remove(seq)
        if "Nats-TTL" in headers:
            self._world.later(float(headers["Nats-TTL"].removesuffix("s")), self.remove, stored.seq)
        self._update_timers(stored)
        self._streams.added(stored)
        self._offer(stored)
        return stored.seq, False

    def last(self, subject: str) -> Stored | None:
        if "*" not in subject:
            numbers = self._by_subject.get(subject)
            return self._messages[numbers[-1]] if numbers else None
        return next(
            (each for each in reversed(self._messages) if each and matches(subject, each.subject)), None
        )

    def history(self, subject: str, limit: int | None, after: int) -> list[Stored]:
        if "*" in subject or subject.endswith(">"):
            found = [each for each in self.after(after) if matches(subject, each.subject)]
        else:
            found = [self[seq] for seq in self._by_subject.get(subject, ()) if seq > after]
        return [each for each in found if self._messages[each.seq]][:limit]

    def purge(self, pattern: str, before: int | None) -> int:
        """Remove the messages of the subjects that match, with a number below `before`; return how many."""
        found = [
            seq
            for subject, numbers in self._by_subject.items()
            if numbers and matches(pattern, subject)
            for seq in numbers
            if before is None or seq < before
        ]
        for seq in found:
            self.remove(seq)
        self._world.trace.add(self.name, f"purges {pattern} before {before}: {len(found)}")
        return len(found)

    def remove(self, seq: int) -> bool:
        """Remove message number `seq`, with its timer. No consumer delivers it again."""
        stored = self.get(seq)
        if stored is None:
            return False
        timer = self._timers.get(stored.subject)
        if timer is not None and timer[0] == seq:
            self._purge(stored.subject)
            return True
        self._messages[seq] = None
        self._by_subject[stored.subject].remove(seq)
        for name in consumers_of_subject(self.name, stored.subject):
            if (consumer := self.consumers.get(name)) is not None:
                consumer.forget(seq)
        return True

    def create_consumer(self, name: str) -> Consumer:
        """Return the consumer `name`. A new one delivers all that is stored for it."""
        consumer = self.consumers.get(name)
        if consumer is None:
            self._world.trace.add(self.name, f"creates consumer {name}")
            consumer = self.consumers[name] = Consumer(self._world, self, name, self._ack_wait_s)
            for stored in self.after(0):
                if matches(CONSUMERS[name].filter, stored.subject):
                    consumer.offer(stored.seq)
        return consumer

    def delete_consumer(self, name: str) -> None:
        self.consumers.pop(name).delete()

    def wake(self) -> None:
        """Deliver what is waiting, after an outage."""
        for consumer in self.consumers.values():
            consumer.dispatch()

    def _offer(self, stored: Stored) -> None:
        for name in consumers_of_subject(self.name, stored.subject):
            if (consumer := self.consumers.get(name)) is not None:
                consumer.offer(stored.seq)

    def _update_timers(self, stored: Stored) -> None:
        if stored.headers.get("Nats-Schedule-Next") == "purge":
            self._purge(stored.headers["Nats-Scheduler"])
        moment = stored.headers.get("Nats-Schedule")
        if moment is None:
            return
        self._purge(stored.subject)
        at = datetime.fromisoformat(moment.removeprefix("@at ").replace("Z", "+00:00")).timestamp()
        late_s = self._world.chance.uniform(0.0, TIMER_LATENESS_S)
        if self._world.faults.strikes("timer_late", stored.subject.split(".")[2]):
            late_s = TIMER_LATE_FAULT_S
        fire = self._world.later(max(0.0, at - stored.at) + late_s, self._fire, stored)
        self._timers[stored.subject] = (stored.seq, fire)

    def _purge(self, subject: str) -> None:
        pending = self._timers.pop(subject, None)
        if pending is not None:
            pending[1].cancel()
            self.count -= 1
            self.size_bytes -= len(self[pending[0]].data)
            self._messages[pending[0]] = None
            self._by_subject[subject].remove(pending[0])

    def _fire(self, stored: Stored) -> None:
        if self._world.broker_down:
            self._timers[stored.subject] = (stored.seq, self._world.later(0.25, self._fire, stored))
            return
        self._purge(stored.subject)
        headers = {"Nats-Scheduler": stored.subject, "Nats-Schedule-Next": "purge"}
        target = stored.headers["Nats-Schedule-Target"]
        self.store(target, stored.data, f"fired-{stored.seq}", None, headers)


@lru_cache(maxsize=4_096)
def consumers_of_subject(stream: str, subject: str) -> tuple[str, ...]:
    """Return the names of the consumers that deliver messages of `subject`."""
    return tuple(
        name for name, spec in CONSUMERS.items() if spec.stream == stream and matches(spec.filter, subject)
    )


@lru_cache(maxsize=4_096)
def matches(pattern: str, subject: str) -> bool:
    """Return whether `subject` matches `pattern`, which may hold `*`, or `>` at its end."""
    if pattern == subject:
        return True
    if pattern.endswith(".>"):
        return subject.startswith(pattern.removesuffix(">"))
    wanted, words = pattern.split("."), subject.split(".")
    return len(wanted) == len(words) and all(a in ("*", w) for a, w in zip(wanted, words, strict=True))
