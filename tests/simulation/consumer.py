"""One durable pull consumer of the broker: pulls, deliveries, acknowledgements, redelivery.

A pull ends when its messages are delivered, when it expires, when its inbox has no subscriber any more, when
the consumer's leader changes, or when the consumer is deleted. Until then the broker sends a heartbeat after
each `heartbeat_s` without a message.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .sim_client import Headers, SimMsg

if TYPE_CHECKING:
    import asyncio

    from .stream import Stream
    from .world import World

HEARTBEAT: Headers = {"Status": "100", "Description": "Idle Heartbeat"}
LEADER_CHANGE: Headers = {"Status": "409", "Description": "Leadership Change"}
DELETED: Headers = {"Status": "409", "Description": "Consumer Deleted"}
_US = 1_000_000


@dataclass(slots=True, eq=False)
class Pull:
    """An open pull request."""

    inbox: str
    left: int
    expires_at: float
    heartbeat_s: float
    last_at: float
    """When the last message or heartbeat was sent."""
    heartbeat: SimMsg
    """What is sent when nothing else was."""
    is_open: bool = True


@dataclass(slots=True)
class _Unacknowledged:
    """A delivered message that is not acknowledged."""

    tries: int
    due: asyncio.TimerHandle | None


class Consumer:
    """A durable pull consumer with explicit acknowledgement and unlimited redelivery."""

    def __init__(self, world: World, stream: Stream, name: str, ack_wait_s: float) -> None:
        self._world = world
        self._stream = stream
        self._ack_wait_s = ack_wait_s
        self.name = name
        self.config: dict[str, Any] = {}
        """Its configuration, as the last `ensure` wrote it."""
        self._ready: deque[int] = deque()
        self._retry: deque[int] = deque()
        self._unacknowledged: dict[int, _Unacknowledged] = {}
        self._pulls: deque[Pull] = deque()
        self.delivered = 0
        """Number of deliveries, redeliveries included."""
        self._newest = 0
        """Highest number that was delivered."""
        self._leaderless_until = 0.0

    @property
    def unsettled(self) -> int:
        return len(self._ready) + len(self._retry) + len(self._unacknowledged)

    @property
    def ack_floor(self) -> int:
        """The number up to which every delivered message was acknowledged."""
        return min(self._unacknowledged) - 1 if self._unacknowledged else self._newest

    @property
    def leaderless(self) -> bool:
        """Whether no replica of this consumer leads: pulls and acknowledgements get no reply."""
        return self._world.loop.time() < self._leaderless_until

    def offer(self, seq: int) -> None:
        self._ready.append(seq)
        self.dispatch()

    # ── pulls ────────────────────────────────────────────────────────────────────────────────────

    def pull(self, inbox: str, count: int, expires_s: float, heartbeat_s: float) -> None:
        """Open a pull. A broker under load may lose one, and says nothing."""
        if self._world.faults.strikes("pull_lost"):
            return
        now = self._world.loop.time()
        pull = Pull(inbox, count, now + expires_s, heartbeat_s, now, SimMsg(inbox, "", b"", HEARTBEAT))
        self._pulls.append(pull)
        self._world.later(heartbeat_s, self._tick, pull)
        self.dispatch()

    def lose_leader(self, for_s: float) -> None:
        """End every pull, and answer none for `for_s`."""
        self._leaderless_until = self._world.loop.time() + for_s
        self._end_all(LEADER_CHANGE)
        self._world.later(for_s, self.dispatch)

    def delete(self) -> None:
        """End every pull, and forget what was delivered and acknowledged."""
        self._end_all(DELETED)
        for delivery in self._unacknowledged.values():
            if delivery.due is not None:
                delivery.due.cancel()
        self._unacknowledged.clear()
        self._ready.clear()
        self._retry.clear()

    def reset(self, first: int) -> None:
        """Deliver from number `first` on. What is before it counts as acknowledged."""
        self._ready = deque(seq for seq in self._ready if seq >= first)
        self._newest = max(self._newest, first - 1)
        for seq in [seq for seq in self._unacknowledged if seq < first]:
            self.settle(seq, "term")

    def _tick(self, pull: Pull) -> None:
        if not pull.is_open:
            return
        now = self._world.loop._now
        if not self._world.broker.listens(pull.inbox):
            pull.is_open = False
            self._pulls.remove(pull)
        elif now >= pull.expires_at:
            self._pulls.remove(pull)
            self._end(pull, {"Status": "408", "Description": "Request Timeout"})
        else:
            if now - pull.last_at >= 0.999 * pull.heartbeat_s:
                pull.last_at = now
                self._world.broker.deliver_to(pull.inbox, pull.heartbeat)
            next_s = min(pull.last_at + pull.heartbeat_s, pull.expires_at) - now
            self._world.later(max(0.01, next_s), self._tick, pull)

    def _end_all(self, status: Headers) -> None:
        pulls, self._pulls = self._pulls, deque()
        for pull in pulls:
            self._end(pull, status)

    def _end(self, pull: Pull, status: Headers) -> None:
        pull.is_open = False
        self._send(pull, {**status, "Nats-Pending-Messages": str(pull.left), "Nats-Pending-Bytes": "0"})

    def _send(self, pull: Pull, headers: Headers) -> None:
        self._world.broker.deliver_to(pull.inbox, SimMsg(pull.inbox, "", b"", headers))

    # ── deliveries ───────────────────────────────────────────────────────────────────────────────

    def dispatch(self) -> None:
        while self._pulls and (self._retry or self._ready):
            if self._world.broker_down or self.leaderless:
                return
            pull = self._pulls.popleft()
            if not self._world.broker.listens(pull.inbox):
                pull.is_open = False
                continue
            pull.left -= 1
            pull.last_at = self._world.loop.time()
            if pull.left:
                self._pulls.append(pull)
            else:
                pull.is_open = False
            self._give(self._retry.popleft() if self._retry else self._ready.popleft(), pull.inbox)

    def _give(self, seq: int, inbox: str) -> None:
        delivery = self._unacknowledged.get(seq)
        if delivery is None:
            delivery = self._unacknowledged[seq] = _Unacknowledged(0, None)
        delivery.tries += 1
        self.delivered += 1
        self._newest = max(self._newest, seq)
        self._wait(seq, delivery, self._ack_wait_s)
        stored = self._stream[seq]
        self._world.trace.add(self.name, f"delivers {seq} {stored.subject} try {delivery.tries}")
        at_ns = round(stored.at * _US) * 1_000
        reply = f"$JS.ACK.{self._stream.name}.{self.name}.{delivery.tries}.{seq}.{self.delivered}.{at_ns}.0"
        msg = SimMsg(stored.subject, reply, stored.data, dict(stored.headers))
        self._world.broker.deliver_to(inbox, msg)

    def _wait(self, seq: int, delivery: _Unacknowledged, wait_s: float) -> None:
        if delivery.due is not None:
            delivery.due.cancel()
        delivery.due = self._world.later(wait_s, self._overdue, seq)

    def _overdue(self, seq: int) -> None:
        if seq in self._unacknowledged:
            self._unacknowledged[seq].due = None
            self._retry.append(seq)
            self.dispatch()

    # ── acknowledgements ─────────────────────────────────────────────────────────────────────────

    def settle(self, seq: int, verb: str, delay_s: float = 0.0) -> None:
        """Apply an acknowledgement: `ack`, `term`, `nak` or `progress`."""
        delivery = self._unacknowledged.get(seq)
        if delivery is None or self.leaderless:
            return
        if verb == "ack" and self._world.faults.strikes("delivered_twice", self._transfer_of(seq)):
            self._forget_ack(seq, delivery)
        elif verb in ("ack", "term"):
            if delivery.due is not None:
                delivery.due.cancel()
            elif seq in self._retry:
                self._retry.remove(seq)
            del self._unacknowledged[seq]
        elif delivery.due is None:
            return
        elif verb == "progress":
            self._wait(seq, delivery, self._ack_wait_s)
        else:
            self._wait(seq, delivery, delay_s)

    def _forget_ack(self, seq: int, delivery: _Unacknowledged) -> None:
        """Forget an acknowledgement, and perhaps the delivery, as a new leader may."""
        if self._world.chance.random() < 0.5:
            delivery.tries = 0
        if delivery.due is not None:
            self._wait(seq, delivery, self._world.faults.between(0.0, self._ack_wait_s))

    def _transfer_of(self, seq: int) -> str:
        return self._stream[seq].subject.split(".")[2]
