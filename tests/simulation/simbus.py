"""The bus of one process: the methods of `warmxfer.bus.Bus`, over the simulated broker.

Invariants, as for the real bus:
- A write is repeated with its message id until the deadline.
- A write whose acknowledgement was lost stays stored.
- Subscribers receive a write whether or not it was stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from warmxfer.bus import BusSettings, InvalidRequest, Outgoing, StaleWrite, StorageUse, Stored, Unavailable
from warmxfer.bus.bus import READ_DEADLINE_S, WRITE_DEADLINE_S
from warmxfer.bus.messages import NO_HEADERS
from warmxfer.bus.retry import ATTEMPT_TIMEOUT_S
from warmxfer.bus.transfer_log import MAX_RECORDS

from .loop import Process
from .sim_connection import AttemptFailed, SimConnection
from .sim_consumer import SimPullConsumer
from .sim_subscriptions import Handler, SimResponder, SimSubscription, send_request

if TYPE_CHECKING:
    from .world import World

RETRY_PAUSE_S = 0.05
STALE_S = (0.15, 0.3)
"""How far a stale replica is behind, as measured."""
T = TypeVar("T")


class SimBus(SimConnection):
    """The bus of one process."""

    def __init__(self, world: World, process: Process, settings: BusSettings) -> None:
        super().__init__(world, process)
        self.settings = settings
        self.subscriptions: list[SimSubscription] = []
        """Subscriptions that the broker knows."""
        self.responders: list[SimResponder] = []
        self._wanted: list[SimSubscription | SimResponder] = []
        world.buses.append(self)

    def register(self, endpoint: SimSubscription | SimResponder) -> None:
        """Register a subscription or responder at the broker, and again after each reconnect."""
        self._wanted.append(endpoint)
        self.send(self._add_at_broker, endpoint)

    def unregister(self, endpoint: SimSubscription | SimResponder) -> None:
        self._wanted.remove(endpoint)
        for known in (self.subscriptions, self.responders):
            if endpoint in known:
                known.remove(endpoint)  # type: ignore[arg-type]

    def renew_subscriptions(self) -> None:
        """Register again what the broker does not know."""
        for endpoint in self._wanted:
            self._add_at_broker(endpoint)

    def _add_at_broker(self, endpoint: SimSubscription | SimResponder) -> None:
        if endpoint not in self._wanted:
            return
        if isinstance(endpoint, SimSubscription):
            if endpoint not in self.subscriptions:
                self.subscriptions.append(endpoint)
        elif endpoint not in self.responders:
            self.responders.append(endpoint)

    def close(self) -> None:
        """Close the connection of a dead process."""
        super().close()
        self.world.buses.remove(self)

    # ── one request and its reply ───────────────────────────────────────────────────────

    async def call(self, act: Callable[[], T], timeout_s: float, *, replied: bool = True) -> T:
        """Call `act` at the broker and return its result.

        Raises `AttemptFailed` if no reply comes in time. Without `replied` the reply is lost.
        """
        loop = self.world.loop
        future: asyncio.Future[T] = loop.create_future()
        self._waiting[future] = None
        timer = loop.call_later(timeout_s, _fail, future, AttemptFailed("timeout"))
        self.send(self._carry_out, act, future, replied)
        try:
            return await future
        finally:
            timer.cancel()
            del self._waiting[future]

    def _carry_out(self, act: Callable[[], T], future: asyncio.Future[T], replied: bool) -> None:
        try:
            value = act()
        except (StaleWrite, InvalidRequest) as error:
            if replied:
                self.receive(_fail, future, error)
        else:
            if replied:
                self.receive(_fulfil, future, value)

    async def retry_until(self, once: Callable[[float], Awaitable[T]], deadline_s: float) -> T:
        """Repeat `once` until it succeeds. Raises `Unavailable` at the deadline."""
        loop = self.world.loop
        deadline = loop.time() + deadline_s
        why: object = "not connected"
        while True:
            if not self.connected:
                try:
                    async with asyncio.timeout_at(deadline):
                        await self._connected_event.wait()
                except TimeoutError as error:
                    raise Unavailable(f"The bus did not reply in time ({why})") from error
            try:
                return await once(min(ATTEMPT_TIMEOUT_S, max(0.05, deadline - loop.time())))
            except AttemptFailed as error:
                why = error
            pause_s = RETRY_PAUSE_S * self.world.chance.uniform(0.5, 5.0)
            if loop.time() + pause_s >= deadline:
                raise Unavailable(f"The bus did not reply in time ({why})")
            await asyncio.sleep(pause_s)

    # ── what actors use ──────────────────────────────────────────────────────────────────────────

    async def publish(
        self,
        subject: str,
        data: bytes,
        *,
        msg_id: str | None = None,
        expect_last: int | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
        deadline_s: float = WRITE_DEADLINE_S,
    ) -> int:
        name = msg_id or self.world.token()
        about = subject.split(".")[1]
        outcome_unknown = False

        def store() -> int:
            self._deliver_live(subject, data)
            seq, repeated = self.world.stream.store(subject, data, name, expect_last, headers)
            if repeated and expect_last is not None and self.world.stream[seq].data != data:
                raise StaleWrite(f"another message was written to {subject} with this id")
            return seq

        async def once(timeout_s: float) -> int:
            nonlocal outcome_unknown
            strikes = self.world.faults.strikes
            if strikes("publish_lost", about):
                await asyncio.sleep(timeout_s)
                raise AttemptFailed("lost on the way to the broker")
            try:
                return await self.call(store, timeout_s, replied=not strikes("ack_lost", about))
            except AttemptFailed:
                outcome_unknown = True
                raise
            except StaleWrite:
                won = self._won(subject, name, expect_last) if outcome_unknown else None
                if won is None:
                    raise
                return won

        return await self.retry_until(once, deadline_s)

    async def publish_all(
        self, messages: Sequence[Outgoing], *, deadline_s: float = WRITE_DEADLINE_S
    ) -> list[int]:
        named = [(each, each.msg_id or self.world.token()) for each in messages]
        numbers: dict[int, int] = {}

        def store(upto: int) -> list[tuple[int, int]]:
            stored: list[tuple[int, int]] = []
            for index, (each, name) in enumerate(named[:upto]):
                if index not in numbers:
                    self._deliver_live(each.subject, each.data)
                    seq, _ = self.world.stream.store(each.subject, each.data, name, None, each.headers)
                    stored.append((index, seq))
            return stored

        async def once(timeout_s: float) -> list[int]:
            about = messages[0].subject.split(".")[1] if messages else None
            strikes, upto = self.world.faults.strikes, len(named)
            if strikes("publish_lost", about):
                upto = self.world.chance.randrange(len(named))
            replied = not strikes("ack_lost", about)
            numbers.update(await self.call(lambda: store(upto), timeout_s, replied=replied))
            if len(numbers) < len(named):
                raise AttemptFailed("some were lost on the way to the broker")
            return [numbers[index] for index in range(len(named))]

        return await self.retry_until(once, deadline_s)

    async def get_last(self, subject: str, *, deadline_s: float = READ_DEADLINE_S) -> Stored | None:
        def read() -> Stored | None:
            behind_s = self._staleness_s(subject)
            if not behind_s:
                return self.world.stream.last(subject)
            known = self.world.stream.history(subject, MAX_RECORDS, 0)
            return next((each for each in reversed(known) if each.at <= self.world.now - behind_s), None)

        return await self.retry_until(lambda timeout_s: self.call(read, timeout_s), deadline_s)

    async def get_last_from_leader(
        self, subject: str, *, deadline_s: float = READ_DEADLINE_S
    ) -> Stored | None:
        """Read from the leader: each acknowledged write is visible."""
        return await self.retry_until(
            lambda timeout_s: self.call(lambda: self.world.stream.last(subject), timeout_s), deadline_s
        )

    async def history(
        self, subject: str, limit: int, *, after: int = 0, deadline_s: float = READ_DEADLINE_S
    ) -> list[Stored]:
        def read() -> list[Stored]:
            known_at = self.world.now - self._staleness_s(subject)
            known = self.world.stream.history(subject, limit, after)
            return [each for each in known if each.at <= known_at]

        return await self.retry_until(lambda timeout_s: self.call(read, timeout_s), deadline_s)

    async def count(self, subject: str, *, deadline_s: float = READ_DEADLINE_S) -> int:
        return await self.retry_until(
            lambda timeout_s: self.call(lambda: len(self.world.stream.timers), timeout_s), deadline_s
        )

    async def storage(self, *, deadline_s: float = READ_DEADLINE_S) -> StorageUse:
        return StorageUse(0, None, 0, 1)

    def subscribe(self, subject: str) -> SimSubscription:
        return SimSubscription(self, subject)

    async def request(self, subject: str, data: bytes, timeout_s: float) -> bytes:
        return await send_request(self, subject, data, timeout_s)

    def serve(self, subject: str, handler: Handler, queue: str | None = None) -> SimResponder:
        return SimResponder(self, subject, handler, queue)

    def pull(self, consumer: str, sink: Any, window: int) -> SimPullConsumer:
        return SimPullConsumer(self, consumer, sink, window)

    def on_reconnect(self, hook: Callable[[], Awaitable[None]]) -> Callable[[], None]:
        self._hooks.append(hook)
        return lambda: self._hooks.remove(hook)

    async def register_service(self, name: str, version: str, description: str) -> None:
        """Do nothing: no test reads the services."""

    async def ensure(self) -> None:
        """Do nothing: the stream exists."""

    # ── inside ───────────────────────────────────────────────────────────────────────────────────

    def _deliver_live(self, subject: str, data: bytes) -> None:
        """Deliver a message to live subscribers, whether or not it will be stored, as measured."""
        for bus in self.world.buses:
            for listener in bus.subscriptions:
                listener.offer(subject, data)

    def _staleness_s(self, subject: str) -> float:
        """Return how stale a read of a log is. Any replica may serve the read."""
        newest = self.world.stream.last(subject) if subject.endswith(".log") else None
        fresh = newest is not None and self.world.now - newest.at < STALE_S[0]
        if not (fresh and self.world.stream.clustered):
            return 0.0
        stale = self.world.faults.strikes("read_stale", subject.split(".")[1])
        return self.world.faults.between(*STALE_S) if stale else 0.0

    def _won(self, subject: str, name: str, expect_last: int | None) -> int | None:
        """Return the number of our write with unknown outcome, if it followed the expected one."""
        following = self.world.stream.history(subject, 1, expect_last or 0)
        return following[0].seq if following and following[0].msg_id == name else None


def _fulfil(future: asyncio.Future[T], value: T) -> None:
    if not future.done():
        future.set_result(value)


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
