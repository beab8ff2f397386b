"""The bus of one process: the methods of `warmxfer.bus.Bus`, over the simulated broker.

The law of this file: a write is repeated under its id until the deadline, as the real bus does; one that was
stored without our hearing of it stays stored. Whoever listens hears a write whether or not it was stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from warmxfer.bus import BusSettings, InvalidRequest, Outgoing, StaleWrite, Stored, Unavailable
from warmxfer.bus.bus import READ_DEADLINE_S, WRITE_DEADLINE_S
from warmxfer.bus.messages import NO_HEADERS
from warmxfer.bus.retry import ATTEMPT_TIMEOUT_S
from warmxfer.bus.transfer_log import MAX_RECORDS

from .loop import Process
from .sim_connection import Attempt, Wire
from .sim_consumer import SimPuller
from .sim_subscriptions import Handler, SimAnswering, SimListener, ask

if TYPE_CHECKING:
    from .world import World

RETRY_PAUSE_S = 0.05
STALE_S = (0.15, 0.3)
"""How far a replica is behind that answers too early: so it was measured."""
T = TypeVar("T")


class SimBus(Wire):
    """One connection of one life of a process."""

    def __init__(self, world: World, process: Process, settings: BusSettings) -> None:
        super().__init__(world, process)
        self.settings = settings
        self.listeners: list[SimListener] = []
        """Those the broker knows of."""
        self.answerings: list[SimAnswering] = []
        self._wanted: list[SimListener | SimAnswering] = []
        world.buses.append(self)

    def register(self, who: SimListener | SimAnswering) -> None:
        """From the broker's hearing of it on, and after every reconnect."""
        self._wanted.append(who)
        self.send(self._enlist, who)

    def unregister(self, who: SimListener | SimAnswering) -> None:
        self._wanted.remove(who)
        for known in (self.listeners, self.answerings):
            if who in known:
                known.remove(who)  # type: ignore[arg-type]

    def renew(self) -> None:
        """The connection is back: the broker is told of every subscription that it does not know of."""
        for who in self._wanted:
            self._enlist(who)

    def _enlist(self, who: SimListener | SimAnswering) -> None:
        if who not in self._wanted:
            return
        if isinstance(who, SimListener):
            if who not in self.listeners:
                self.listeners.append(who)
        elif who not in self.answerings:
            self.answerings.append(who)

    def close(self) -> None:
        """The process died, and the broker noticed."""
        super().close()
        self.world.buses.remove(self)

    # ── one request, and the answer to it ───────────────────────────────────────────────────────

    async def call(self, act: Callable[[], T], timeout_s: float, *, heard: bool = True) -> T:
        """`act` at the broker, and what it returned or raised. Raises `Attempt`, always unless `heard`."""
        loop = self.world.loop
        future: asyncio.Future[T] = loop.create_future()
        self._waiting[future] = None
        giving_up = loop.call_later(timeout_s, _fail, future, Attempt("timeout"))
        self.send(self._carry_out, act, future, heard)
        try:
            return await future
        finally:
            giving_up.cancel()
            del self._waiting[future]

    def _carry_out(self, act: Callable[[], T], future: asyncio.Future[T], heard: bool) -> None:
        try:
            value = act()
        except (StaleWrite, InvalidRequest) as error:
            if heard:
                self.receive(_fail, future, error)
        else:
            if heard:
                self.receive(_fulfil, future, value)

    async def patiently(self, once: Callable[[float], Awaitable[T]], deadline_s: float) -> T:
        """Repeat `once` until it comes to something; raises `Unavailable` at the deadline."""
        loop = self.world.loop
        deadline = loop.time() + deadline_s
        why: object = "not connected"
        while True:
            if not self.connected:
                try:
                    async with asyncio.timeout_at(deadline):
                        await self._came_back.wait()
                except TimeoutError as error:
                    raise Unavailable(f"The bus did not answer in time ({why})") from error
            try:
                return await once(min(ATTEMPT_TIMEOUT_S, max(0.05, deadline - loop.time())))
            except Attempt as error:
                why = error
            pause_s = RETRY_PAUSE_S * self.world.chance.uniform(0.5, 5.0)
            if loop.time() + pause_s >= deadline:
                raise Unavailable(f"The bus did not answer in time ({why})")
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
        doubtful = False

        def store() -> int:
            self._tell_listeners(subject, data)
            seq, repeated = self.world.stream.store(subject, data, name, expect_last, headers)
            if repeated and expect_last is not None and self.world.stream[seq].data != data:
                raise StaleWrite(f"Somebody wrote to {subject} under this id first")
            return seq

        async def once(timeout_s: float) -> int:
            nonlocal doubtful
            strikes = self.world.weather.strikes
            if strikes("publish_lost", about):
                await asyncio.sleep(timeout_s)
                raise Attempt("lost on the way there")
            try:
                return await self.call(store, timeout_s, heard=not strikes("ack_lost", about))
            except Attempt:
                doubtful = True
                raise
            except StaleWrite:
                won = self._won(subject, name, expect_last) if doubtful else None
                if won is None:
                    raise
                return won

        return await self.patiently(once, deadline_s)

    async def publish_all(
        self, messages: Sequence[Outgoing], *, deadline_s: float = WRITE_DEADLINE_S
    ) -> list[int]:
        named = [(each, each.msg_id or self.world.token()) for each in messages]
        numbers: dict[int, int] = {}

        def store(upto: int) -> list[tuple[int, int]]:
            stored: list[tuple[int, int]] = []
            for index, (each, name) in enumerate(named[:upto]):
                if index not in numbers:
                    self._tell_listeners(each.subject, each.data)
                    seq, _ = self.world.stream.store(each.subject, each.data, name, None, each.headers)
                    stored.append((index, seq))
            return stored

        async def once(timeout_s: float) -> list[int]:
            about = messages[0].subject.split(".")[1] if messages else None
            strikes, upto = self.world.weather.strikes, len(named)
            if strikes("publish_lost", about):
                upto = self.world.chance.randrange(len(named))
            heard = not strikes("ack_lost", about)
            numbers.update(await self.call(lambda: store(upto), timeout_s, heard=heard))
            if len(numbers) < len(named):
                raise Attempt("some were lost on the way there")
            return [numbers[index] for index in range(len(named))]

        return await self.patiently(once, deadline_s)

    async def get_last(self, subject: str, *, deadline_s: float = READ_DEADLINE_S) -> Stored | None:
        def read() -> Stored | None:
            behind_s = self._behind_s(subject)
            if not behind_s:
                return self.world.stream.last(subject)
            known = self.world.stream.history(subject, MAX_RECORDS, 0)
            return next((each for each in reversed(known) if each.at <= self.world.now - behind_s), None)

        return await self.patiently(lambda timeout_s: self.call(read, timeout_s), deadline_s)

    async def get_last_from_leader(
        self, subject: str, *, deadline_s: float = READ_DEADLINE_S
    ) -> Stored | None:
        """Asked of the leader: what was acknowledged is seen."""
        return await self.patiently(
            lambda timeout_s: self.call(lambda: self.world.stream.last(subject), timeout_s), deadline_s
        )

    async def history(
        self, subject: str, limit: int, *, after: int = 0, deadline_s: float = READ_DEADLINE_S
    ) -> list[Stored]:
        def read() -> list[Stored]:
            known_at = self.world.now - self._behind_s(subject)
            known = self.world.stream.history(subject, limit, after)
            return [each for each in known if each.at <= known_at]

        return await self.patiently(lambda timeout_s: self.call(read, timeout_s), deadline_s)

    async def count(self, subject: str, *, deadline_s: float = READ_DEADLINE_S) -> int:
        return await self.patiently(
            lambda timeout_s: self.call(lambda: len(self.world.stream.timers), timeout_s), deadline_s
        )

    def subscribe(self, subject: str) -> SimListener:
        return SimListener(self, subject)

    async def request(self, subject: str, data: bytes, timeout_s: float) -> bytes:
        return await ask(self, subject, data, timeout_s)

    def serve(self, subject: str, handler: Handler, queue: str | None = None) -> SimAnswering:
        return SimAnswering(self, subject, handler, queue)

    def pull(self, consumer: str, sink: Any, window: int) -> SimPuller:
        return SimPuller(self, consumer, sink, window)

    def on_reconnect(self, hook: Callable[[], Awaitable[None]]) -> Callable[[], None]:
        self._hooks.append(hook)
        return lambda: self._hooks.remove(hook)

    async def register_service(self, name: str, version: str, description: str) -> None:
        """Nobody looks."""

    async def ensure(self) -> None:
        """The stream is there."""

    # ── inside ───────────────────────────────────────────────────────────────────────────────────

    def _tell_listeners(self, subject: str, data: bytes) -> None:
        """Whoever listens hears it whether or not it will be stored: so it was measured."""
        for bus in self.world.buses:
            for listener in bus.listeners:
                listener.offer(subject, data)

    def _behind_s(self, subject: str) -> float:
        """How long ago the replica that answers a read of a log was up to date: any of them may answer."""
        newest = self.world.stream.last(subject) if subject.endswith(".log") else None
        fresh = newest is not None and self.world.now - newest.at < STALE_S[0]
        if not (fresh and self.world.stream.clustered):
            return 0.0
        stale = self.world.weather.strikes("read_stale", subject.split(".")[1])
        return self.world.weather.between(*STALE_S) if stale else 0.0

    def _won(self, subject: str, name: str, expect_last: int | None) -> int | None:
        """After a doubtful write: the number of ours, if it is the one that followed the expected."""
        following = self.world.stream.history(subject, 1, expect_last or 0)
        return following[0].seq if following and following[0].msg_id == name else None


def _fulfil(future: asyncio.Future[T], value: T) -> None:
    if not future.done():
        future.set_result(value)


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
